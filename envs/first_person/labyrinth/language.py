"""The four levels with instructions: what is there, what is asked for, and what is right.

Of each, the things' shapes and colours (rows of `looks.NAMED` and `NAMED_COLOURS`), the words, and
which things are right.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.draws import whole
from envs.first_person.labyrinth import looks, words
from envs.first_person.labyrinth.state import ANSWER, EVERY, IMAGE, SLOTS, WORDS

SHAPES, COLOURS = len(looks.NAMED), len(looks.NAMED_COLOURS)
NEAR = 2.0
"""Things are near each other whose middles are at most this far apart, cells (ours)."""
_SLOT = np.arange(SLOTS)


class Task(NamedTuple):
  """What is there and what is asked for.

  Attributes:
    shape, colour: of each thing, int32 [24].
    kind: ANSWER, EVERY or IMAGE, int32 [24].
    value: what touching pays, float32 [24].
    on: bool [24].
    words: int32 [7].
  """

  shape: jax.Array
  colour: jax.Array
  kind: jax.Array
  value: jax.Array
  on: jax.Array
  words: jax.Array


def _sentence(*parts: jax.Array | int | str) -> jax.Array:
  numbers = [words.number(p) if isinstance(p, str) else p for p in parts]
  numbers += [0] * (WORDS - len(numbers))
  return jnp.stack([jnp.asarray(n, jnp.int32) for n in numbers])


def _shape_word(shape: jax.Array) -> jax.Array:
  return words.FIRST_SHAPE + shape


def _colour_word(colour: jax.Array) -> jax.Array:
  return words.FIRST_COLOUR + colour


def _other(one: jax.Array, uniform: jax.Array, count: int) -> jax.Array:
  """A number from 0 to count - 1 that is not `one`."""
  return (one + 1 + whole(uniform, count - 1)) % count


def _answers(right: jax.Array) -> tuple[jax.Array, jax.Array]:
  return jnp.full((SLOTS,), ANSWER, jnp.int32), jnp.where(right, 10.0, -10.0)


def described(drawn: jax.Array) -> Task:
  """Two things of different shapes, and the shape of one of them. `drawn` from [0, 1), [48]."""
  first = whole(drawn[0], SHAPES)
  shape = jnp.where(_SLOT == 0, first, _other(first, drawn[1], SHAPES))
  colour = whole(drawn[2], COLOURS) + whole(drawn[3], COLOURS) * _SLOT
  kind, value = _answers(_SLOT == 0)
  on = jnp.asarray(_SLOT < 2)
  return Task(shape, colour % COLOURS, kind, value, on, _sentence(_shape_word(first)))


def located(drawn: jax.Array, rooms: jax.Array, colours: jax.Array) -> Task:
  """Two things of different colours in each room: that of a colour, in a room of a colour.

  Args:
    drawn: from [0, 1), float32 [48].
    rooms: how many there are, int32.
    colours: of the rooms, int32 [8]; things 2 r and 2 r + 1 are in room r.
  """
  first = whole(drawn[:24:2], COLOURS)
  second = _other(first, drawn[1:24:2], COLOURS)
  colour = jnp.stack([first, second], -1).reshape(SLOTS)
  shape = whole(drawn[24:], SHAPES)
  right = whole(drawn[47], 2 * rooms)
  text = ("pick", _colour_word(colour[right]), "object", _colour_word(colours[right // 2]), "room")
  kind, value = _answers(right == _SLOT)
  return Task(shape, colour, kind, value, 2 * rooms > _SLOT, _sentence(*text))


def random_task(drawn: jax.Array, x: jax.Array, y: jax.Array, count: jax.Array) -> Task:
  """One of seven commands, which thing 0 fits.

  Args:
    drawn: from [0, 1), float32 [48].
    x, y: places of the things, float32 [24].
    count: of things, int32.
  """
  on = count > _SLOT
  # Few shapes and colours in one task, so that it matters which is meant.
  shape = (whole(drawn[46], SHAPES) + whole(drawn[:24] ** 2, SHAPES)) % SHAPES
  colour = (whole(drawn[45], COLOURS) + whole(drawn[20:44] ** 2, COLOURS)) % COLOURS
  apart = jnp.hypot(x[:, None] - x, y[:, None] - y)
  apart = jnp.where(np.eye(SLOTS, dtype=bool) | ~on, jnp.inf, apart)
  landmark = jnp.argmin(apart[0])
  command = whole(drawn[47], 7)
  command = jnp.where((command > 3) & (apart[0, landmark] > NEAR), 1, command)
  same_shape, same_colour = shape == shape[0], colour == colour[0]
  near_shape = ((apart <= NEAR) & (shape == shape[landmark])).any(-1)
  near_colour = ((apart <= NEAR) & (colour == colour[landmark])).any(-1)
  shapes, colours = _shape_word(shape), _colour_word(colour)
  every = (command == 2) | (command == 3)
  right = jnp.select(
    [command == c for c in range(7)],
    [
      same_colour,
      same_colour & same_shape,
      same_shape,
      same_colour,
      same_shape & near_shape,
      same_shape & near_colour,
      same_colour & near_colour,
    ],
  )
  text = jnp.stack(
    [
      _sentence(colours[0]),
      _sentence(colours[0], shapes[0]),
      _sentence("every", shapes[0]),
      _sentence("every", colours[0]),
      _sentence(shapes[0], "near", shapes[landmark]),
      _sentence(shapes[0], "near", colours[landmark]),
      _sentence(colours[0], "near", colours[landmark]),
    ]
  )
  kind = jnp.where(right & every, EVERY, ANSWER)
  value = jnp.where(right, jnp.where(every, 1.0, 10.0), -10.0)
  return Task(shape, colour, kind, value, on, text[command])


YES, NO = 0, 1
"""The slots of the white and the black ball."""


def question(drawn: jax.Array, count: jax.Array) -> Task:
  """A question about shapes and colours, as often answered by yes as by no.

  Things 2 to count - 1 are asked about: of the first few the shape is the one that is named, of
  the others never, and so many of them have the colour as make the answer what was drawn.

  Args:
    drawn: from [0, 1), float32 [48].
    count: of things with the two balls, int32.
  """
  named_shape, named_colour = whole(drawn[0], SHAPES), whole(drawn[1], COLOURS)
  quantifier, yes = whole(drawn[2], 4), drawn[3] < 0.5
  about = (_SLOT >= 2) & (count > _SLOT)
  several = 3 + whole(drawn[4], 3)
  of_shape = about & (2 + several > _SLOT)
  asked = jnp.where(quantifier == 2, about, of_shape)
  total, half = asked.sum(dtype=jnp.int32), several // 2
  # Bounds of how many have the colour: of all, any, anything, most.
  low = jnp.stack([total, jnp.int32(1), jnp.int32(1), half + 1])[quantifier]
  high = jnp.stack([total - 1, jnp.int32(0), jnp.int32(0), half])[quantifier]
  matching = jnp.where(yes, low + whole(drawn[5], total - low + 1), whole(drawn[5], high + 1))
  coloured = asked & (2 + matching > _SLOT)
  by_chance = ~asked & (drawn[24:] < 0.3)
  others = _other(named_colour, drawn[6:30], COLOURS)
  colour = jnp.where(coloured | by_chance, named_colour, others)
  shape = jnp.where(of_shape, named_shape, _other(named_shape, drawn[24:], SHAPES))
  ball = jnp.asarray(_SLOT < 2)
  colour = jnp.where(
    ball, jnp.where(_SLOT == YES, looks.colour("white"), looks.colour("black")), colour
  )
  shape = jnp.where(ball, looks.shape("ball"), shape)
  kind = jnp.where(ball, ANSWER, IMAGE)
  value = jnp.where(ball, jnp.where((_SLOT == YES) == yes, 10.0, -10.0), 0.0)
  shape_word, colour_word = _shape_word(named_shape), _colour_word(named_colour)
  text = jnp.stack(
    [
      _sentence("all", shape_word, colour_word),
      _sentence("any", shape_word, colour_word),
      _sentence("anything", colour_word),
      _sentence("most", shape_word, colour_word),
    ]
  )
  return Task(shape, colour, kind, value, ball | about, text[quantifier])
