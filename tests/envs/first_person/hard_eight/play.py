"""Plays the hard eight by hand: one step program for every task."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.hard_eight import rules
from envs.first_person.hard_eight.maps import MAPS, bank_of, map_of
from envs.first_person.hard_eight.state import begin
from envs.first_person.hard_eight.tasks import every

TASKS = every()
NAMES = [task.name for task in TASKS]
BANK = bank_of(TASKS)
CLOSED, OPEN = [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, -1]
AHEAD, BACK = [1, 0, 0, 0, 0, -1], [-1, 0, 0, 0, 0, -1]
PUSH = [0, 0, 0, 0, 1, 1]


@jax.jit
def advance(state, action):
  return rules.step(map_of(BANK, state.row), state, action)


@jax.jit
def _begin(row, key):
  return begin(map_of(BANK, row), row, key)


@functools.cache
def started(name, k=0):
  """The beginning of an episode in map k of a task."""
  return _begin(jnp.int32(NAMES.index(name) * MAPS + k), jax.random.key(0))


def of(state):
  """The map of a state, in NumPy."""
  return type(BANK)(*(column[int(state.row)] for column in BANK))


def play(state, *actions):
  """The state after actions, and the last outcome."""
  for action in actions:
    outcome = advance(state, jnp.float32(action))
    state = outcome.state
  return state, outcome


def at(state, place, towards=None):
  """With the body at a place, which looks at another one."""
  x, y = np.asarray(place)[:2]
  yaw = state.yaw if towards is None else np.arctan2(towards[1] - y, towards[0] - x)
  return state._replace(x=jnp.float32(x), y=jnp.float32(y), yaw=jnp.float32(yaw))


def before_plate(state, away=1.2, gate=0):
  """With the body before a plate, to which it looks."""
  touch, normal = of(state).touch[gate], of(state).normal[gate]
  return at(state, touch[:2] + away * normal, touch)


def put(state, thing, foot):
  """With the foot of a thing at a place."""
  return state._replace(foot=state.foot.at[thing].set(jnp.float32(foot)))


def ahead(state, away):
  """The place (x, y) so far ahead of the body."""
  return np.array([state.x + away * np.cos(state.yaw), state.y + away * np.sin(state.yaw)])


def holding(state, thing=0, reach=0.6):
  """With a thing in the hand, so far ahead of the eye."""
  foot = [*ahead(state, reach), 0.5 - of(state).height[thing] / 2]
  return put(state, thing, foot)._replace(
    held=jnp.int32(thing), reach=jnp.float32(reach), distance=jnp.float32(reach)
  )


def on_plate(state, thing=0, gate=0):
  """With a thing that lies against a plate."""
  level = of(state)
  place = level.touch[gate].copy()
  place[:2] += level.normal[gate] * level.width[thing] / 2
  place[2] -= level.height[thing] / 2
  return put(state, thing, place)
