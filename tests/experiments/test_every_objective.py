"""Every objective and every agent learns in every runtime, or is refused by one line."""

import math

import pytest

from agents import agent as agents
from experiments import train
from experiments.errors import UserError
from tests.experiments.experience.conftest import needs_flashbax
from tests.experiments.runs_of_everything import OBJECTIVES, ON_POLICY, UPDATES, small

AGENTS = agents.registry.names()


def updates_of(config, monkeypatch=None):
  """Runs to the end; the last row, the updates done, and the losses."""
  experiment = train.build(config)
  state = experiment.loop.init()
  rows, done = [], 0
  for progress in experiment.loop.train(state, lambda: False):
    rows += progress.rows
    done = progress.updates
  return rows, done


def check(config):
  rows, done = updates_of(config)
  assert done >= UPDATES
  learned = [row for row in rows if "loss" in row]
  assert learned
  assert all(math.isfinite(row["loss"]) for row in learned)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("runtime", ["on_device", "actor_learner"])
def test_every_objective_learns_in_order(objective, runtime):
  check(small("byol_explore", objective, runtime, replay=False))


@needs_flashbax
@pytest.mark.parametrize("objective", [name for name in OBJECTIVES if name not in ON_POLICY])
@pytest.mark.parametrize("runtime", ["on_device", "actor_learner"])
def test_objectives_off_policy_learn_from_a_replay(objective, runtime):
  check(small("byol_explore", objective, runtime, replay=True))


@needs_flashbax
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("runtime", ["on_device", "actor_learner"])
def test_every_agent_learns_with_its_own_objective(agent, runtime):
  replays = agents.registry.get(agent).config().objective not in ON_POLICY
  check(small(agent, runtime=runtime, replay=replays))


@pytest.mark.parametrize("objective", ON_POLICY)
def test_an_objective_on_policy_refuses_a_replay(objective):
  with pytest.raises(
    UserError, match=f"objective '{objective}' is on policy; give replay_capacity 0"
  ):
    train.build(small("byol_explore", objective, replay=True))
