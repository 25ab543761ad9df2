"""What can be reached from where, learned without rewards, and the goals that follow from it."""
