"""An agent on the latent world model."""
