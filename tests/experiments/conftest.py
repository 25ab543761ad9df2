"""Fixtures of the tests of experiments."""

import pytest

from agents.byol_explore import ByolExploreConfig
from agents.world_model.world_model import WorldModelConfig


@pytest.fixture
def small_agent():
  """An agent that compiles in seconds."""
  return ByolExploreConfig(
    batch_size=8,
    unroll_length=5,
    head_hidden=8,
    world_model=WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2),
  )
