"""How an episode, or a new task within one, begins: every family is drawn, and one is taken.

Under vmap a choice between families by `lax.switch` would draw them all as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import HEADINGS, Pose
from envs.first_person.draws import choose, middle, permutation, uniforms, whole
from envs.first_person.labyrinth import doors, lab, language, looks, maps, table
from envs.first_person.labyrinth.maps import Bank
from envs.first_person.labyrinth.state import (
  BACK,
  BOT,
  BOX,
  COLLECT,
  END,
  GOAL,
  IMAGE,
  KEY,
  PAD,
  PLATFORM,
  SLOTS,
  WORDS,
  State,
  Things,
  level_of,
  on_the_rim,
  row_of,
  scattered,
  standing,
  take,
)

_SLOT = np.arange(SLOTS)
_NO_WORDS = np.zeros(WORDS, np.int32)


class Draw(NamedTuple):
  """What the families draw from.

  Attributes:
    bank: of all maps.
    row: of the map.
    level: row of the table.
    number: index of the level.
    things: on cells of the map, good ones of the looks of COLLECT, in slots up to the count.
    pose: in another cell.
    place, look: from [0, 1), float32 [32] and [48].
    colours: a random order of the first six or eight numbers, int32 [8].
  """

  bank: Bank
  row: jax.Array
  level: table.Level
  number: jax.Array
  things: Things
  pose: Pose
  place: jax.Array
  look: jax.Array
  colours: jax.Array


def _named(name: str) -> int:
  return looks.shape(name)


def _forage(draw: Draw) -> Things:
  """Things to collect, and in some levels others to leave."""
  things, look = draw.things, draw.look
  good = draw.level.good > _SLOT
  value = jnp.where(good, draw.level.gain, draw.level.loss)
  hats = jnp.isin(take(draw.bank.variant, draw.row), np.array([0, 3]))
  pair = jnp.where(
    good,
    jnp.where(hats, _named("can"), _named("balloon")),
    jnp.where(hats, _named("hat"), _named("cake")),
  )
  pair_colour = jnp.where(
    good,
    jnp.where(hats, looks.colour("green"), looks.colour("red")),
    jnp.where(hats, looks.colour("blue"), looks.colour("yellow")),
  )
  tints = np.array([looks.colour(name) for name in ("red", "orange", "pink")])
  kinds = (whole(look[0], 8) + _SLOT * (1 + 2 * whole(look[1], 4))) % 8
  outdoor = (draw.number >= table.FIXED_MAP) & (draw.number <= table.RANDOMIZED)
  which = [draw.number == table.COLLECT, outdoor, draw.number >= table.KINDS[0]]
  shape = jnp.select(which, [pair, jnp.full(SLOTS, _named("mushroom")), kinds], _named("apple"))
  colour = jnp.select(
    which, [pair_colour, jnp.asarray(tints[_SLOT % 3]), whole(look[2:26], 6)], looks.colour("red")
  )
  return things._replace(
    shape=shape.astype(jnp.int32),
    colour=colour.astype(jnp.int32),
    kind=jnp.full((SLOTS,), COLLECT, jnp.int32),
    value=value.astype(jnp.float32),
  )


def _goal(draw: Draw) -> Things:
  """One goal; the platform of the water maze cannot be seen."""
  unseen = draw.number == table.WATERMAZE
  return draw.things._replace(
    shape=jnp.where(unseen, -1, jnp.full((SLOTS,), _named("goal"))).astype(jnp.int32),
    colour=jnp.full((SLOTS,), looks.colour("yellow"), jnp.int32),
    kind=jnp.full((SLOTS,), jnp.where(unseen, PLATFORM, GOAL), jnp.int32),
    value=jnp.full((SLOTS,), draw.level.gain, jnp.float32),
  )


def _at(things: Things, cells: jax.Array) -> Things:
  """Things moved to cells, int32 [24]; those of cells below 0 are not there."""
  x, y = middle(jnp.maximum(cells, 0))
  return things._replace(x=x, y=y, on=cells >= 0)


def _filled(values: Sequence[jax.typing.ArrayLike], dtype: type) -> jax.Array:
  """A number for each of the first slots, and 0 for the others."""
  first = jnp.stack([jnp.asarray(value, dtype) for value in values])
  return jnp.concatenate([first, jnp.zeros((SLOTS - len(values),), dtype)])


def _cells(values: Sequence[jax.typing.ArrayLike]) -> jax.Array:
  first = jnp.stack([jnp.asarray(value, jnp.int32) for value in values])
  return jnp.concatenate([first, jnp.full((SLOTS - len(values),), -1, jnp.int32)])


def _fixed(draw: Draw, spot: int) -> jax.Array:
  return take(draw.bank.fixed, draw.row)[spot].astype(jnp.int32)


def _sky(draw: Draw) -> tuple[Things, Pose]:
  things = _at(_goal(draw), _cells([_fixed(draw, maps.GOAL)]))
  pose = standing(_fixed(draw, maps.START), whole(draw.place[28], HEADINGS))
  return things._replace(kind=jnp.full((SLOTS,), END, jnp.int32)), pose


def _keys(draw: Draw) -> tuple[Things, Pose]:
  """Three keys at most, one that opens nothing, and a goal. Of the colours the first three are the
  chain's, the fourth is the herring's."""
  spots = [maps.KEY, maps.KEY + 1, maps.KEY + 2, maps.HERRING, maps.GOAL]
  things = _at(draw.things, _cells([_fixed(draw, spot) for spot in spots]))
  colours = [draw.colours[i] for i in range(4)]
  things = things._replace(
    shape=_filled([_named("key")] * 4 + [_named("goal")], jnp.int32),
    colour=_filled([*colours, looks.colour("white")], jnp.int32),
    kind=_filled([KEY] * 4 + [END], jnp.int32),
    value=_filled([1] * 4 + [50], jnp.float32),
  )
  return things, standing(_fixed(draw, maps.START), whole(draw.place[28], HEADINGS))


def _nonmatching(draw: Draw) -> tuple[Things, Pose]:
  """A thing behind a window; in the other room the same, and another that is right."""
  look = draw.look
  left = look[0] < 0.5
  cells = [_fixed(draw, spot) for spot in (maps.SHOWN, maps.PAD, maps.LEFT, maps.RIGHT)]
  shape, colour = whole(look[1], 8), whole(look[2], 6)
  other, other_colour = (shape + 1 + whole(look[3], 7)) % 8, whole(look[4], 6)
  lefts = jnp.where(left, shape, other), jnp.where(left, other, shape)
  colours = jnp.where(left, colour, other_colour), jnp.where(left, other_colour, colour)
  wrong, right = draw.level.loss, draw.level.gain
  values = jnp.where(left, wrong, right), jnp.where(left, right, wrong)
  things = _at(draw.things, _cells(cells))._replace(
    shape=_filled([shape, _named("pad"), *lefts], jnp.int32),
    colour=_filled([colour, looks.colour("white"), *colours], jnp.int32),
    kind=_filled([IMAGE, PAD, BACK, BACK], jnp.int32),
    value=_filled([0, 1, *values], jnp.float32),
  )
  # Looking north, at the window.
  return things, standing(_fixed(draw, maps.HERE), jnp.int32(22))


def _in_rooms(draw: Draw, rooms: jax.Array, ordinal: jax.typing.ArrayLike) -> jax.Array:
  """Cells of rooms, int32 [n]: of equal ordinals in one room, from 0, no two are the same."""
  count = take(draw.bank.room_count, draw.row)[rooms].astype(jnp.int32)
  begin = whole(draw.place[rooms], count)
  listed = take(draw.bank.room_cells, draw.row)
  return listed[rooms, (begin + jnp.asarray(ordinal)) % count].astype(jnp.int32)


def _deferred(draw: Draw) -> tuple[Things, Pose]:
  """Apples here, or cakes beyond the door, and a box, which costs and makes the floor bright."""
  variant = take(draw.bank.variant, draw.row)
  apples, boxed = variant == 0, (variant == 0) | (variant == 3)
  box = _SLOT == 10
  rooms = jnp.where(apples | box, 0, 1)
  cells = _in_rooms(draw, rooms, _SLOT)
  things = _at(draw.things, jnp.where(jnp.where(boxed, 11, 10) > _SLOT, cells, -1))
  kind = jnp.where(box, BOX, COLLECT)
  value = jnp.where(box, draw.level.loss, jnp.where(apples, 1.0, draw.level.gain))
  food = jnp.where(apples, _named("apple"), _named("cake"))
  food_colour = jnp.where(apples, looks.colour("red"), looks.colour("pink"))
  things = things._replace(
    shape=jnp.where(box, _named("crate"), food).astype(jnp.int32),
    colour=jnp.where(box, looks.colour("brown"), food_colour).astype(jnp.int32),
    kind=kind.astype(jnp.int32),
    value=value.astype(jnp.float32),
  )
  start = _in_rooms(draw, jnp.int32(0), jnp.int32(11))
  return things, standing(start, whole(draw.place[28], HEADINGS))


def _tag(draw: Draw) -> Things:
  tints = np.array([looks.colour(name) for name in ("red", "blue", "green")])
  return draw.things._replace(
    shape=jnp.full((SLOTS,), _named("bot"), jnp.int32),
    colour=jnp.asarray(tints[_SLOT % 3], jnp.int32),
    kind=jnp.full((SLOTS,), BOT, jnp.int32),
    value=jnp.zeros((SLOTS,), jnp.float32),
  )


def _language(draw: Draw) -> tuple[Things, Pose, jax.Array]:
  """Things of the level's task, where one stands, and the task's words."""
  rooms = take(draw.bank.variant, draw.row).astype(jnp.int32)
  cells = _in_rooms(draw, jnp.minimum(_SLOT // 2, looks.ROOMS - 1), _SLOT % 2)
  x, y = middle(cells)
  here = draw.number == table.LOCATED
  start = _in_rooms(draw, whole(draw.place[31], jnp.maximum(rooms, 1)), 2)
  pose = choose(here, standing(start, draw.pose.heading), draw.pose)
  things = choose(here, draw.things._replace(x=x, y=y), draw.things)
  tasks = [
    language.described(draw.look),
    language.located(draw.look, jnp.maximum(rooms, 1), draw.colours),
    language.random_task(draw.look, things.x, things.y, draw.level.things),
    language.question(draw.look, draw.level.things),
  ]
  task = tasks[0]
  for i, other in enumerate(tasks):
    task = choose(draw.number == table.DESCRIBED + i, other, task)
  things = things._replace(
    shape=task.shape.astype(jnp.int32),
    colour=task.colour.astype(jnp.int32),
    kind=task.kind.astype(jnp.int32),
    value=task.value.astype(jnp.float32),
    on=task.on,
  )
  return things, pose, task.words


def _draw(bank: Bank, key: jax.Array, level: jax.Array, map_index: jax.Array) -> Draw:
  place, look, order = jnp.split(uniforms(key, 86), [32, 80])
  row, columns = row_of(level, map_index), level_of(level)
  cells = scattered(bank, row, place, columns.things)
  pose = standing(cells[0], whole(place[27], HEADINGS))
  x, y = middle(cells[1:])
  zero = jnp.zeros((SLOTS,), jnp.int32)
  things = Things(
    x=x,
    y=y,
    z=jnp.zeros((SLOTS,), jnp.float32),
    shape=zero,
    colour=zero,
    kind=zero,
    value=jnp.zeros((SLOTS,), jnp.float32),
    on=jnp.asarray(columns.things > _SLOT),
    back=zero,
  )
  six = permutation(order)
  colours = jnp.concatenate([six, six[: looks.ROOMS - six.shape[0]]])
  return Draw(bank, row, columns, level, things, pose, place, look, colours)


def begin(bank: Bank, key: jax.Array, level: jax.Array, map_index: jax.Array) -> State:
  """The start of an episode of a level in one of its maps.

  Args:
    bank: of all maps.
    key: for what is drawn now and later.
    level: int32, 0 to 29.
    map_index: int32, 0 to 39.
  """
  key, draw_key = jax.random.split(key)
  draw = _draw(bank, draw_key, level, map_index)
  family = draw.level.family
  things, pose, text = _forage(draw), draw.pose, jnp.asarray(_NO_WORDS)
  trials = lab.start(lab.seed_of(draw.look[:2]), level)

  def of(number: int, other: Things) -> Things:
    return choose(family == number, other, things)

  things = of(table.GOAL, _goal(draw))
  things = of(table.TAG, _tag(draw))
  things = of(table.PSYCHLAB, lab.things(level, trials))
  for number, make in (
    (table.SKY, _sky),
    (table.KEYS, _keys),
    (table.NONMATCH, _nonmatching),
    (table.DEFERRED, _deferred),
  ):
    things, pose = choose(family == number, make(draw), (things, pose))
  things, pose, text = choose(family == table.LANGUAGE, _language(draw), (things, pose, text))
  pose = choose(level == table.WATERMAZE, on_the_rim(draw.place[27]), pose)
  eye = Pose(jnp.float32(lab.EYE), jnp.float32(lab.EYE), jnp.float32(0.0), jnp.int32(0))
  pose = choose(family == table.PSYCHLAB, eye, pose)
  bright = take(bank.variant, draw.row) == 2
  goal = things.x[0], things.y[0]
  return State(
    level=level,
    map=map_index,
    pose=pose,
    things=things,
    shut=doors.shut(bank, draw.row, level, family, bright, pose, goal, draw.look[30:]),
    colours=draw.colours,
    bright=bright,
    held=jnp.int32(-1),
    words=text,
    pickups=jnp.int32(0),
    target=whole(draw.place[29:32], maps.SPOTS),
    lab=trials,
    steps=jnp.int32(0),
    key=key,
  )
