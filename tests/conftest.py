"""Settings shared by all tests."""

import os

import hypothesis

# Before any test imports JAX: a run on an accelerator asks for it by setting the variable itself.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# An example that compiles takes seconds, so a deadline would measure XLA; and a failure must recur.
hypothesis.settings.register_profile("rarebird", deadline=None, derandomize=True)
hypothesis.settings.load_profile("rarebird")
