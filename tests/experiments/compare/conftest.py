"""Fixtures of the tests of comparisons."""

import pytest

from experiments.settings.compare import CompareConfig


@pytest.fixture
def small(small_agent, tmp_path):
  """A comparison of five points of five updates each."""
  return CompareConfig(
    bonuses=("none", "byol_explore"),
    envs=("deep_sea?size=4",),
    steps=5 * 5 * small_agent.unroll_length * small_agent.batch_size,
    seeds=2,
    out=str(tmp_path / "compared"),
    weights=(0.5, 0.01),
    curve_points=5,
    checkpoint_rows=1,
    eval_episodes=8,
    films=False,
    agent=small_agent,
  )
