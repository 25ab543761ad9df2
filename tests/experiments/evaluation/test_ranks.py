"""Success by rank, against a world in which the rank alone decides."""

import json
import math
import types

import dm_env
import jax
import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest
from dm_env import specs

import envs
from envs.auto_reset import AutoReset
from envs.capabilities import HasRanks
from envs.environment import Environment, restart, transition
from experiments.evaluation import ranks
from experiments.settings.train import TrainConfig


class Ranked(Environment):
  """One step; of 4 kinds the first 2 succeed, of 3 sizes the first."""

  success_return, max_episode_steps = 0.5, 1

  def splits(self):
    return {"train": self, "uniform": self}

  def reset(self, key):
    state = jax.random.randint(key, (2,), 0, jnp.array([4, 3]))
    return state, restart(self.observe(state))

  def step(self, state, action):
    won = (state[0] < 2) & (state[1] < 1)
    return state, transition(self.observe(state), reward=won.astype(jnp.float32), terminated=True)

  def observe(self, state):
    return state.astype(jnp.float32)

  def observation_spec(self):
    return specs.Array((2,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2)

  def rank_names(self):
    return {"kind": 4, "size": 3}

  def ranks(self, state):
    return state


class Scored(Ranked):
  """No success: a return counts by where it stands between those of random and of good play."""

  success_return = math.inf

  def rank_names(self):
    return {"kind": 4}

  def ranks(self, state):
    return state[:1]

  def references(self):
    return np.array([[0.0, 1.0], [0.5, 2.5], [1.0, 2.0], [-1.0, 1.0]])


def experiment(env, **settings):
  """A run of an agent that always takes action 0."""

  def act(variables, memory, timestep, key, explore):
    return jnp.zeros(timestep.step_type.shape, jnp.int32), (), ()

  agent = types.SimpleNamespace(
    act=act,
    initial_memory=lambda batch: (),
    on_task=lambda x: x,
    stored=lambda x: x,
    with_state=None,
  )
  return types.SimpleNamespace(env=env, config=TrainConfig(**settings), agent=agent)


@pytest.fixture(scope="module")
def measured():
  return ranks.measure(experiment(Ranked(), seeds=2), {"w": jnp.zeros((2,))}, episodes=600)


def test_success_is_told_by_each_rank(measured):
  for name, ends in {"kind": [1 / 3, 1 / 3, 0, 0], "size": [1 / 2, 0, 0]}.items():
    assert measured.shares[name].shape == (2, len(ends))
    np.testing.assert_allclose(measured.shares[name], [ends, ends], atol=0.12)
    np.testing.assert_allclose(measured.random[name], ends, atol=0.12)


def test_success_of_each_pair_is_exact(measured):
  expected = np.zeros((4, 3))
  expected[:2, 0] = 1.0
  np.testing.assert_array_equal(measured.pairs, expected)


def test_a_rank_without_an_episode_is_unknown_and_stored_as_null():
  found = ranks.measure(experiment(Ranked()), {"w": jnp.zeros((1,))}, episodes=1)
  assert np.isnan(found.shares["kind"]).sum() == 3
  assert json.loads(json.dumps(found.to_json()))["kind"]["success"][0].count(None) == 3


def test_the_picture_has_a_panel_for_each_and_one_for_pairs(measured, tmp_path):
  ranks.write(tmp_path / "ranks.png", measured, "title")
  height, width, _ = matplotlib.image.imread(tmp_path / "ranks.png").shape
  assert width / height == pytest.approx(3 * 4.2 / 3.6, rel=0.01)


def test_without_success_a_return_is_scored_between_its_ranks_references():
  found = ranks.measure(experiment(Scored()), {"w": jnp.zeros((1,))}, episodes=600)
  assert found.what == "score"
  ends = [1 / 3, (1 / 3 - 0.5) / 2.0, -1.0, 0.5]  # returns are 1/3, 1/3, 0, 0 on average
  np.testing.assert_allclose(found.shares["kind"][0], ends, atol=0.12)
  assert found.to_json()["kind"]["score"][0][2:] == ends[2:]


def test_without_success_and_references_nothing_is_measured():
  env = Ranked()
  env.success_return = math.inf
  assert ranks.measure(experiment(env), {}) is None


def test_a_world_without_ranks_and_a_sweep_have_no_such_picture():
  assert ranks.measure(experiment(envs.make("deep_sea", size=4)), {}) is None
  swept = experiment(Ranked(), sweep=("learning_rate=1e-4,1e-3",))
  assert ranks.measure(swept, {}) is None


def test_the_gridworld_tells_its_ranks_also_through_a_wrapper():
  env = AutoReset(envs.make("zipf/gridworld-symbolic", split="rare"))
  assert isinstance(env, HasRanks)
  assert env.rank_names() == {"map": 20, "target": 20}
  state, _ = env.reset(jax.random.key(0))
  assert isinstance(env.step(state, jnp.int32(0))[1], dm_env.TimeStep)
  assert all(env.ranks(state) >= 16)
