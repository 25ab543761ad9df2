"""Every objective, agent and auxiliary loss learns in every runtime, or is refused by one line."""

import dataclasses
import math

import pytest

from agents import agent as agents
from agents import planners
from experiments.acting import rollout
from experiments.runs import experiment as train
from experiments.runtimes import scoring
from experiments.settings.errors import UserError
from tests.experiments.experience.conftest import needs_flashbax
from tests.experiments.runs_of_everything import (
  OBJECTIVES,
  ON_POLICY,
  UPDATES,
  plain,
  small,
  with_auxiliaries,
  with_core,
  with_two_values,
)

AGENTS = ("byol_explore", "her", "reach")
"""The others are settings of `byol_explore`'s assembly, which each objective runs here."""
CORES = {"byol_explore": "transformer", "her": "lru", "reach": "gtrxl"}
"""Beside them `plain` has none, and all other tests of runtimes have recurrent ones."""


@pytest.fixture(autouse=True)
def unscored(monkeypatch):
  """Spares the compilation of evaluations, which the tests of each runtime have."""
  monkeypatch.setattr(rollout, "split_player", lambda *_: lambda *_: {})
  monkeypatch.setattr(scoring.Scorer, "__call__", lambda *_: {})


def check(config):
  """Runs to the end: all updates were done, and their losses are finite."""
  loop = train.build(config).loop
  steps = list(loop.train(loop.init(), lambda: False))
  learned = [row for step in steps for row in step.rows if "loss" in row]
  assert steps[-1].updates >= UPDATES
  assert len(learned) >= UPDATES
  assert all(math.isfinite(row["loss"]) for row in learned)


@pytest.mark.parametrize(
  ("objective", "runtime"),
  [*((name, "on_device") for name in ON_POLICY), *((name, "actor_learner") for name in OBJECTIVES)],
)
def test_every_objective_learns_in_order(objective, runtime):
  config = plain(objective, runtime)
  check(with_two_values(config) if runtime == "on_device" else config)


# Between actors and learner: cluster/test_every_objective.py, whose learner is the same.
@needs_flashbax
@pytest.mark.parametrize("objective", [name for name in OBJECTIVES if name not in ON_POLICY])
def test_objectives_off_policy_learn_from_a_replay(objective):
  check(with_two_values(plain(objective, "on_device", replay=True)))


@needs_flashbax
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("runtime", ["on_device", "actor_learner"])
def test_every_agent_learns_with_its_own_objective(agent, runtime):
  replays = agents.registry.get(agent).config().objective.name not in ON_POLICY
  config = small(agent, runtime=runtime, replay=replays)
  check(with_core(config, CORES[agent]))


@needs_flashbax
@pytest.mark.parametrize(("objective", "replay"), [("vmpo", False), ("soft_retrace", True)])
@pytest.mark.parametrize("runtime", ["on_device", "actor_learner"])
def test_a_planner_acts_in_every_runtime(objective, replay, runtime):
  config = plain(objective, runtime, replay)
  lookahead = planners.registry.choice("lookahead", depth=2)
  check(dataclasses.replace(config, agent=dataclasses.replace(config.agent, planner=lookahead)))


@needs_flashbax
def test_all_auxiliary_losses_at_once_learn_from_a_replay():
  check(with_auxiliaries("on_device", replay=True))


# As between the nodes of a cluster, see there: what differs is how labels and state get about.
def test_auxiliary_losses_with_labels_and_state_learn_beside_actors():
  check(with_auxiliaries("actor_learner", names=("classify", "infomin", "swav")))


@pytest.mark.parametrize("objective", ON_POLICY)
def test_an_objective_on_policy_refuses_a_replay(objective):
  with pytest.raises(
    UserError, match=f"objective '{objective}' is on policy; give replay_capacity 0"
  ):
    train.build(small("byol_explore", objective, replay=True))
