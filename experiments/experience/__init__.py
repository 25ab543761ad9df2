"""Experience between actors and learner: one contract, an embedded form and one on Reverb."""
