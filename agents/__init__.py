"""What learns in Rarebird: agents, and the world model, objectives and bonuses they consist of."""
