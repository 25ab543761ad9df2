"""The laboratory: trials of four tests of memory and sight, before a body that only turns its gaze.

A trial is begun by `use` while the gaze rests on the cross in the middle; an answer is given by
looking at a ring. Images and answers are hashes of seeds in the state, so that nothing else
is to be remembered.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import USE
from envs.first_person.draws import whole
from envs.first_person.labyrinth import looks, table
from envs.first_person.labyrinth.state import IMAGE, SLOTS, Lab, Things

BETWEEN, STUDY, BLANK, ASKED = range(4)
MIDDLE, LEFT, RIGHT, UP, DOWN = range(5)
STUDY_STEPS, LONGEST_BLANK = 5, 16
"""Steps that an array is shown, and at most until it is shown again (ours)."""
FIRST_SET = 2
"""Images that the mapping begins with."""
DISTANCE = 1.5
"""Cells from the eye to the images."""
EYE = 8.5
"""Where the body stands, x and y."""
HEADINGS_OF_GAZE = np.array([0, 27, 3, 0, 0], np.int32)
PITCH_OF_GAZE = np.array([0, 0, 0, 0.4, -0.4], np.float32)
_GAZE_OF_ACTION = np.array([UP, DOWN, -1, -1, -1, -1, LEFT, RIGHT, -1, -1, MIDDLE], np.int32)


def start(seed: jax.Array, level: jax.Array) -> Lab:
  """No trial is begun; `seed` is uint32."""
  zero = jnp.int32(0)
  shown = jnp.where(level == table.MAPPING, FIRST_SET, 0).astype(jnp.int32)
  return Lab(zero, zero, zero, zero, zero, shown, zero, jnp.int32(1), seed, seed)


def seed_of(drawn: jax.Array) -> jax.Array:
  """A seed of two numbers from [0, 1), multiples of 2^-16: uint32."""
  high, low = (drawn * 65536).astype(jnp.uint32)
  return high << 16 | low


def mixed(seed: jax.Array, number: jax.typing.ArrayLike) -> jax.Array:
  """A hash of a seed and a number, uint32 (the finaliser of MurmurHash3)."""
  x = seed ^ (jnp.asarray(number, jnp.uint32) * np.uint32(0x9E3779B1))
  x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
  return x ^ (x >> 16)


def _below(bits: jax.Array, count: jax.Array | int) -> jax.Array:
  return (bits % jnp.asarray(count, jnp.uint32)).astype(jnp.int32)


def image(lab: Lab, number: jax.Array) -> jax.Array:
  """Which of the 64 images is the episode's `number`-th, all of them in a random order."""
  stride, offset = mixed(lab.seed, 1) | 1, mixed(lab.seed, 2)
  return _below(number.astype(jnp.uint32) * stride + offset, looks.IMAGES)


def direction(lab: Lab, number: jax.Array) -> jax.Array:
  """Where the episode's `number`-th image wants the gaze, LEFT to DOWN."""
  return LEFT + _below(mixed(lab.seed, number + 16) >> 8, 4)


def number_asked(lab: Lab, level: jax.Array) -> jax.Array:
  """Which image the trial shows: of the mapping the next of its set, else an old or a new one."""
  set_size = jnp.maximum(lab.shown, 1)
  mapping = (lab.asked + _below(mixed(lab.round_seed, 3) >> 8, set_size)) % set_size
  old = _below(mixed(lab.round_seed, 4) >> 8, jnp.maximum(lab.shown, 1))
  recognition = jnp.where(lab.answer == RIGHT, old, jnp.maximum(lab.shown - 1, 0))
  return jnp.where(level == table.MAPPING, mapping, recognition)


class Trial(NamedTuple):
  """What a step of the laboratory did: its state, the reward, whether a trial is over."""

  lab: Lab
  reward: jax.Array
  over: jax.Array


def step(level: jax.Array, lab: Lab, action: jax.Array, drawn: jax.Array) -> Trial:
  """Moves the gaze, begins a trial, shows and asks, or takes an answer. `drawn`: [0, 1), [4]."""
  looked = jnp.asarray(_GAZE_OF_ACTION)[action]
  gaze = jnp.where(looked >= 0, looked, lab.gaze)
  four = level == table.MAPPING
  answered = (lab.phase == ASKED) & (gaze >= LEFT) & (four | (gaze <= RIGHT))
  right = answered & (gaze == lab.answer)
  begun = (lab.phase == BETWEEN) & (action == USE)
  lab = lab._replace(gaze=gaze)

  wait = jnp.maximum(lab.wait - 1, 0)
  waited = (wait == 0) & ((lab.phase == STUDY) | (lab.phase == BLANK))
  blank = 1 + whole(drawn[0], LONGEST_BLANK)
  phase = jnp.where(waited, lab.phase + 1, lab.phase)
  wait = jnp.where(waited & (lab.phase == STUDY), blank, wait)
  begun_lab = _begin(level, lab, drawn)
  ended_lab = _end(level, lab._replace(phase=phase, wait=wait), answered, right, drawn)
  lab = jax.tree.map(lambda a, b: jnp.where(begun, a, b), begun_lab, ended_lab)
  return Trial(lab, right.astype(jnp.float32), answered)


def _begin(level: jax.Array, lab: Lab, drawn: jax.Array) -> Lab:
  """A trial begins; its answer is drawn, and for the mapping told by the image."""
  studied = level == table.COMPARISON
  fresh = seed_of(drawn[1:3])
  mapping = level == table.MAPPING
  recognition = level == table.RECOGNITION
  round_seed = jnp.where(mapping & (lab.asked > 0), lab.round_seed, fresh)
  old = (drawn[3] < 0.5) & ~(recognition & (lab.shown == 0))
  old |= recognition & (lab.shown >= looks.IMAGES)
  answer = jnp.where(old, RIGHT, LEFT)
  shown = lab.shown + (recognition & ~old)
  lab = lab._replace(
    phase=jnp.where(studied, STUDY, ASKED).astype(jnp.int32),
    wait=jnp.where(studied, STUDY_STEPS, 0).astype(jnp.int32),
    trial=lab.trial + 1,
    shown=shown.astype(jnp.int32),
    round_seed=round_seed,
    answer=answer.astype(jnp.int32),
  )
  wanted = direction(lab, number_asked(lab, level))
  return lab._replace(answer=jnp.where(mapping, wanted, lab.answer))


def _end(
  level: jax.Array, lab: Lab, answered: jax.Array, right: jax.Array, drawn: jax.Array
) -> Lab:
  """After an answer there is no trial; the mapping's set grows after a round without a miss."""
  mapping = answered & (level == table.MAPPING)
  asked = lab.asked + mapping
  faultless = jnp.where(mapping, lab.faultless & right, lab.faultless)
  round_over = mapping & (asked >= lab.shown)
  grown = jnp.minimum(lab.shown + faultless, looks.IMAGES)
  return lab._replace(
    phase=jnp.where(answered, BETWEEN, lab.phase).astype(jnp.int32),
    asked=jnp.where(round_over, 0, asked).astype(jnp.int32),
    shown=jnp.where(round_over, grown, lab.shown).astype(jnp.int32),
    faultless=jnp.where(round_over, 1, faultless).astype(jnp.int32),
  )


_RINGS = np.array([(-1.2, 0), (1.2, 0), (0, 1.2), (0, -1.2)], np.float32)
"""Places of the rings: right of the middle, above it, cells."""
_ROUND = np.arange(8) * (np.pi / 4)
_CIRCLE = np.stack([np.cos(_ROUND), np.sin(_ROUND)], -1).astype(np.float32) * np.float32(0.75)
_ARRAY = np.array([(-0.3, 0.3), (0.3, 0.3), (-0.3, -0.3), (0.3, -0.3)], np.float32)
_FIXATION, _IMAGE, _ITEMS = 0, 1, 2
"""Slots: the cross, the image, eight items, then four rings."""
_RINGS_AT = _ITEMS + 8
SMALL, LARGE = 0.4, 0.8
"""Sizes of items, crosses and rings, and of an image, cells."""
SIZE = np.full(SLOTS, SMALL, np.float32)
SIZE[_IMAGE] = LARGE


def things(level: jax.Array, lab: Lab) -> Things:
  """What is before the eye."""
  mapping, recognition = level == table.MAPPING, level == table.RECOGNITION
  comparison, search = level == table.COMPARISON, level == table.SEARCH
  asked = lab.phase == ASKED
  item = np.arange(8)
  # Comparison: four items, of which one is another when it is asked for and the answer is no.
  changed = asked & (lab.answer == LEFT) & (item == _below(mixed(lab.round_seed, 5) >> 8, 4))
  shape = _below(mixed(lab.round_seed, 8 + item) >> 8, len(looks.NAMED))
  shape = jnp.where(changed, (shape + 1 + _below(mixed(lab.round_seed, 6) >> 8, 7)) % 8, shape)
  colour = _below(mixed(lab.round_seed, 24 + item) >> 8, 6)
  # Search: a magenta T among magenta Ls and cyan Ts.
  present = lab.answer == RIGHT
  is_target = present & (item == 0)
  is_t = is_target | (_below(mixed(lab.round_seed, 40 + item) >> 8, 2) == 0)
  letter = jnp.where(is_t, looks.shape("t"), looks.shape("l"))
  letter_colour = jnp.where(is_target | ~is_t, looks.colour("magenta"), looks.colour("cyan"))
  letters = 1 + _below(mixed(lab.round_seed, 7) >> 8, 8)
  place = (item + _below(mixed(lab.round_seed, 9) >> 8, 8)) % 8
  items_on = (comparison & (asked | (lab.phase == STUDY)) & (item < 4)) | (
    search & asked & (item < letters)
  )
  ring_on = asked & (mapping | (np.arange(4) < 2))
  rest = SLOTS - _RINGS_AT - 4
  off = jnp.zeros((rest,), bool)

  def joined(
    first: jax.typing.ArrayLike, items: jax.Array, rings: jax.typing.ArrayLike
  ) -> jax.Array:
    first = jnp.broadcast_to(jnp.asarray(first, jnp.int32), (2,))
    rings = jnp.broadcast_to(jnp.asarray(rings, jnp.int32), (4,))
    return jnp.concatenate([first, items.astype(jnp.int32), rings, jnp.zeros((rest,), jnp.int32)])

  picture = looks.FIRST_IMAGE + image(lab, number_asked(lab, level))
  cross_on = (lab.phase == BETWEEN) | (lab.phase == BLANK)
  image_on = asked & (mapping | recognition)
  item_at = jnp.where(search, jnp.asarray(_CIRCLE)[place], jnp.asarray(np.resize(_ARRAY, (8, 2))))
  at = jnp.concatenate([jnp.zeros((2, 2)), item_at, jnp.asarray(_RINGS), jnp.zeros((rest, 2))])
  return Things(
    x=jnp.full((SLOTS,), EYE + DISTANCE, jnp.float32),
    y=(EYE + at[:, 0]).astype(jnp.float32),
    z=(0.5 + at[:, 1] - SIZE / 2).astype(jnp.float32),
    shape=joined(
      jnp.stack([jnp.int32(looks.shape("fixation")), picture]),
      jnp.where(search, letter, shape),
      looks.shape("target"),
    ),
    colour=joined(
      looks.colour("black"),
      jnp.where(search, letter_colour, colour),
      looks.colour("black"),
    ),
    kind=jnp.full((SLOTS,), IMAGE, jnp.int32),
    value=jnp.zeros((SLOTS,), jnp.float32),
    on=jnp.concatenate([jnp.stack([cross_on, image_on]), items_on, ring_on, off]),
    back=jnp.zeros((SLOTS,), jnp.int32),
  )
