"""Zipf's Gridworld: go to the object that the cue shows, in maps of which some are rare.

A map and a target object are drawn for each episode, independently and from the same distribution
over 20 ranks. Only the agent moves, so a frame is a window cut out of one of 20 fixed pictures,
with two cells painted over: the agent in the centre and the goal cue at the top left.

Source: google-deepmind/zipfian_environments (gridworld), which this equals step by step in
dynamics and pixels; its float32 frames are these uint8 ones divided by 255.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import Environment, Reference, registry, restart, transition
from envs.observation import Cells
from envs.zipf import maps, ranks, references, templates
from envs.zipf.ranks import SPLITS
from envs.zipf.templates import CELL

VIEW = 7
"""Side of the agent's window, in cells; the agent is in its centre."""
CENTRE = VIEW // 2
RARE = maps.OBJECTS // 5
"""How many of the last ranks the rare split draws from."""


class ZipfState(NamedTuple):
  """All that changes in an episode; int32 scalars.

  Attributes:
    map_index: rank of the map, 0 to 19.
    target_index: rank of the target object, 0 to 19.
    cell: where the agent is, row * 13 + column.
    steps: steps since the episode began.
  """

  map_index: jax.Array
  target_index: jax.Array
  cell: jax.Array
  steps: jax.Array


def rank_distribution(split: str, exponent: float) -> np.ndarray:
  """Returns the probabilities of the 20 ranks, of maps and of targets alike, float64 [20]."""
  return ranks.distribution(split, exponent, maps.OBJECTS, RARE)


@functools.cache
def _pictures() -> np.ndarray:
  """Returns each map without its agent, uint8 [20, 13, 13, 9, 9, 3]."""
  world = maps.load()
  cells = np.full((maps.MAPS, maps.CELLS, CELL, CELL, 3), templates.FLOOR, np.uint8)
  cells[world.walls] = templates.WALL
  map_index = np.arange(maps.MAPS)[:, None]
  cells[map_index, world.object_cell] = templates.objects()[world.shape, world.colour]
  return cells.reshape(maps.MAPS, maps.SIDE, maps.SIDE, CELL, CELL, 3)


def _tile(cells: np.ndarray) -> np.ndarray:
  """Lays pictures of cells [..., R, C, 9, 9, 3] side by side: [..., 9 R, 9 C, 3]."""
  *lead, rows, columns = cells.shape[:-3]
  return np.moveaxis(cells, -4, -3).reshape(*lead, rows * CELL, columns * CELL, 3)


@functools.cache
def _boards() -> np.ndarray:
  """Returns the maps in a margin wide enough for every window, uint8 [20, 171, 171, 3]: 1.8 MB."""
  margin = (CENTRE, CENTRE)
  cells = np.pad(_pictures(), ((0, 0), margin, margin, (0, 0), (0, 0), (0, 0)))
  return np.ascontiguousarray(_tile(cells))


@functools.cache
def _cues() -> np.ndarray:
  """Returns each map's targets as the cue shows them, uint8 [20, 20, 9, 9, 3]."""
  world = maps.load()
  return templates.objects(templates.CUE_BACKGROUND)[world.shape, world.colour]


@registry.register("zipf/gridworld")
class ZipfGridworld(Environment[ZipfState]):
  """Zipf's Gridworld in pixels: touch the object that the cue shows; rare maps, rare targets.

  Actions 0 to 7 move N, NE, E, SE, S, SW, W, NW by one cell. Touching the target pays 1 and
  touching any object ends the episode; the 100th step truncates it.

  Args:
    split: "zipf" (training), "uniform", or "rare" (uniform over the last 4 maps x 4 objects).
    exponent: of the zipf split: rank r has a probability proportional to 1 / r^exponent.

  Raises:
    ValueError: one line, for an unknown split or an exponent that is not finite and >= 0.
  """

  success_return = 0.5
  max_episode_steps = 100

  def __init__(self, split: str = "zipf", exponent: float = 2.0):
    self.exponent = ranks.check(split, exponent)
    self.split = split

  def reset(self, key: jax.Array) -> tuple[ZipfState, dm_env.TimeStep]:
    bounds = np.cumsum(rank_distribution(self.split, self.exponent))[:-1].astype(np.float32)
    draws = jax.random.uniform(key, (2, 1))
    map_index, target_index = (draws >= bounds).sum(-1, dtype=jnp.int32)
    return self.reset_to(key, map_index, target_index)

  def reset_to(
    self, key: jax.Array, map_index: jax.Array | int, target_index: jax.Array | int
  ) -> tuple[ZipfState, dm_env.TimeStep]:
    """Starts an episode in a given map with a given target, both ranks from 0 to 19.

    `key` changes nothing here, a map having one start; it is asked for because a world whose start
    is drawn would need it.
    """
    del key
    map_index = jnp.asarray(map_index, jnp.int32)
    cell = jnp.asarray(maps.load().start)[map_index]
    state = ZipfState(map_index, jnp.asarray(target_index, jnp.int32), cell, jnp.int32(0))
    return state, restart(self.observe(state))

  def step(self, state: ZipfState, action: jax.Array) -> tuple[ZipfState, dm_env.TimeStep]:
    world = maps.load()
    cell = jnp.asarray(world.next_cell)[state.map_index, state.cell, action]
    state = state._replace(cell=cell, steps=state.steps + 1)
    touched = jnp.asarray(world.object_at)[state.map_index, cell]
    return state, transition(
      self.observe(state),
      reward=touched == state.target_index,
      terminated=touched >= 0,
      truncated=state.steps >= self.max_episode_steps,
    )

  def rank_names(self) -> dict[str, int]:
    return {"map": maps.MAPS, "target": maps.OBJECTS}

  def ranks(self, state: ZipfState) -> jax.Array:
    return jnp.stack([state.map_index, state.target_index])

  def observe(self, state: ZipfState) -> jax.Array:
    """Returns the agent's view, uint8 [63, 63, 3]; an object it touches is painted over it."""
    row, column = jnp.divmod(state.cell, maps.SIDE)
    corner = (state.map_index, row * CELL, column * CELL, 0)
    view = jax.lax.dynamic_slice(_boards(), corner, (1, VIEW * CELL, VIEW * CELL, 3))[0]
    centre = slice(CENTRE * CELL, (CENTRE + 1) * CELL)
    touching = jnp.asarray(maps.load().object_at)[state.map_index, state.cell] >= 0
    agent = jnp.where(touching, view[centre, centre], jnp.uint8(templates.AGENT))
    cue = jnp.asarray(_cues())[state.map_index, state.target_index]
    view = view.at[centre, centre].set(agent).at[:CELL, :CELL].set(cue)
    # Without it XLA fuses the painting into the store of a scan, which is then 2.5 times as slow.
    return jax.lax.optimization_barrier(view)

  def observation_spec(self) -> Cells:
    shape = (VIEW * CELL, VIEW * CELL, 3)
    return Cells(shape, np.uint8, 0, 255, side=CELL, name="view")

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(len(maps.MOVES), np.int32, name="direction")

  def render(self, state: ZipfState) -> jax.Array:
    """Returns the whole map and, beside it, the cue three times as large, uint8 [117, 162, 3].

    The target lies on the cue's light grey ground, the agent is white.
    """

    def on_ground(picture: jax.Array, grey: int) -> jax.Array:
      return jnp.where((picture == 0).all(-1, keepdims=True), jnp.uint8(grey), picture)

    def paint(image: jax.Array, cell: jax.Array, grey: int) -> jax.Array:
      row, column = jnp.divmod(cell, maps.SIDE)
      corner = (row * CELL, column * CELL, 0)
      picture = jax.lax.dynamic_slice(image, corner, (CELL, CELL, 3))
      return jax.lax.dynamic_update_slice(image, on_ground(picture, grey), corner)

    target_cell = jnp.asarray(maps.load().object_cell)[state.map_index, state.target_index]
    board = jnp.asarray(_tile(_pictures()))[state.map_index]
    board = paint(paint(board, state.cell, templates.AGENT), target_cell, templates.CUE_BACKGROUND)
    cue = jnp.asarray(_cues())[state.map_index, state.target_index]
    cue = cue.repeat(3, axis=0).repeat(3, axis=1)
    beside = ((CELL, board.shape[0] - cue.shape[0] - CELL), (CELL, CELL), (0, 0))
    return jnp.concatenate([board, jnp.pad(cue, beside)], axis=1)

  def splits(self) -> Mapping[str, Environment]:
    return {split: type(self)(split=split, exponent=self.exponent) for split in SPLITS}

  def optimal(self) -> Reference:
    return references.optimal(rank_distribution(self.split, self.exponent))

  def places(self) -> Places:
    """The cells and the nine rooms, which all maps share; the doors are where some map has one."""
    row, column = np.divmod(np.arange(maps.CELLS), maps.SIDE)
    between = (row % maps.PITCH == 0) | (column % maps.PITCH == 0)
    room = row // maps.PITCH * maps.ROOMS + column // maps.PITCH
    rooms = np.where(between, -1, room).astype(np.int32)
    return Places(maps.SIDE, maps.SIDE, ~maps.load().walls.all(0), rooms)

  def oracle(self, state: ZipfState) -> Oracle:
    return Oracle(state.cell, jnp.zeros((0,), jnp.int32), jnp.bool_(False))
