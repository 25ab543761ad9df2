"""Optimisers whose state is more than moments, and plans that are kept: a resumed run goes on to
the bit."""

import dataclasses

import jax
import numpy as np
import pytest

from agents import planners
from agents.optimisers import optimiser as optimisers
from experiments.acting import rollout
from experiments.runs import experiment as train
from tests.experiments.runs_of_everything import plain
from tests.experiments.test_normalised_runs import trained


@pytest.mark.parametrize("name", ["cdat", "schedule_free"])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(name, tmp_path, monkeypatch):
  monkeypatch.setattr(rollout, "split_player", lambda *_: lambda *_: {})
  config = plain("none")
  agent = dataclasses.replace(config.agent, optimiser=optimisers.registry.choice(name))
  experiment = train.build(dataclasses.replace(config, agent=agent))
  whole = trained(experiment, tmp_path / "whole", 4)
  parts = trained(experiment, tmp_path / "parts", 2, 4)
  for x, y in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
    np.testing.assert_array_equal(x, y)
  assert all(np.any(x) for x in jax.tree.leaves(whole.optimiser) if x.dtype == np.int32)


def test_a_resumed_run_that_plans_equals_an_uninterrupted_one_to_the_bit(tmp_path, monkeypatch):
  """What cem remembers of its last plan is kept as well."""
  monkeypatch.setattr(rollout, "split_player", lambda *_: lambda *_: {})
  config = plain("muzero")
  plans = planners.registry.choice("cem", iterations=1, samples=4, elites=2, policy_plans=1)
  agent = dataclasses.replace(config.agent, planner=plans)
  experiment = train.build(dataclasses.replace(config, agent=agent, env="pendulum", env_args=()))
  whole = trained(experiment, tmp_path / "whole", 4)
  parts = trained(experiment, tmp_path / "parts", 2, 4)
  for x, y in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
    np.testing.assert_array_equal(x, y)
