"""A scripted player of the playroom, as a function of the state: it solves all three tasks.

It walks along shortest paths over half cells, turns towards what it is about, and uses.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import body
from envs.first_person.playroom import environment, room
from envs.first_person.playroom.room import NOTHING, State

HALF = 0.5
"""Cells a side of a square of the paths."""
ROUNDS = 60
"""Squares that a path is long at most."""
CLEAR = body.RADIUS + 0.1
"""Cells that the middle of a square keeps from furniture, at least."""
CLOSE = 0.9
"""Cells from what it is about, from which it heads straight for it."""
FORWARD, LEFT, RIGHT = (body.ACTIONS.index(a) for a in ("forward", "turn left", "turn right"))
FAST = 2
"""Added to a turn: the one by 36 degrees."""


def _squares() -> tuple[np.ndarray, np.ndarray]:
  """The middles (x, y) of the squares of the room, row by row."""
  count = int(room.SIDE / HALF)
  middle = room.FIRST + HALF / 2 + HALF * np.arange(count)
  y, x = np.meshgrid(middle, middle, indexing="ij")
  return x.astype(np.float32), y.astype(np.float32)


def _steps(free: jax.Array, goal: jax.Array) -> jax.Array:
  """Length of the shortest path over free squares to one that is a goal, float32 [S, S]."""
  start = jnp.where(goal, 0.0, jnp.inf)

  def spread(_: int, steps: jax.Array) -> jax.Array:
    wide = jnp.pad(steps, 1, constant_values=jnp.inf)
    size = steps.shape[0]
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
      beside = jax.lax.dynamic_slice(wide, (down, right), (size, size)) + 1
      steps = jnp.minimum(steps, beside)
    return jnp.where(free, steps, jnp.inf)

  return jax.lax.fori_loop(0, ROUNDS, spread, jnp.where(free, start, jnp.inf))


def _turn(state: State, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The turn that brings a place ahead, and whether it is within 7 degrees of ahead already."""
  eye = room.camera(state)
  away_x, away_y = x - eye.x, y - eye.y
  angle = jnp.rad2deg(
    jnp.arctan2(away_y * eye.cos - away_x * eye.sin, away_x * eye.cos + away_y * eye.sin)
  )
  turn = jnp.where(angle > 0, RIGHT, LEFT) + jnp.where(jnp.abs(angle) > 24, FAST, 0)
  return turn.astype(jnp.int32), jnp.abs(angle) <= 7


def act(state: State, task: str) -> jax.Array:
  """The next action of a player that knows where everything is, int32."""
  x, y = (jnp.asarray(part) for part in _squares())
  gap = room.gaps(state, x, y)
  free = (gap[..., jnp.array([0, 2])] > CLEAR).all(-1)
  target = state.foot[0, :2]
  to_target = jnp.hypot(x - target[0], y - target[1])
  furniture = state.place // 2
  carrying = (state.held != NOTHING) & (task == "put")
  goal = jnp.where(carrying, gap[..., furniture] < 0.9, to_target < 0.8)
  aim = jnp.where(carrying, state.furniture[furniture], target)
  # Where several paths are as short, the one that heads for the aim.
  steps = _steps(free, goal) + 0.01 * jnp.hypot(x - aim[0], y - aim[1])

  pose = state.pose
  near = jnp.hypot(x - pose.x, y - pose.y)
  reach = near <= 0.85
  best = jnp.where(reach, steps, jnp.inf)
  # Ahead of all, squares that are nearer to the goal; the nearest of them for want of any.
  choice = jnp.argmin(jnp.where(jnp.isfinite(best).any(), best, near).reshape(-1))
  waypoint = jnp.stack([x.reshape(-1)[choice], y.reshape(-1)[choice]])
  distance = jnp.hypot(*(target - jnp.stack([pose.x, pose.y])))
  arrived = jnp.where(
    carrying, room.gaps(state, pose.x, pose.y)[furniture] < 0.95, distance <= CLOSE
  )
  towards = jnp.where(arrived, aim, waypoint)
  turn, faces = _turn(state, towards[0], towards[1])
  if task == "find":
    use = jnp.bool_(False)
  elif task == "lift":
    use = environment.reachable(state) == 0
  else:
    use = jnp.where(carrying, environment.is_placed(state), environment.reachable(state) == 0)
  action = jnp.where(use, body.USE, jnp.where(faces, FORWARD, turn))
  # What is to lie near the furniture is held above it: turn until it is not.
  over = room.gaps(state, *room.carried(state))[furniture] == 0
  off = carrying & (state.place % 2 == 1) & over
  return jnp.where(off, RIGHT, action).astype(jnp.int32)
