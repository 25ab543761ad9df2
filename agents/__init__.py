"""What learns: agents, and the world model, objectives and bonuses they are put together from."""
