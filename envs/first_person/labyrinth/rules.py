"""What a step of the labyrinth does, at every level by the same arithmetic.

Order: the body turns and moves; what it touches pays and acts; doors open; opponents act; bodies
that were moved appear elsewhere; the time is up.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import body
from envs.first_person.body import TOUCH, USE
from envs.first_person.draws import cell_of, choose, middle, uniforms, whole
from envs.first_person.labyrinth import doors, lab, maps, table, tag, view
from envs.first_person.labyrinth.begin import begin
from envs.first_person.labyrinth.maps import Bank
from envs.first_person.labyrinth.state import (
  ANSWER,
  BACK,
  BOT,
  BOX,
  COLLECT,
  END,
  EVERY,
  GOAL,
  KEY,
  PAD,
  PLATFORM,
  SLOTS,
  State,
  Things,
  anywhere,
  level_of,
  on_the_rim,
  row_of,
  standing,
  take,
)

PLATFORM_TOUCH = 0.6
"""Cells from the middle of the platform that are on it."""
STANDS = 5
"""Steps that the platform pays for."""
DOOR_TOUCH, DOOR_AIM = 1.1, 45.0
"""A key opens a door that its holder walks against: cells from its middle, degrees off it."""
FORWARD = tuple(i for i, name in enumerate(body.ACTIONS) if name.startswith("forward"))
LAST_OF_EVERY = 9.0
"""What the last thing of `every` pays beyond its 1."""


class Split(NamedTuple):
  """Which maps episodes are drawn from: `number` of a level's from `first` on."""

  first: int
  number: int


class Outcome(NamedTuple):
  """What a step did: the state, the reward, and whether the episode is over by rule or by time."""

  state: State
  reward: jax.Array
  terminated: jax.Array
  truncated: jax.Array


class _Touch(NamedTuple):
  """What a body touched: of each thing, bool [24]."""

  things: jax.Array

  def of(self, things: Things, kind: int) -> jax.Array:
    return self.things & (things.kind == kind)

  def any(self, things: Things, kind: int) -> jax.Array:
    return self.of(things, kind).any()


def _touched(state: State) -> jax.Array:
  things = state.things
  far = jnp.hypot(things.x - state.pose.x, things.y - state.pose.y)
  within = jnp.where(things.kind == PLATFORM, PLATFORM_TOUCH, TOUCH)
  free = (things.kind != KEY) | (state.held < 0)
  return things.on & (far < within) & free & (things.kind < BOT)


def _open_doors(
  bank: Bank, row: jax.Array, state: State, bumped: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Which doors are shut now, bool [16], and whether the key that is held has opened one."""
  x, y = middle(take(bank.door, row))
  eye = body.camera_of(state.pose)
  near = body.aims_at(eye, jnp.stack([x, y], -1), DOOR_TOUCH, DOOR_AIM) & bumped
  variant = take(bank.variant, row).astype(jnp.int32)
  lock = jnp.concatenate([state.colours[: maps.TRAP], state.colours[variant][None]])
  fits = jnp.zeros((maps.DOORS,), bool).at[: maps.TRAP + 1].set(lock == state.held)
  opened = state.shut & near & fits & (level_of(state.level).family == table.KEYS)
  return state.shut & ~opened, opened.any()


def _settle(level: table.Level, state: State, touched: _Touch) -> tuple[State, jax.Array]:
  """What is touched goes, things come back, registers change; whether all good ones were gone."""
  things = state.things
  gone = touched.of(things, COLLECT) | touched.of(things, EVERY)
  gone |= touched.of(things, KEY) | touched.of(things, BOX)
  back = jnp.where(gone & (things.kind == COLLECT), level.regrow, jnp.maximum(things.back - 1, 0))
  on = (things.on & ~gone) | ((things.back == 1) & ~things.on)
  good_left = (on & (things.value > 0)).any()
  returned = level.returns & ~good_left
  on = jnp.where(returned, level.things > np.arange(SLOTS), on)
  keys = touched.of(things, KEY)
  taken = jnp.where(keys, things.colour, -1).max()
  stood = touched.any(things, PLATFORM)
  picked = touched.of(things, COLLECT).sum(dtype=jnp.int32) + stood
  state = state._replace(
    things=things._replace(on=on, back=back.astype(jnp.int32)),
    held=jnp.maximum(state.held, taken).astype(jnp.int32),
    bright=state.bright | touched.any(things, BOX),
    pickups=state.pickups + picked,
  )
  return state, returned


def _moved(
  bank: Bank,
  row: jax.Array,
  state: State,
  elsewhere: jax.Array,
  beyond: jax.Array,
  drawn: jax.Array,
) -> State:
  """The agent after a goal, a tag or a return of all things, the platform, or the pad."""
  goal_cell = cell_of(state.things.x[0], state.things.y[0])
  pose = choose(elsewhere, anywhere(bank, row, drawn, goal_cell), state.pose)
  done = (state.level == table.WATERMAZE) & (state.pickups >= STANDS)
  pose = choose(done, on_the_rim(drawn[2]), pose)
  there = take(bank.fixed, row)[maps.THERE]
  pose = choose(beyond, standing(jnp.maximum(there, 0), jnp.int32(22)), pose)
  return state._replace(pose=pose, pickups=jnp.where(done, 0, state.pickups))


def step(bank: Bank, split: Split, state: State, action: jax.Array) -> Outcome:
  """Plays one of `body.ACTIONS`.

  Args:
    bank: of all maps.
    split: of which maps a new one is drawn with a new task.
    state: before.
    action: int32, 0 to 10.
  """
  level, row = level_of(state.level), row_of(state.level, state.map)
  # The key goes to the next step or to a new task, of which one is taken.
  key, draw_key = jax.random.split(state.key)
  drawn = uniforms(draw_key, 32)
  scene = view.geometry(bank, state)
  laboratory = level.family == table.PSYCHLAB
  walked = body.walk(scene, state.pose, action)
  trial = lab.step(state.level, state.lab, action, drawn[:4])
  moved = jnp.hypot(walked.x - state.pose.x, walked.y - state.pose.y)
  bumped = jnp.isin(action, np.array(FORWARD)) & (moved < body.SPEED / 2)
  gazing = state.pose._replace(heading=jnp.asarray(lab.HEADINGS_OF_GAZE)[trial.lab.gaze])
  state = state._replace(
    key=key,
    steps=state.steps + 1,
    pose=choose(laboratory, gazing, walked),
    lab=choose(laboratory, trial.lab, state.lab),
  )

  touched = _Touch(_touched(state))
  before = state.things
  reward = jnp.where(touched.things, before.value, 0).sum()
  state, returned = _settle(level, state, touched)
  shut, opened = _open_doors(bank, row, state, bumped)
  shut &= (level.family != table.DEFERRED) | ~state.bright
  state = state._replace(shut=shut, held=jnp.where(opened, -1, state.held).astype(jnp.int32))

  every_left = (state.things.on & (state.things.kind == EVERY)).any()
  last = touched.any(before, EVERY) & ~every_left
  renewed = touched.any(before, ANSWER) | touched.any(before, BACK) | last
  reward += opened + jnp.where(last, LAST_OF_EVERY, 0)

  tagging = level.family == table.TAG
  tagged = tag.step(bank, row, scene, state, action == USE, drawn[4:])
  state = choose(tagging, state._replace(things=tagged.things, target=tagged.target), state)
  reward += jnp.where(tagging, tagged.hits, 0) + jnp.where(laboratory, trial.reward, 0)

  goal = touched.any(before, GOAL)
  elsewhere = returned | goal | (tagging & tagged.tagged)
  state = _moved(bank, row, state, elsewhere, touched.any(before, PAD), drawn[11:])
  at = state.things.x[0], state.things.y[0]
  other_way = doors.obstructed(bank, row, state.pose, at, drawn[14:])
  obstructed = (state.level == table.OBSTRUCTED[0]) | (state.level == table.OBSTRUCTED[1])
  state = state._replace(shut=jnp.where(goal & obstructed, other_way, state.shut))
  state = _renewed(bank, split, state, renewed, touched.any(before, BACK), drawn[31])
  state = state._replace(
    things=choose(laboratory, lab.things(state.level, state.lab), state.things)
  )

  finished = jnp.where(
    laboratory,
    trial.over & (state.lab.trial >= level.pickups),
    (level.pickups > 0) & (state.pickups >= level.pickups),
  )
  ended = finished | touched.any(before, END)
  return Outcome(state, reward.astype(jnp.float32), ended, state.steps >= level.steps)


def _renewed(
  bank: Bank,
  split: Split,
  state: State,
  renewed: jax.Array,
  stays: jax.Array,
  drawn: jax.Array,
) -> State:
  """A new task after an answer, on a map that is drawn anew unless it stays."""
  map_index = jnp.where(stays, state.map, split.first + whole(drawn, split.number))
  fresh = begin(bank, state.key, state.level, map_index.astype(jnp.int32))
  return choose(renewed, fresh._replace(steps=state.steps), state)
