"""Replays of finished agents, and what is measured on them, against slow versions."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.agent import Agent, Probe, registry
from agents.trajectory import DataSpec
from envs import make
from envs.auto_reset import AutoReset
from envs.capabilities import Oracle, Places
from envs.environment import Environment, restart, transition
from experiments.compare import discovery, instruments
from experiments.compare.instruments import Replay
from experiments.runtimes import on_device

LENGTH = 5


class WalkState(NamedTuple):
  at: jax.Array
  steps: jax.Array


class Walk(Environment):
  """A ring of 7 places, from a random one; action 1 goes on by one. An object two places ahead."""

  max_episode_steps = LENGTH

  def _observe(self, state):
    return state.at[None].astype(jnp.float32)

  def reset(self, key):
    state = WalkState(jax.random.randint(key, (), 0, 7, jnp.int32), jnp.int32(0))
    return state, restart(self._observe(state))

  def step(self, state, action):
    state = WalkState((state.at + action) % 7, state.steps + 1)
    return state, transition(self._observe(state), 0.0, False, state.steps >= LENGTH)

  def observation_spec(self):
    return specs.Array((1,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2, np.int32)

  def places(self):
    return Places(1, 7, np.ones(7, bool), np.full(7, -1, np.int32))

  def oracle(self, state):
    return Oracle(state.at, ((state.at + 2) % 7)[None], state.at == 3)


def walker():
  """An agent that goes on at every other step of its own memory; its bonus is where it arrives."""

  def act(variables, memory, timestep, key, explore):
    memory = jnp.where(timestep.first(), 0, memory + 1)
    return memory % 2, (), memory

  def intrinsic(state, trajectory, key):
    return jnp.where(trajectory.mask, trajectory.oracle.place[1:], 0).astype(jnp.float32)

  return Agent(
    init=lambda key: jnp.int32(0),
    initial_memory=lambda batch: jnp.zeros((batch,), jnp.int32),
    act=act,
    learn=lambda state, trajectory, key: (state, {}),
    variables=lambda state: state,
    data=DataSpec(8, 3),
    probe=Probe(
      diagnose=lambda state, trajectory: {},
      intrinsic=intrinsic,
      beliefs=lambda state, trajectory: trajectory.observation,
    ),
  )


@pytest.fixture(scope="module")
def replay():
  env, agent = Walk(), walker()
  runtime = on_device.build(env, agent, 1, jax.local_devices()[:1])
  carry = jax.tree.map(lambda x: x[0], runtime.init(jax.random.split(jax.random.key(0), 1)))
  return jax.device_get(instruments.player(env, agent)(carry, jax.random.key(1)))


def test_a_replay_is_one_stretch_of_whole_episodes_from_their_beginning(replay):
  assert replay.bonus.shape == (504, 3)
  for place, real, bonus in zip(replay.oracle.place.T, replay.mask.T, replay.bonus.T, strict=True):
    begins = None
    for t in range(len(place)):
      in_episode = t % (LENGTH + 1)
      assert real[t] == (in_episode < LENGTH)
      if not real[t]:
        begins = place[t]
        assert bonus[t] == 0
      else:
        # After t + 1 actions of an episode, 0 1 0 1 0, so many steps on.
        ahead = (in_episode + 1) // 2
        if begins is not None:
          assert place[t] == (begins + ahead) % 7
        assert bonus[t] == place[t]


def test_the_start_is_where_nothing_was_done_yet(replay):
  # The first action of an episode stays, the second goes on.
  np.testing.assert_array_equal(replay.start, replay.oracle.place[0])
  np.testing.assert_array_equal((replay.start + 1) % 7, replay.oracle.place[1])


def test_what_is_seen_on_arriving_goes_with_the_transition(replay):
  np.testing.assert_array_equal(replay.beliefs[..., 0], replay.oracle.place)
  np.testing.assert_array_equal(replay.oracle.near_noise, replay.oracle.place == 3)
  np.testing.assert_array_equal(replay.oracle.objects[..., 0], (replay.oracle.place + 2) % 7)


def test_measures_of_a_replay_against_loops(replay):
  places, visits = Walk().places(), np.array([50, 3, 0, 2, 40, 30, 20])
  row = instruments.measure(replay, visits, places)
  novel = {2, 3, 1}  # 0 + 2 + 3 of 145 visits; 20 more would be above a tenth
  paid = {True: [], False: []}
  for t in range(504):
    for b in range(3):
      if replay.mask[t, b]:
        paid[int(replay.oracle.place[t, b]) in novel].append(float(replay.bonus[t, b]))
  assert row["bonus_novel"] == pytest.approx(np.mean(paid[True]))
  assert row["bonus_familiar"] == pytest.approx(np.mean(paid[False]))
  assert row["near_noise"] == pytest.approx(np.mean(replay.oracle.place == 3))
  assert row["trajectory"]["place"] == replay.oracle.place[:, 0].tolist()
  assert row["trajectory"]["bonus"] == replay.bonus[:, 0].tolist()
  assert row["trajectory"]["real"] == ([True] * 5 + [False]) * 84
  # The walker stays, goes on, stays, goes on, stays, and is then put elsewhere.
  assert row["trajectory"]["first"] == [False, True, False, True, False, False] * 84


def test_a_place_is_new_only_where_its_episode_has_not_been():
  # From 4: to 5, back, to 6; a new episode at 5, where that one has been from its start; 4 again.
  place, real = np.array([5, 4, 6, 5, 5, 4, 6, 4]), np.array([1, 1, 1, 0, 1, 1, 1, 1], bool)
  expected = [True, False, True, False, False, True, True, False]
  assert instruments.firsts(4, place, real) == expected


def test_novel_places_are_the_rarest_that_can_be_reached():
  reachable = np.array([1, 1, 1, 0], bool)
  places = Places(1, 4, reachable, np.full(4, -1, np.int32))
  found = instruments.novel_places(np.array([95, 0, 5, 0]), places)
  assert found.tolist() == [False, True, True, False]
  found = instruments.novel_places(np.array([80, 9, 11, 0]), places)
  assert found.tolist() == [False, True, False, False]


def test_without_places_there_is_the_bonus_alone():
  replay = Replay(np.ones((4, 2), np.float32), np.ones((4, 2), bool), (), (), ())
  assert instruments.measure(replay, None, None) == {
    "trajectory": {"bonus": [1.0] * 4, "real": [True] * 4},
    "bonus_familiar": None,
    "bonus_novel": None,
  }


def test_beliefs_of_a_trajectory_are_those_that_acting_had(small_agent):
  env = make("deep_sea", size=4)
  agent = registry.get("byol_explore").build(small_agent, env)
  runtime = on_device.build(env, agent, 1, jax.local_devices()[:1])
  carry = jax.tree.map(lambda x: x[0], runtime.init(jax.random.split(jax.random.key(0), 1)))
  play = jax.jit(functools.partial(on_device.unroll, AutoReset(env), agent))
  after, trajectory, _ = play(agent.variables(carry.learner), carry)
  beliefs = jax.jit(agent.probe.beliefs)(carry.learner, trajectory)
  assert beliefs.shape == (small_agent.unroll_length + 1, small_agent.batch_size, 8)
  np.testing.assert_allclose(beliefs[-2], after.memory.core, atol=1e-5)


@pytest.fixture
def objects():
  """Places of two objects, uniform over 6 of 9, [T, B, N]."""
  return np.random.default_rng(0).integers(0, 6, (40, 16, 2)).astype(np.int32)


def test_beliefs_that_hold_the_objects_discover_them(objects):
  beliefs = np.eye(9, dtype=np.float32)[objects].reshape(40, 16, -1)
  assert discovery.loss(beliefs, objects, 9, jax.random.key(0)) < 0.02


def test_empty_beliefs_cost_the_entropy_of_the_places(objects):
  loss = discovery.loss(np.zeros((40, 16, 3), np.float32), objects, 9, jax.random.key(0))
  assert loss == pytest.approx(np.log(6), abs=0.05)


def test_it_is_scored_on_environments_that_it_was_not_trained_on(objects):
  """The belief names the environment, whose objects stand still: nothing that carries over."""
  still = np.broadcast_to(objects[:1], objects.shape)
  beliefs = np.broadcast_to(np.eye(16, dtype=np.float32), (40, 16, 16))
  assert discovery.loss(beliefs, still, 9, jax.random.key(0)) > np.log(6)


def test_there_is_nothing_to_discover_without_objects(objects):
  assert discovery.loss(np.zeros((40, 16, 3)), objects[..., :0], 9, jax.random.key(0)) is None
  assert discovery.loss(np.zeros((40, 1, 3)), objects[:, :1], 9, jax.random.key(0)) is None
