"""A world of specs alone, and trajectories through it, for the tests of single bonuses."""

import types

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.bonuses import Context, Outputs
from agents.torsos import torso as torsos
from agents.trajectory import Trajectory
from envs.environment import FIRST, LAST, MID

SIZE, LATENT, ACTIONS = 3, 5, 2
KEY = jax.random.key(0)


def context(places=None):
  env = types.SimpleNamespace(
    observation_spec=lambda: specs.Array((SIZE,), np.float32),
    action_spec=lambda: specs.DiscreteArray(ACTIONS),
    **({} if places is None else {"places": lambda: places}),
  )
  return Context(env, torsos.registry.choice("mlp"), LATENT, belief_size=4, discount=0.9, horizon=2)


def outputs(rng, trajectory):
  """Random latents; nothing else is read."""
  lead = trajectory.reward.shape
  latents = jnp.asarray(rng.normal(size=(*lead, LATENT)), jnp.float32)
  return Outputs(beliefs=None, latents=latents, forecasts=None)


def walk(observations, lengths, memory=()):
  """One environment that shows `observations` [T+1, SIZE] in episodes of these lengths."""
  types_ = np.concatenate([[FIRST, *[MID] * (n - 2), LAST] for n in lengths])
  types_ = types_[: len(observations), None].astype(np.int32)
  return Trajectory(
    observation=jnp.asarray(observations, jnp.float32)[:, None],
    action=jnp.zeros(types_.shape, jnp.int32),
    reward=jnp.zeros(types_.shape, jnp.float32),
    discount=jnp.ones(types_.shape, jnp.float32),
    step_type=jnp.asarray(types_),
    extras={},
    memory=types.SimpleNamespace(bonus=memory),
  )


def starting(trajectory, memory):
  """The trajectory with this episodic memory at its start."""
  return trajectory._replace(memory=types.SimpleNamespace(bonus=memory))


def remember(bonus, params, statistics, memory, trajectory, steps):
  """The memory after the first `steps` observations, taken in one by one, as while acting."""
  step = jax.jit(bonus.remember)
  for t in range(steps):
    memory = step(params, statistics, memory, trajectory.observation[t], trajectory.first[t])
  return memory


def part(trajectory, start, stop, memory):
  """Entries `start` to `stop` of a trajectory, that one included."""
  cut = jax.tree.map(lambda x: x[start : stop + 1], trajectory._replace(memory=None))
  return starting(cut, memory)


def reward_of(bonus, jitted):
  """`bonus.reward` with its trajectory's memory as an argument of its own, for jit."""

  def reward(params, statistics, memory, trajectory, seen, key):
    return bonus.reward(params, statistics, starting(trajectory, memory), seen, key)

  compiled = jax.jit(reward) if jitted else reward

  def call(params, statistics, trajectory, seen=None, key=KEY):
    bare = trajectory._replace(memory=None)
    return compiled(params, statistics, trajectory.memory.bonus, bare, seen, key)

  return call
