"""Observations normalised over time: the moments, where they are read, and where they are kept."""

import dataclasses

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

import envs
from agents import (
  bonuses,
  byol_explore,
  objectives,
  observation_normaliser,
  reach,
  sac,
  soft_q,
)
from agents.agent import registry
from agents.observation_normaliser import normalise
from agents.replay import ReplayConfig
from agents.trajectory import Trajectory
from envs.environment import FIRST, MID
from envs.host.host import Host

LENGTH, BATCH = 6, 4
PENDULUM = envs.make("pendulum")
CARTPOLE = envs.make("cartpole")
MAZE = envs.make("goals/u_maze", free=True)


def small(config, **settings):
  """Settings of an agent that compiles in seconds and normalises."""
  settings = {
    "head_hidden": 8,
    "unroll_length": LENGTH,
    "batch_size": BATCH,
    "normalise_observations": "yes",
    "world_model": dataclasses.replace(
      config().world_model, latent_size=8, core_size=8, predictor_hidden=8, horizon=2
    ),
  } | settings
  for name, methods in (("bonus", bonuses), ("objective", objectives)):
    if name in settings:
      settings[name] = methods.registry.choice(settings[name])
  return dataclasses.replace(config(), **settings)


def cut(observation, index):
  return jax.tree.map(lambda x: x[index], observation)


def batches(agent, env, count, scale=1.0, seed=0):
  """Trajectories of one stream: each begins with the observation that ended the one before."""
  rng = np.random.default_rng(seed)
  lead = (count * LENGTH + 1, BATCH)
  seen = jax.tree.map(
    lambda leaf: rng.normal(3.0, 2.0, (*lead, *leaf.shape)).astype(np.float32) * scale,
    env.observation_spec(),
  )
  _, extras, _ = agent.act(
    agent.variables(agent.init(jax.random.key(0))),
    agent.initial_memory(BATCH),
    dm_env.TimeStep(jnp.full(BATCH, FIRST), jnp.zeros(BATCH), jnp.ones(BATCH), cut(seen, 0)),
    jax.random.key(1),
    True,
  )
  actions = np.zeros((LENGTH + 1, BATCH, *env.action_spec().shape), env.action_spec().dtype)
  for n in range(count):
    types = np.full((LENGTH + 1, BATCH), MID, np.int32)
    types[0] = FIRST
    yield Trajectory(
      observation=jax.tree.map(jnp.asarray, cut(seen, slice(n * LENGTH, (n + 1) * LENGTH + 1))),
      action=jnp.asarray(actions),
      reward=jnp.asarray(rng.normal(size=types.shape), jnp.float32),
      discount=jnp.ones(types.shape, jnp.float32),
      step_type=jnp.asarray(types),
      extras=jax.tree.map(lambda x: jnp.broadcast_to(x, (LENGTH + 1, *x.shape)), extras),
      memory=agent.initial_memory(BATCH),
      probability=jnp.ones(BATCH),
    )


def learned(agent, learn, env, count=3, scale=1.0):
  """The learner state after some batches, and all that they held but the very first."""
  state, seen = agent.init(jax.random.key(0)), []
  for n, trajectory in enumerate(batches(agent, env, count, scale)):
    state = learn(state, trajectory, jax.random.key(n)).state
    seen.append(cut(trajectory.observation, slice(1, None)))
  return state, jax.tree.map(lambda *x: np.concatenate(x).reshape(-1, *x[0].shape[2:]), *seen)


KINDS = {
  "byol_explore": (byol_explore.ByolExploreConfig, CARTPOLE, {"bonus": "rnd"}),
  "ppo": (byol_explore.ByolExploreConfig, CARTPOLE, {"objective": "ppo", "share_encoder": False}),
  "soft_q": (soft_q.SoftQConfig, CARTPOLE, {"bonus": "ngu"}),
  "sac": (sac.SACAgentConfig, PENDULUM, {}),
  "reach": (reach.ReachConfig, MAZE, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_and_done_is_the_same_in_any_unit(kind):
  config, env, settings = KINDS[kind]
  if kind == "reach":
    goals = dataclasses.replace(config().goals, goal_capacity=8, walks_kept=8, walk_pairs=16)
    settings = {"goals": dataclasses.replace(goals, goal_refresh_updates=2), "replay": replay()}
  agent = registry.get("byol_explore" if kind == "ppo" else kind).build(
    small(config, **settings), env
  )

  learn = jax.jit(agent.learn)

  def outcome(scale):
    state, seen = learned(agent, learn, env, scale=scale)
    step = dm_env.TimeStep(
      jnp.full(BATCH, MID), jnp.zeros(BATCH), jnp.ones(BATCH), cut(seen, slice(BATCH))
    )
    action, extras, _ = agent.act(
      agent.variables(state), agent.initial_memory(BATCH), step, jax.random.key(7), True
    )
    own = (state.inner.params, state.reach) if kind == "reach" else state.params
    return own, action, extras["policy"] if kind != "reach" else extras

  for x, y in zip(*(jax.tree.leaves(outcome(scale)) for scale in (1.0, 1024.0)), strict=True):
    np.testing.assert_array_equal(x, y)


def replay():
  return ReplayConfig(replay_capacity=40, replay_environments=4, priority_exponent=0.0)


@pytest.fixture(scope="module")
def twins():
  """An agent that normalises, another that does not, a state of the first after three batches, and
  what it learned from."""
  config = small(byol_explore.ByolExploreConfig)
  agent = byol_explore.build(config, CARTPOLE)
  plain = byol_explore.build(dataclasses.replace(config, normalise_observations="no"), CARTPOLE)
  return agent, plain, *learned(agent, jax.jit(agent.learn), CARTPOLE)


def test_moments_are_those_of_all_that_was_learned_from_shared_entries_counted_once(twins):
  _, _, state, seen = twins
  np.testing.assert_allclose(state.observation_moments.mean, seen.mean(axis=0), rtol=1e-5)
  np.testing.assert_allclose(state.observation_moments.variance, seen.var(axis=0), rtol=1e-5)
  assert state.observation_moments.seen == 3 * LENGTH * BATCH


@pytest.mark.parametrize("name", ["intrinsic", "beliefs", "heads", "gradient", "diagnose"])
def test_all_that_reads_a_trajectory_reads_it_normalised(twins, name):
  agent, plain, state, _ = twins
  trajectory = next(batches(agent, CARTPOLE, 1, seed=5))
  keys = [jax.random.key(3)] if name in ("intrinsic", "gradient") else []
  read = normalise(state.observation_moments, trajectory.observation)
  a = jax.jit(getattr(agent.probe, name))(state, trajectory, *keys)
  bare = state._replace(observation_moments=())
  b = jax.jit(getattr(plain.probe, name))(bare, trajectory._replace(observation=read), *keys)
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-5)


def test_what_acts_reads_the_moments_that_came_with_its_parameters(twins):
  agent, plain, state, _ = twins
  seen = next(batches(agent, CARTPOLE, 1, seed=5)).observation[0]
  step = dm_env.TimeStep(jnp.full(BATCH, MID), jnp.zeros(BATCH), jnp.ones(BATCH), seen)
  read = step._replace(observation=normalise(state.observation_moments, seen))
  rest = agent.initial_memory(BATCH), jax.random.key(2)
  for explore in (True, False):
    a = agent.act(agent.variables(state), rest[0], step, rest[1], explore)
    bare = state._replace(observation_moments=())
    b = plain.act(plain.variables(bare), rest[0], read, rest[1], explore)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
      np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
  ("unit", "offset"), [(1.0, 0.0), (1e4, 0.0), (1e-3, 0.0), (1e-9, 0.0), (1.0, 1e3), (1.0, 1e5)]
)
def test_three_cues_are_as_far_apart_in_any_unit_and_at_any_offset(unit, offset):
  moments = observation_normaliser.init(CARTPOLE)
  cues = np.random.default_rng(0).integers(3, size=(5, 60, 2))
  seen = (np.eye(4)[cues] * unit + offset).astype(np.float32)
  for batch in seen:
    moments = observation_normaliser.running_moments.update(moments, jnp.asarray(batch))
  want = (np.eye(4)[cues] - np.eye(4)[cues].mean(axis=(0, 1, 2))) / np.maximum(
    np.eye(4)[cues].std(axis=(0, 1, 2)), 1e-9
  )
  np.testing.assert_allclose(normalise(moments, jnp.asarray(seen)), want, atol=0.02)


def test_what_never_changed_becomes_0_and_what_is_far_off_is_clipped():
  moments = observation_normaliser.init(CARTPOLE)
  seen = jnp.asarray([[1000.1, 0.0, -1.0, 5.0], [1000.1, 0.0, 1.0, 7.0]] * 50)
  for _ in range(3):
    moments = observation_normaliser.running_moments.update(moments, seen)
  np.testing.assert_array_equal(normalise(moments, seen)[:, :2], 0.0)
  assert normalise(moments, jnp.asarray([0.0, 0.0, 900.0, -900.0])).tolist()[2:] == [10.0, -10.0]


def test_before_anything_is_learned_every_observation_is_0():
  moments = observation_normaliser.init(CARTPOLE)
  np.testing.assert_array_equal(normalise(moments, jnp.asarray([1e9, -1e-9, 0.0, 1.0])), 0.0)


class Seeing(dm_env.Environment):
  """An environment with observations of a spec, which is all that is asked of it."""

  def __init__(self, spec):
    self._spec = spec

  def observation_spec(self):
    return self._spec

  def action_spec(self):
    return specs.DiscreteArray(2)

  def reset(self):
    raise NotImplementedError

  def step(self, action):
    raise NotImplementedError


def host(spec):
  return Host(lambda seed: Seeing(spec))


UNBOUNDED = specs.Array((3,), np.float64)
ONE_SIDE = specs.BoundedArray((3,), np.float32, [-1, -1, -np.inf], [1, 1, 1])
WIDE = specs.BoundedArray((3,), np.float32, 0, 255)
NUMBERS = specs.BoundedArray((3,), np.int64, 0, 10_000)
NARROW = specs.BoundedArray((3,), np.float32, -10, 10)
PIXELS = specs.BoundedArray((8, 8, 3), np.uint8, 0, 255)
CATEGORIES = specs.BoundedArray((3,), np.int64, 0, 200)


@pytest.mark.parametrize("spec", [UNBOUNDED, ONE_SIDE, WIDE, NUMBERS])
def test_auto_normalises_floats_of_unbounded_and_wide_spaces_on_the_host(spec):
  assert observation_normaliser.applies("auto", host(spec))
  assert not observation_normaliser.applies("no", host(spec))


@pytest.mark.parametrize("env", [host(NARROW), host(PIXELS), host(CATEGORIES), PENDULUM])
def test_auto_leaves_all_else_alone_and_adds_nothing_to_the_state(env):
  assert not observation_normaliser.applies("auto", env)
  config = small(byol_explore.ByolExploreConfig, normalise_observations="auto")
  state = jax.eval_shape(byol_explore.build(config, env).init, jax.random.key(0))
  assert state.observation_moments == ()


@pytest.mark.parametrize("env", [host(PIXELS), host(CATEGORIES)])
def test_normalising_what_is_no_float_is_refused(env):
  with pytest.raises(ValueError, match=r"normalise_observations is yes.*give auto or no"):
    byol_explore.build(small(byol_explore.ByolExploreConfig), env)


def test_a_view_and_a_goal_share_their_moments():
  moments = observation_normaliser.init(MAZE)
  drawn = np.random.default_rng(0).normal(size=(2, 10, 4, *MAZE.view_spec().shape))
  observation = dict(zip(("view", "goal"), jnp.asarray(drawn, jnp.float32), strict=True))
  moments = observation_normaliser.update(moments, observation)
  views = drawn[:, 1:].reshape(-1, *MAZE.view_spec().shape)
  np.testing.assert_allclose(moments.mean, views.mean(axis=0), atol=1e-5)
  assert moments.seen == 9 * 4 * 2
  read = normalise(moments, observation)
  np.testing.assert_allclose(read["goal"], normalise(moments, observation["goal"]), rtol=1e-6)
