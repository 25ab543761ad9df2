"""One step of any task: the body, blocks, the hand, gates, the apple."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import body
from envs.first_person.hard_eight import blocks, hand, kinds, view
from envs.first_person.hard_eight.hand import Action
from envs.first_person.hard_eight.maps import Bank
from envs.first_person.hard_eight.state import NOTHING, State

YAW, PITCH, HIGHEST = (np.float32(np.deg2rad(degrees)) for degrees in (12, 6, 35))
"""Radians that a step turns by, tilts by, and the eye tilts at most."""
BEFORE, BESIDE = 0.35, 0.4
"""Cells from a plate's plane, and from its middle within the plane, at which a thing touches it."""
SINK, SUNK = 0.2, 0.02
"""Cells from the middle of a recess at which a block sinks into it, and what then still shows."""
STRIKE, BEYOND = 0.3, 1.0
"""Cells from a bat's tip at which it strikes what lies high, and how far that falls behind."""
SHUTS = 0.8
"""Cells behind the middle of a one-way gate at which it shuts behind a body."""
PENALTY = -0.05
"""Reward for coming upon a strip."""


class Outcome(NamedTuple):
  """What a step leads to: rewards are float32, ends bool."""

  state: State
  reward: jax.Array
  terminated: jax.Array
  truncated: jax.Array


def read(action: jax.Array) -> Action:
  """The parts of an action, float32 [6], of which what is beyond [-1, 1] counts as these."""
  return Action(*jnp.clip(action, -1, 1))


def _walk(level: Bank, state: State, action: Action) -> State:
  """Turns, tilts, pushes blocks and moves."""
  yaw = state.yaw + YAW * action.yaw
  yaw = jnp.where(yaw > np.pi, yaw - 2 * np.pi, jnp.where(yaw < -np.pi, yaw + 2 * np.pi, yaw))
  pitch = jnp.clip(state.pitch + PITCH * action.pitch, -HIGHEST, HIGHEST)
  state = state._replace(yaw=yaw, pitch=pitch)
  cos, sin = jnp.cos(yaw), jnp.sin(yaw)
  by_x = body.SPEED * (action.move * cos - action.strafe * sin)
  by_y = body.SPEED * (action.move * sin + action.strafe * cos)
  state = blocks.push(view.geometry(level, state), level, state, by_x, by_y)
  scene = view.geometry(level, state)
  x, y, ground = body.move(scene, state.x, state.y, state.ground, by_x, by_y)
  moved = jnp.stack([x - state.x, y - state.y])
  change = (moved - state.moved) / body.SPEED
  acceleration = jnp.stack([change[1] * cos - change[0] * sin, change[0] * cos + change[1] * sin])
  return state._replace(
    x=x, y=y, ground=ground, moved=moved, acceleration=jnp.clip(acceleration / 2, -1, 1)
  )


def touching(level: Bank, state: State) -> jax.Array:
  """Which things touch the plate of which gate, bool [K, G]."""
  away = view.middles(level, state)[:, None] - level.touch
  before = (away[..., :2] * level.normal).sum(-1)
  across = jnp.sqrt(jnp.maximum((away**2).sum(-1) - before**2, 0))
  near = (jnp.abs(before) <= BEFORE) & (across <= BESIDE)
  matches = (state.colour == state.colour[0])[:, None] | ~level.match
  return near & matches & hand.opens(level, state)[:, None]


def _gates(level: Bank, state: State) -> State:
  touches = touching(level, state)
  touched = touches.any(0)
  latch, hold = level.gate == kinds.LATCH, level.gate == kinds.HOLD
  spend = (level.gate == kinds.SPEND) & ~state.opened
  opened = jnp.where(hold, touched, state.opened | ((latch | spend) & touched))
  used = (touches & spend).any(1)
  lets_go = (state.held != NOTHING) & used[state.held]
  behind = -((jnp.stack([state.x, state.y]) - level.touch[:, :2]) * level.normal).sum(-1)
  shut = state.filled | ((level.gate == kinds.ONE_WAY) & (behind > SHUTS))
  state = state._replace(
    opened=jnp.where(level.gate == kinds.ONE_WAY, ~shut, opened),
    filled=shut,
    on=state.on & ~used,
    held=jnp.where(lets_go, NOTHING, state.held),
    reach=jnp.where(lets_go, 0.0, state.reach),
    distance=jnp.where(lets_go, 0.0, state.distance),
  )
  return _sink(level, state)


def _sink(level: Bank, state: State) -> State:
  """Blocks sink into recesses, one into each; that of its colour opens the gate."""
  off = jnp.linalg.norm((state.foot[:, None] - level.touch)[..., :2], axis=-1)
  sinks = (off <= SINK) & blocks.standing(level, state)[:, None]
  sinks &= (level.gate == kinds.RECESS) & ~state.filled
  opens = (sinks & (state.colour == state.colour[0])[:, None]).any(0)
  sunk = jnp.where(sinks.any(1), SUNK - level.height, state.foot[:, 2])
  return state._replace(
    foot=state.foot.at[:, 2].set(sunk),
    opened=state.opened | opens,
    filled=state.filled | sinks.any(0),
  )


def _strike(level: Bank, state: State) -> State:
  """A bat's tip makes what it meets on high fall down behind."""
  at, bat = view.tip(level, state)
  middle = view.middles(level, state)
  met = bat & (jnp.linalg.norm(middle - at, axis=-1) <= STRIKE)
  met &= hand.opens(level, state) & (middle[:, 2] >= view.HIGH)
  ahead = jnp.stack([jnp.cos(state.yaw), jnp.sin(state.yaw)])
  down = jnp.concatenate([state.foot[:, :2] + BEYOND * ahead, jnp.zeros_like(middle[:, :1])], -1)
  return state._replace(foot=jnp.where(met[:, None], down, state.foot))


def floor_at(level: Bank, x: jax.Array, y: jax.Array) -> jax.Array:
  """The kinds of floor at places."""
  return level.floor[jnp.floor(y).astype(jnp.int32), jnp.floor(x).astype(jnp.int32)]


def events(level: Bank, before: State, state: State, ate: jax.Array) -> jax.Array:
  """Which of `kinds.EVENTS` a step led to, bool."""
  lies = state.on & (jnp.arange(kinds.THINGS) != state.held)
  cube, opens = level.kind == kinds.CUBE, hand.opens(level, state)
  far = floor_at(level, state.x, state.y) == kinds.FAR
  there = floor_at(level, state.foot[:, 0], state.foot[:, 1]) == kinds.FAR
  pushed = (state.foot[:, :2] != before.foot[:, :2]).any(-1) & (level.kind == kinds.BLOCK)
  struck = (before.foot[:, 2] >= view.HIGH) & (state.foot[:, 2] == 0) & opens
  return jnp.stack(
    [
      state.held != NOTHING,
      state.held == 0,
      state.held == 1,
      (cube & lies & (state.foot[:, 2] > 0)).any(),
      pushed.any(),
      struck.any(),
      (lies & opens & there).any() & ~far,
      far,
      state.ground > 0,
      *state.opened[:3],
      ate,
    ]
  )


def step(level: Bank, state: State, action: jax.Array) -> Outcome:
  """Plays an action, float32 [6], in a map; see `hand.Action`."""
  parts, before = read(action), state
  state = _walk(level, state, parts)
  state = hand.use(level, state, parts)
  state = _strike(level, state)
  state = _gates(level, state)
  ate = body.touches(state.x, state.y, level.apple[None])[0]
  strip = floor_at(level, state.x, state.y) == kinds.STRIP
  strip &= floor_at(level, before.x, before.y) != kinds.STRIP
  reward = ate.astype(jnp.float32) + PENALTY * strip
  reached = (level.link >= 0) & events(level, before, state, ate)[level.link]
  state = state._replace(reached=state.reached | reached, reward=reward, steps=state.steps + 1)
  return Outcome(state, reward, ate, state.steps >= level.steps)
