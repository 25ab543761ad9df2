"""Learning to reach goals from a dataset without rewards: `rarebird offline`, stage by stage."""
