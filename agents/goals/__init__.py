"""An agent that sets its own goals, online."""
