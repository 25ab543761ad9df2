"""Wall sensor, link by link: the hand, the plate, the door, the apple."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person.hard_eight import layouts, rules, table, view
from envs.first_person.hard_eight.state import NOTHING, begin, row_of

BANK = layouts.load()
TASK = table.index("wall_sensor")
CLOSED, OPEN = [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, -1]
advance = jax.jit(functools.partial(rules.step, BANK))


@functools.cache
def started():
  return begin(BANK, jax.random.key(0), jnp.int32(TASK), jnp.int32(0))


def play(state, *actions):
  """The state after actions, and the last outcome."""
  for action in actions:
    outcome = advance(state, jnp.float32(action))
    state = outcome.state
  return state, outcome


def before_plate(away=1.2):
  """The body before the plate, to which it looks."""
  state = started()
  row = int(row_of(state))
  plate, normal = BANK.touch[row, 0], BANK.normal[row, 0]
  x, y = plate[:2] + away * normal
  yaw = np.arctan2(-normal[1], -normal[0])
  return state._replace(x=jnp.float32(x), y=jnp.float32(y), yaw=jnp.float32(yaw))


def key_ahead(state, away, z=0.375):
  """The key ahead of the body, its middle at the height of the eye."""
  ahead = np.array([np.cos(state.yaw), np.sin(state.yaw)]) * away
  foot = jnp.float32([state.x + ahead[0], state.y + ahead[1], z])
  return state._replace(foot=state.foot.at[0].set(foot))


def holding(away=1.2, reach=0.6):
  state = key_ahead(before_plate(away), reach)
  return state._replace(held=jnp.int32(0), reach=jnp.float32(reach), distance=jnp.float32(reach))


def test_a_closed_hand_takes_the_key_and_an_open_one_does_not():
  state = key_ahead(before_plate(1.8), 1.0)
  assert int(play(state, CLOSED)[0].held) == 0
  assert int(play(state, OPEN)[0].held) == NOTHING


@pytest.mark.parametrize(("away", "turn"), [(2.2, 0.0), (1.0, 0.4)])
def test_what_is_too_far_or_beside_the_ray_is_not_taken(away, turn):
  state = key_ahead(before_plate(3.0), away)
  state = state._replace(yaw=state.yaw + turn)
  assert int(play(state, CLOSED)[0].held) == NOTHING


def test_an_open_hand_lets_the_key_fall_to_the_floor():
  state, _ = play(holding(3.0), OPEN)
  assert int(state.held) == NOTHING
  assert float(state.foot[0, 2]) == 0


def test_what_is_pressed_against_a_wall_by_half_a_cell_is_dropped():
  state, _ = play(holding(0.5), CLOSED)
  assert int(state.held) == 0
  # The wall is .5 ahead and the key has a half of .125: it cannot be held .9 ahead.
  state, _ = play(state._replace(reach=jnp.float32(0.9)), CLOSED)
  assert int(state.held) == NOTHING


def test_push_moves_what_is_held_away():
  state, _ = play(holding(3.0), [0, 0, 0, 0, 1, 1])
  assert float(state.distance) == pytest.approx(0.7, abs=1e-5)


def test_a_throw_goes_four_cells_or_to_the_wall():
  state, _ = play(holding(3.0), [0, 0, 0, 0, 1, -1])
  plate = BANK.touch[int(row_of(state)), 0, :2]
  assert float(np.hypot(*(state.foot[0, :2] - plate))) == pytest.approx(0.3, abs=1e-3)


def test_the_key_on_the_plate_opens_the_door_for_good():
  state = holding(1.2, 0.6)
  assert not bool(play(state, CLOSED)[0].opened[0])
  state, _ = play(state, [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1])
  assert bool(state.opened[0])
  state, _ = play(state, [-1, 0, 0, 0, 0, -1], [-1, 0, 0, 0, 0, -1])
  assert bool(state.opened[0])


def test_the_body_alone_does_not_open_the_door():
  state, _ = play(before_plate(1.2), *[[1, 0, 0, 0, 0, 1]] * 4)
  assert not bool(state.opened.any())


def test_a_shut_door_stops_the_body_and_an_open_one_does_not():
  for opened in (False, True):
    state = started()
    low, high = BANK.door[int(row_of(state)), 0]
    middle = (low + high)[:2] / 2
    room = BANK.open[int(row_of(state))] & (BANK.floor[int(row_of(state))] == layouts.ROOM)
    sides = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    inside = next(s for s in sides if room[tuple(np.floor(middle + s).astype(int)[::-1])])
    x, y = middle + inside
    yaw = np.arctan2(-inside[1], -inside[0])
    state = state._replace(
      x=jnp.float32(x), y=jnp.float32(y), yaw=jnp.float32(yaw), opened=jnp.array([opened])
    )
    state, _ = play(state, *[[1, 0, 0, 0, 0, -1]] * 5)
    passed = np.dot(np.array([state.x, state.y]) - middle, -inside)
    assert (passed > 0) == opened


def test_the_apple_alone_pays_and_ends_the_episode():
  state = started()
  apple = BANK.apple[int(row_of(state))]
  _, outcome = play(state, CLOSED)
  assert (float(outcome.reward), bool(outcome.terminated)) == (0.0, False)
  state = state._replace(x=jnp.float32(apple[0]), y=jnp.float32(apple[1]))
  _, outcome = play(state, CLOSED)
  assert (float(outcome.reward), bool(outcome.terminated)) == (1.0, True)


def test_links_are_kept_when_what_they_stand_for_is_over():
  state, _ = play(key_ahead(before_plate(1.8), 1.0), CLOSED, OPEN)
  assert state.reached.tolist()[:3] == [True, False, False]


def test_the_last_step_truncates():
  steps = int(table.TABLE.steps[TASK])
  _, outcome = play(started()._replace(steps=jnp.int32(steps - 1)), OPEN)
  assert bool(outcome.truncated)


def test_door_plate_and_key_are_seen():
  scene = view.scene(BANK, started())
  assert int(scene.boxes.on.sum()) == 3
