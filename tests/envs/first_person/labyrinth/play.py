"""Plays single steps of the labyrinth's rules, from states put together by a test."""

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import USE
from envs.first_person.labyrinth import environment, looks, maps, table

SPLIT = environment.MAPS["train"]


def begin(name, k=0, seed=0):
  return environment._begin(jax.random.key(seed), jnp.int32(table.index(name)), jnp.int32(k))


def act(state, action=USE):
  return environment._step(SPLIT, state, jnp.int32(action))


def put(state, x, y, heading=0):
  pose = state.pose._replace(x=jnp.float32(x), y=jnp.float32(y), heading=jnp.int32(heading))
  return state._replace(pose=pose)


def touch(state, slot):
  """What happens when the agent stands where a thing is."""
  return act(put(state, state.things.x[slot], state.things.y[slot]))


def here(state):
  return float(state.pose.x), float(state.pose.y)


def row(name, k=0):
  return table.index(name) * maps.MAPS + k


def shape(state, slot):
  return looks.SHAPES[int(state.things.shape[slot])]


def slots(condition):
  return np.flatnonzero(np.asarray(condition)).tolist()
