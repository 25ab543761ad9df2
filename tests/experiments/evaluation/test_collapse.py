"""What is said of a representation that has collapsed."""

import jax.numpy as jnp
import numpy as np
import pytest

from agents.world_model import diagnostics
from experiments.evaluation import collapse

POINT = np.ones((10, 6, 8), np.float32)
LINE = np.random.default_rng(0).choice([-1.0, 1.0], (10, 6, 1)) * np.arange(1.0, 9.0)
SPREAD = np.random.default_rng(0).normal(size=(50, 40, 8))


def row(latents, **losses):
  told = diagnostics.latent_diagnostics(jnp.asarray(latents, jnp.float32))
  return {"seed": 3.0, **{name: float(x) for name, x in told.items()}, **losses}


@pytest.mark.parametrize(("latents", "words"), [(POINT, "nearly one point"), (LINE, "a line")])
def test_a_collapse_is_said_in_words_and_numbers(latents, words):
  said = collapse.warning([row(latents, swav_loss=1.0)], ("byol", "swav"))
  assert f"latents of seed 3 have collapsed, to {words} (effective rank 1.0" in said
  assert "whatever swav reports" in said
  assert "bonus" in collapse.warning([row(latents, byol_loss=1.0)], ("byol", "swav"))


def test_latents_that_are_spread_or_trained_by_nothing_are_no_collapse():
  assert collapse.warning([row(SPREAD, swav_loss=1.0)], ("swav",)) == ""
  assert collapse.warning([row(POINT)], ("byol", "swav")) == ""


@pytest.mark.parametrize(("used", "said"), [(1.2, True), (2.0, False)])
def test_prototypes_that_are_not_used_are_told(used, said):
  told = collapse.warning([row(SPREAD, swav_loss=1.0, swav_prototypes_used=used)], ("byol", "swav"))
  assert ("the prototypes of swav have collapsed" in told) == said
