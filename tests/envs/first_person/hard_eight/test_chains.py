"""The other seven, link by link."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person import body
from envs.first_person.hard_eight import kinds, rules, view
from envs.first_person.hard_eight.maps import MAPS, map_of
from envs.first_person.hard_eight.state import NOTHING
from tests.envs.first_person.hard_eight.play import (
  AHEAD,
  BANK,
  CLOSED,
  OPEN,
  PUSH,
  TASKS,
  at,
  before_plate,
  holding,
  of,
  on_plate,
  play,
  put,
  started,
)


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, 0, 0))
def sees(state, places, point):
  """Whether nothing is between places (x, y) and a point, bool."""
  level = map_of(BANK, state.row)
  state = state._replace(x=places[0], y=places[1])
  return body.sees(view.geometry(level, state), view.camera(state), point[None])[0]


def cue(level):
  """A point just before the plate."""
  return jnp.float32(level.touch[0] + [*(0.06 * level.normal[0]), 0])


def stacked(state):
  """With one cube on the other before the plate."""
  state = on_plate(state, 0)
  foot = np.asarray(state.foot[0])
  return put(put(state, 0, [*foot[:2], 0.0]), 1, [*foot[:2], 0.5])


def test_stacked_cubes_keep_the_door_open_and_one_on_the_floor_does_not():
  state = started("wall_sensor_stack")
  assert bool(play(stacked(state), OPEN)[0].opened[0])
  low = put(on_plate(state, 0), 0, [*np.asarray(on_plate(state, 0).foot[0, :2]), 0.0])
  assert not bool(play(low, OPEN)[0].opened[0])


def test_a_single_cube_opens_while_it_is_held_there_and_no_longer():
  state = before_plate(started("wall_sensor_stack"), 1.2)._replace(pitch=jnp.float32(0.2))
  state, _ = play(holding(state, 0, 0.9), CLOSED)
  assert bool(state.opened[0])
  assert not bool(play(state, OPEN)[0].opened[0])


def test_a_single_cube_that_is_let_go_or_thrown_never_keeps_the_door_open():
  start = started("wall_sensor_stack")
  for away in np.linspace(0.9, 2.4, 4):
    for pitch in (-0.3, 0.0, 0.4):
      for push in (0.0, 0.7, 1.0):
        state = before_plate(start, away)._replace(pitch=jnp.float32(pitch))
        state, _ = play(holding(state, 0, 0.6), [0, 0, 0, 0, push, -1], OPEN)
        assert not bool(state.opened[0]), (away, pitch, push)


def test_the_plate_of_the_stack_is_far_from_its_door():
  first = [task.name for task in TASKS].index("wall_sensor_stack") * MAPS
  door, touch = BANK.door[first : first + MAPS, 0].mean(1), BANK.touch[first : first + MAPS, 0]
  assert np.linalg.norm((door - touch)[:, :2], axis=-1).min() > 4.5


def test_a_block_is_pushed_and_stops_at_a_wall():
  state = started("push_blocks")
  foot = np.asarray(state.foot[0])
  state = at(state, foot[:2] - [0.75, 0], foot)
  pushed, _ = play(state, AHEAD)
  assert float(pushed.foot[0, 0]) == pytest.approx(foot[0] + 0.2, abs=0.01)
  pushed, _ = play(state, *[AHEAD] * 40)
  middle = np.asarray(pushed.foot[0, :2])
  rows = of(state).solid
  for corner in ([-0.39, -0.39], [0.39, 0.39]):
    x, y = np.floor(middle + corner).astype(int)
    assert not rows[y] >> (31 - x) & 1


@pytest.mark.parametrize(("block", "opens"), [(0, True), (1, False)])
def test_the_recess_takes_one_block_and_opens_for_that_of_its_colour(block, opens):
  state = started("push_blocks")
  x, y, _ = of(state).touch[0]
  state, _ = play(put(state, block, [x + 0.1, y, 0]), OPEN)
  assert bool(state.filled[0])
  assert bool(state.opened[0]) == opens
  assert float(state.foot[block, 2]) < 0
  # Once it is filled, nothing else sinks.
  state, _ = play(put(state, 1 - block, [x, y, 0]), OPEN)
  assert bool(state.opened[0]) == opens


@pytest.mark.parametrize(("cube", "opens"), [(0, True), (1, False)])
def test_the_cube_of_the_plates_colour_opens_and_no_other(cube, opens):
  state = started("remember_sensor")
  state, _ = play(on_plate(state, cube), OPEN)
  assert bool(state.opened[0]) == opens


@pytest.mark.parametrize("k", range(0, MAPS, 4))
def test_the_colour_to_remember_is_seen_from_the_lobby_and_not_from_the_cubes_room(k):
  state = started("remember_sensor", k)
  level = of(state)
  room = np.argwhere(level.floor == kinds.FAR)[:25, ::-1] + 0.5
  places = jnp.float32([*room, (float(state.x), float(state.y))])
  seen = sees(state, places, jnp.broadcast_to(cue(level), (len(places), 3)))
  assert seen.tolist() == [False] * 25 + [True]


def test_coming_upon_a_strip_costs_once():
  state = started("remember_sensor")
  row, column = np.argwhere(of(state).floor == kinds.STRIP)[0]
  level = of(state)
  sides = [(0, 1), (0, -1), (1, 0), (-1, 0)]
  x, y = next(
    (column + 0.5 + 0.7 * right, row + 0.5 + 0.7 * down)
    for down, right in sides
    if not level.solid[row + down] >> (31 - column - right) & 1
    and level.floor[row + down, column + right] != kinds.STRIP
  )
  state = at(state, (x, y), (column + 0.5, row + 0.5))
  state, outcome = play(state, AHEAD)
  assert float(outcome.reward) == pytest.approx(rules.PENALTY)
  assert float(play(state, OPEN)[1].reward) == 0


def at_ball(away):
  """With the bat in the hand, which looks at the ball so far away."""
  state = started("baseball")
  ball = np.asarray(state.foot[0]) + np.array([0, 0, 0.15])
  state = at(state, ball[:2] - [away, 0], ball)
  far = np.hypot(away, ball[2] - 0.5)
  pitch = jnp.float32(np.arctan2(ball[2] - 0.5, away))
  return holding(state, 1, far - view.TIP)._replace(pitch=pitch)


def test_the_ball_cannot_be_taken_off_its_plinth():
  state = at_ball(1.4)._replace(held=jnp.int32(NOTHING), on=started("baseball").on.at[1].set(False))
  state, _ = play(state, CLOSED)
  assert int(state.held) == NOTHING


def test_the_bats_tip_makes_the_ball_fall_behind_the_plinth():
  state = at_ball(1.4)
  ball = np.asarray(state.foot[0])
  state, _ = play(state, CLOSED)
  assert np.asarray(state.foot[0]) == pytest.approx([ball[0] + 1, ball[1], 0], abs=0.01)
  assert bool(state.reached[1])


def test_a_hand_without_the_bat_does_not_move_the_ball():
  state = at_ball(1.4)._replace(held=jnp.int32(NOTHING))
  state = put(state, 1, [*np.asarray(state.foot[1, :2]), 0])
  moved, _ = play(state, CLOSED, OPEN, PUSH)
  assert float(moved.foot[0, 2]) == pytest.approx(float(state.foot[0, 2]))


@pytest.mark.parametrize(("thing", "opens"), [(0, True), (1, False)])
def test_the_ball_opens_the_door_and_the_bat_does_not(thing, opens):
  state, _ = play(on_plate(started("baseball"), thing), OPEN)
  assert bool(state.opened[0]) == opens


def test_a_key_lowers_one_bridge_and_is_used_up():
  state, _ = play(holding(before_plate(started("drawbridge"), 0.7)), CLOSED)
  assert state.opened.tolist()[:3] == [True, False, False]
  assert not bool(state.on[0])
  assert int(state.held) == NOTHING


@pytest.mark.parametrize("lowered", [False, True])
def test_a_chasm_is_crossed_by_a_lowered_bridge_alone(lowered):
  state = before_plate(started("drawbridge"), 0.5)
  start = np.array([state.x, state.y])
  state = state._replace(opened=state.opened.at[0].set(lowered))
  state, _ = play(state, *[AHEAD] * 9)
  walked = float(np.hypot(*(np.array([state.x, state.y]) - start)))
  assert (walked > 2.5) == lowered


def test_what_falls_into_the_chasm_is_lost():
  state = before_plate(started("drawbridge"), 0.5)
  state = state._replace(opened=state.opened.at[0].set(True))
  state, _ = play(state, *[AHEAD] * 4)
  state = state._replace(yaw=state.yaw + np.float32(np.pi / 2))
  state, _ = play(holding(state, 0, 0.9), OPEN)
  assert not bool(state.on[0])


def test_a_row_of_blocks_is_passed_by_pushing_one():
  state = started("navigate_cubes")
  level, to = of(state), of(state).mark[1]
  block = int(np.argmin(np.linalg.norm(np.asarray(state.foot) - to, axis=-1)))
  foot = np.asarray(state.foot[block])
  back = (foot - to)[:2] / np.linalg.norm(foot - to)
  state, _ = play(at(state, foot[:2] + 0.8 * back, to), *[AHEAD] * 8)
  assert level.floor[int(state.y), int(state.x)] == kinds.FAR
  assert state.reached.tolist()[:2] == [True, True]


def test_the_platform_is_climbed_by_its_ramp_alone():
  state = started("navigate_cubes")
  before, apple = of(state).mark[0], of(state).apple
  climbed, outcome = play(at(state, before, apple), *[AHEAD] * 8)
  assert bool(outcome.terminated) or float(climbed.ground) > 0.3
  beyond = 2 * apple[:2] - before[:2] + (before - apple)[:2] / 3 * 0.8
  walked, _ = play(at(state, beyond, apple), *[AHEAD] * 8)
  assert float(walked.ground) == 0


def thrown(push):
  state = started("throw_across")
  start, to = of(state).mark
  return play(holding(at(state, start, to)), [0, 0, 0, 0, push, -1])[0]


def test_a_key_is_thrown_across():
  state = thrown(1.0)
  assert bool(state.on[0])
  assert bool(state.reached[1])


def test_a_key_thrown_short_is_lost():
  state = thrown(0.51)
  assert not bool(state.on[0])
  assert not bool(state.reached[1])


def test_the_gate_shuts_behind_who_goes_through():
  state = started("throw_across")
  middle, normal = of(state).touch[2], of(state).normal[2]
  state = at(state, middle[:2] + normal, middle)
  there, _ = play(state, *[AHEAD] * 7)
  assert not bool(there.opened[2])
  back, _ = play(there._replace(yaw=there.yaw + np.float32(np.pi)), *[AHEAD] * 8)
  off = np.array([back.x, back.y]) - middle[:2]
  assert float(np.dot(off, normal)) < -0.5


def test_each_door_beyond_the_chasm_takes_a_key():
  state, _ = play(on_plate(started("throw_across"), 0, 0), OPEN)
  assert state.opened.tolist()[:2] == [True, False]
  assert state.on.tolist()[:2] == [False, True]
  state, _ = play(on_plate(state, 1, 1), OPEN)
  assert state.opened.tolist()[:2] == [True, True]
