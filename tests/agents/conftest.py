"""Random trajectories of many short episodes, for the tests of agents."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.trajectory import Trajectory
from envs.environment import FIRST, LAST, MID


def random_step_types(rng, length, batch, end=0.35):
  """Step types int32 [T+1, B]: chunks that begin anywhere in an episode, with random ends."""
  types = np.zeros((length + 1, batch), np.int32)
  for b in range(batch):
    types[0, b] = rng.choice([FIRST, MID, LAST])
    for t in range(1, length + 1):
      if types[t - 1, b] == LAST:
        types[t, b] = FIRST
      else:
        types[t, b] = LAST if rng.random() < end else MID
  return types


def random_trajectory(rng, length, batch, size=3, actions=2, memory=None):
  """A trajectory [T+1, B] of random floats; half of the ends are truncations."""
  types = random_step_types(rng, length, batch)
  ends = rng.integers(0, 2, types.shape).astype(np.float32)
  shape = types.shape
  action = jnp.asarray(rng.integers(0, actions, shape), jnp.int32)
  logits = jnp.asarray(rng.normal(size=(*shape, actions)), jnp.float32)
  return Trajectory(
    observation=jnp.asarray(rng.uniform(-1, 1, (*shape, size)), jnp.float32),
    action=action,
    reward=jnp.asarray(np.where(types == FIRST, 0.0, rng.normal(size=shape)), jnp.float32),
    discount=jnp.asarray(np.where(types == LAST, ends, 1.0), jnp.float32),
    step_type=jnp.asarray(types),
    extras={"policy": logits, "sample": action},
    memory=memory,
  )


@pytest.fixture(scope="session")
def make_step_types():
  return random_step_types


@pytest.fixture(scope="session")
def make_trajectory():
  return random_trajectory


@pytest.fixture(scope="session")
def quick_jit():
  """jax.jit that spends little on optimising programs which run but once."""
  return functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
