"""What a finished cell leaves: the probes of its latents."""

import types

import jax
import jax.numpy as jnp
import pytest

from agents.agent import Agent
from agents.trajectory import DataSpec
from envs import make
from experiments.compare import results
from experiments.evaluation import probe_data, probes


def seer():
  """An agent that sees what its learner state, 0 or 1, lets through, and always does the same."""

  def act(variables, memory, timestep, key, explore):
    return jnp.zeros_like(timestep.step_type), (), memory

  return Agent(
    init=lambda key: jnp.float32(0.0),
    initial_memory=lambda batch: (),
    act=act,
    learn=lambda state, trajectory, key: (state, {}),
    variables=lambda state: state,
    data=DataSpec(4, 2),
    encode=lambda state, observation: state * observation.reshape(*observation.shape[:-2], -1),
  )


@pytest.fixture
def cell(monkeypatch):
  """An experiment of two seeds in a world that tells its places, and their learner states."""
  monkeypatch.setattr(results, "PROBE_EPISODES", 64)
  monkeypatch.setattr(probes, "ITERATIONS", 10)
  experiment = types.SimpleNamespace(env=make("deep_sea", size=4), agent=seer())
  return experiment, types.SimpleNamespace(learner=jnp.array([1.0, 0.0]))


def test_each_seed_is_probed_by_its_own_latents_beside_untrained_ones(cell):
  sees, blind = results.with_probes([{"seed": 7}, {"seed": 8}], *cell)
  assert (sees["seed"], blind["seed"]) == (7, 8)
  assert list(sees["probes"]) == ["place"]
  known, unknown = sees["probes"]["place"], blind["probes"]["place"]
  assert known["all"] == known["rare"] == 1.0
  assert len(known["by_rank"]) == known["classes"] > 2
  assert unknown["all"] == known["untrained"] == pytest.approx(known["chance"])


def test_a_cell_without_latents_or_places_is_left_as_it_is(cell):
  experiment, state = cell
  rows = [{"seed": 7}]
  blind = types.SimpleNamespace(env=experiment.env, agent=seer()._replace(encode=None))
  assert results.with_probes(rows, blind, state) == rows
  nowhere = types.SimpleNamespace(env=make("cartpole"), agent=seer())
  assert results.with_probes(rows, nowhere, state) == rows


def test_chance_acts_where_it_is_to_play_and_the_agent_where_not(cell):
  experiment, _ = cell
  learner = jnp.float32(1.0)
  for at_random in (False, True):
    play = probe_data.player(experiment.env, experiment.agent, 64, at_random)
    moved = len(set(play(learner, learner, jax.random.key(0)).place.ravel().tolist()))
    assert (moved > 4) == at_random
