"""One step of any task: the body, blocks, the hand, gates, the apple."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import body
from envs.first_person.hard_eight import blocks, hand, table, view
from envs.first_person.hard_eight.hand import Action
from envs.first_person.hard_eight.layouts import Bank
from envs.first_person.hard_eight.state import NOTHING, State, row_of, task_of

YAW, PITCH, HIGHEST = (np.float32(np.deg2rad(degrees)) for degrees in (12, 6, 35))
"""Radians that a step turns by, tilts by, and the eye tilts at most."""
BEFORE, BESIDE = 0.35, 0.4
"""Cells from a plate's plane, and from its middle within the plane, at which a thing touches it."""
SINK = 0.2
"""Cells from the middle of a recess at which a block sinks into it."""


SUNK = 0.02
"""Cells that a sunk block still reaches above the floor."""


class Outcome(NamedTuple):
  """What a step leads to: rewards are float32, ends bool."""

  state: State
  reward: jax.Array
  terminated: jax.Array
  truncated: jax.Array


def read(action: jax.Array) -> Action:
  """The parts of an action, float32 [6], of which what is beyond [-1, 1] counts as these."""
  return Action(*jnp.clip(action, -1, 1))


def _walk(bank: Bank, state: State, action: Action) -> State:
  """Turns, tilts, pushes blocks and moves."""
  yaw = state.yaw + YAW * action.yaw
  yaw = jnp.where(yaw > np.pi, yaw - 2 * np.pi, jnp.where(yaw < -np.pi, yaw + 2 * np.pi, yaw))
  pitch = jnp.clip(state.pitch + PITCH * action.pitch, -HIGHEST, HIGHEST)
  state = state._replace(yaw=yaw, pitch=pitch)
  cos, sin = jnp.cos(yaw), jnp.sin(yaw)
  by_x = body.SPEED * (action.move * cos - action.strafe * sin)
  by_y = body.SPEED * (action.move * sin + action.strafe * cos)
  state = blocks.push(view.geometry(bank, state), state, by_x, by_y)
  scene = view.geometry(bank, state)
  x, y, ground = body.move(scene, state.x, state.y, state.ground, by_x, by_y)
  moved = jnp.stack([x - state.x, y - state.y])
  change = (moved - state.moved) / body.SPEED
  acceleration = jnp.stack([change[1] * cos - change[0] * sin, change[0] * cos + change[1] * sin])
  return state._replace(
    x=x, y=y, ground=ground, moved=moved, acceleration=jnp.clip(acceleration / 2, -1, 1)
  )


def touching(bank: Bank, state: State) -> jax.Array:
  """Which things touch the plate of which gate, bool [K, G]."""
  row, level = row_of(state), task_of(state.task)
  touch, normal = jnp.asarray(bank.touch)[row], jnp.asarray(bank.normal)[row]
  away = view.middles(state)[:, None] - touch
  before = (away[..., :2] * normal).sum(-1)
  across = jnp.sqrt(jnp.maximum((away**2).sum(-1) - before**2, 0))
  near = (jnp.abs(before) <= BEFORE) & (across <= BESIDE)
  matches = (state.colour == state.colour[0])[:, None] | ~level.match
  return near & matches & hand.liftable(state)[:, None]


def _gates(bank: Bank, state: State) -> State:
  level = task_of(state.task)
  touched = touching(bank, state).any(0)
  latch, hold = level.gate == table.LATCH, level.gate == table.HOLD
  opened = jnp.where(hold, touched, state.opened | (latch & touched))
  return _sink(bank, state._replace(opened=opened))


def _sink(bank: Bank, state: State) -> State:
  """Blocks sink into recesses, one into each; that of its colour opens the gate."""
  level = task_of(state.task)
  touch = jnp.asarray(bank.touch)[row_of(state)]
  off = jnp.linalg.norm((state.foot[:, None] - touch)[..., :2], axis=-1)
  sinks = (off <= SINK) & blocks.standing(state)[:, None]
  sinks &= (level.gate == table.RECESS) & ~state.filled
  opens = (sinks & (state.colour == state.colour[0])[:, None]).any(0)
  sunk = jnp.where(sinks.any(1), SUNK - level.size, state.foot[:, 2])
  return state._replace(
    foot=state.foot.at[:, 2].set(sunk),
    opened=state.opened | opens,
    filled=state.filled | sinks.any(0),
  )


def _is_stacked(state: State) -> jax.Array:
  """Whether a cube lies on another."""
  cube = task_of(state.task).kind == table.CUBE
  lies = jnp.arange(table.THINGS) != state.held
  return (cube & lies & (state.foot[:, 2] > 0)).any()


def step(bank: Bank, state: State, action: jax.Array) -> Outcome:
  """Plays an action, float32 [6]; see `hand.Action`."""
  parts = read(action)
  before = state.foot[0]
  state = _walk(bank, state, parts)
  pushed = (state.foot[0] != before).any()
  state = hand.use(bank, state, parts)
  state = _gates(bank, state)
  apple = jnp.asarray(bank.apple)[row_of(state)]
  ate = body.touches(state.x, state.y, apple[None])[0]
  reward = ate.astype(jnp.float32)
  lifted, stacked = state.held != NOTHING, _is_stacked(state)
  events = jnp.stack([lifted, stacked, pushed, state.opened.any(), ate])
  level = task_of(state.task)
  reached = state.reached | ((level.link >= 0) & events[level.link])
  state = state._replace(reached=reached, reward=reward, steps=state.steps + 1)
  return Outcome(state, reward, ate, state.steps >= level.steps)
