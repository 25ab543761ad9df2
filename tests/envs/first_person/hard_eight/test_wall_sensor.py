"""Wall sensor, link by link: the hand, the plate, the door, the apple."""

import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person.hard_eight import view
from envs.first_person.hard_eight.maps import map_of
from envs.first_person.hard_eight.state import NOTHING
from tests.envs.first_person.hard_eight.play import (
  AHEAD,
  BACK,
  BANK,
  CLOSED,
  OPEN,
  PUSH,
  ahead,
  at,
  before_plate,
  holding,
  of,
  play,
  put,
  started,
)


def facing(away):
  return before_plate(started("wall_sensor"), away)


def key_ahead(state, away):
  """The key ahead of the body, its middle at the height of the eye."""
  return put(state, 0, [*ahead(state, away), 0.375])


def test_a_closed_hand_takes_the_key_and_an_open_one_does_not():
  state = key_ahead(facing(1.8), 1.0)
  assert int(play(state, CLOSED)[0].held) == 0
  assert int(play(state, OPEN)[0].held) == NOTHING


@pytest.mark.parametrize(("away", "turn"), [(2.2, 0.0), (1.0, 0.4)])
def test_what_is_too_far_or_beside_the_ray_is_not_taken(away, turn):
  state = key_ahead(facing(3.0), away)
  state = state._replace(yaw=state.yaw + turn)
  assert int(play(state, CLOSED)[0].held) == NOTHING


def test_an_open_hand_lets_the_key_fall_to_the_floor():
  state, _ = play(holding(facing(3.0)), OPEN)
  assert int(state.held) == NOTHING
  assert float(state.foot[0, 2]) == 0


def test_what_is_pressed_against_a_wall_by_half_a_cell_is_dropped():
  state, _ = play(holding(facing(0.5)), CLOSED)
  assert int(state.held) == 0
  # The wall is .5 ahead and the key has a half of .125: it cannot be held .9 ahead.
  state, _ = play(state._replace(reach=jnp.float32(0.9)), CLOSED)
  assert int(state.held) == NOTHING


def test_push_moves_what_is_held_away():
  state, _ = play(holding(facing(3.0)), PUSH)
  assert float(state.distance) == pytest.approx(0.7, abs=1e-5)


def test_a_throw_goes_four_cells_or_to_the_wall():
  state, _ = play(holding(facing(3.0)), [0, 0, 0, 0, 1, -1])
  away = np.asarray(state.foot[0, :2]) - of(state).touch[0, :2]
  assert float(np.hypot(*away)) == pytest.approx(0.3, abs=1e-3)


def test_the_key_on_the_plate_opens_the_door_for_good():
  state = holding(facing(1.2))
  assert not bool(play(state, CLOSED)[0].opened[0])
  state, _ = play(state, PUSH, PUSH, PUSH)
  assert bool(state.opened[0])
  state, _ = play(state, BACK, BACK)
  assert bool(state.opened[0])


def test_the_body_alone_does_not_open_the_door():
  state, _ = play(facing(1.2), *[AHEAD] * 4)
  assert not bool(state.opened.any())


@pytest.mark.parametrize("opened", [False, True])
def test_a_shut_door_stops_the_body_and_an_open_one_does_not(opened):
  state = started("wall_sensor")
  middle = of(state).door[0].mean(0)[:2]
  walls = np.asarray(view.scene(map_of(BANK, state.row), state).solid)
  sides = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
  x, y = np.floor(middle).astype(int)
  free = [s for s in sides if not walls[y + s[1]] >> (31 - x - s[0]) & 1]
  state = at(state, middle + free[0], middle)
  state = state._replace(opened=state.opened.at[0].set(opened))
  state, _ = play(state, *[AHEAD] * 5)
  assert (np.dot(np.array([state.x, state.y]) - middle, free[0]) < 0) == opened


def test_the_apple_alone_pays_and_ends_the_episode():
  _, outcome = play(started("wall_sensor"), CLOSED)
  assert (float(outcome.reward), bool(outcome.terminated)) == (0.0, False)
  state = started("wall_sensor")
  _, outcome = play(at(state, of(state).apple), CLOSED)
  assert (float(outcome.reward), bool(outcome.terminated)) == (1.0, True)


def test_links_are_kept_when_what_they_stand_for_is_over():
  state, _ = play(key_ahead(facing(1.8), 1.0), CLOSED, OPEN)
  assert state.reached.tolist()[:3] == [True, False, False]


def test_the_last_step_truncates():
  state = started("wall_sensor")._replace(steps=jnp.int32(399))
  assert bool(play(state, OPEN)[1].truncated)


def test_door_plate_and_key_are_seen():
  state = started("wall_sensor")
  assert int(view.scene(map_of(BANK, state.row), state).boxes.on.sum()) == 3
