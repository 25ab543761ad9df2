"""What touching, opening and tagging do in the labyrinth: one rule a test."""

import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person.body import USE
from envs.first_person.labyrinth import layouts, maps, state, view
from envs.first_person.scene import N
from tests.envs.first_person.labyrinth.play import act, begin, here, put, row, shape, slots, touch

FORWARD, BACK = 0, 1


@pytest.mark.parametrize(
  ("name", "good", "bad"),
  [
    ("rooms_collect_good_objects", (10, 1), (10, -1)),
    ("natlab_varying_map_randomized", (20, 1), (0, 0)),
    ("explore_object_rewards_few", (2, 2), (2, -1)),
    ("explore_object_rewards_many", (4, 2), (4, -1)),
  ],
)
def test_good_things_and_bad_ones_pay_what_the_level_says_and_are_gone(name, good, bad):
  start = begin(name)
  value = np.where(start.things.on, start.things.value, 0)
  for count, pays in (good, bad):
    those = slots(value == pays) if pays else []
    assert len(those) == count
    for slot in those[:1]:
      outcome = touch(start, slot)
      assert float(outcome.reward) == pays
      assert slots(start.things.on & ~outcome.state.things.on) == [slot]


def test_the_tenth_pickup_ends_the_hall_of_good_things_and_no_other_does():
  start = begin("rooms_collect_good_objects")
  assert bool(touch(start._replace(pickups=jnp.int32(9)), 0).terminated)
  assert not bool(touch(start._replace(pickups=jnp.int32(8)), 0).terminated)


def test_the_pair_of_things_and_walls_that_is_held_out_is_in_no_training_map():
  name = "rooms_collect_good_objects"
  bank = maps.load()

  def looks(k):
    return shape(begin(name, k), 0), int(bank.wall[row(name, k), 0, 0])

  training = {looks(k) for k in range(3)}
  held_out = {looks(maps.TRAIN + k) for k in range(3)}
  assert len(training) == 3
  assert len(held_out) == 1
  assert not training & held_out
  assert {thing for thing, _ in held_out} <= {thing for thing, _ in training}


def test_when_the_last_good_thing_is_gone_all_return_and_the_agent_is_elsewhere():
  start = begin("explore_object_rewards_few")
  only = start.things.on & (start.things.value < 0)
  last = start._replace(things=start.things._replace(on=only.at[0].set(True)))
  outcome = touch(last, 0)
  assert slots(outcome.state.things.on) == [0, 1, 2, 3]
  assert here(outcome.state) != (float(start.things.x[0]), float(start.things.y[0]))


def test_mushrooms_do_not_return_where_there_is_no_regrowth():
  start = begin("natlab_varying_map_randomized")
  on = jnp.zeros(state.SLOTS, bool).at[3].set(True)
  outcome = touch(start._replace(things=start.things._replace(on=on)), 3)
  for _ in range(3):
    outcome = act(outcome.state)
  assert slots(outcome.state.things.on) == []


def test_a_mushroom_grows_again_after_600_steps():
  outcome = touch(begin("natlab_varying_map_regrowth"), 2)
  assert int(outcome.state.things.back[2]) == 600
  away = put(outcome.state, *here(begin("natlab_varying_map_regrowth")))
  things = away.things._replace(back=away.things.back.at[2].set(2))
  almost = act(away._replace(things=things))
  assert not bool(almost.state.things.on[2])
  assert bool(act(almost.state).state.things.on[2])


def test_a_goal_pays_10_and_stays_and_the_agent_is_elsewhere():
  start = begin("explore_goal_locations_small")
  outcome = touch(start, 0)
  goal = float(start.things.x[0]), float(start.things.y[0])
  assert float(outcome.reward) == 10
  assert bool(outcome.state.things.on[0])
  assert (float(outcome.state.things.x[0]), float(outcome.state.things.y[0])) == goal
  assert np.hypot(*np.subtract(here(outcome.state), goal)) > 0.9


def reachable(start, k):
  """Whether a way leads to the goal by cells that are not shut."""
  free = maps.load().open[row("explore_obstructed_goals_small", k)].copy()
  for door in np.asarray(maps.load().door)[row("explore_obstructed_goals_small", k)][start.shut]:
    free[door // N, door % N] = False
  goal = int(start.things.y[0]), int(start.things.x[0])
  return layouts.distances(free, [goal])[int(start.pose.y), int(start.pose.x)] >= 0


def test_among_shut_doors_a_way_to_the_goal_is_open():
  some_shut = 0
  for k in range(20):
    start = begin("explore_obstructed_goals_small", k, seed=k)
    assert reachable(start, k)
    some_shut += int(start.shut.sum())
    after = touch(start, 0).state
    assert reachable(after, k)
  assert some_shut > 20


def test_doors_are_shut_anew_when_a_goal_was_reached():
  start = begin("explore_obstructed_goals_large")
  assert any(
    (touch(begin("explore_obstructed_goals_large", seed=s), 0).state.shut != start.shut).any()
    for s in range(3)
  )


def test_the_platform_is_not_seen_and_pays_five_steps_then_the_agent_is_at_the_rim():
  now = begin("rooms_watermaze")
  assert not bool(view.scene(maps.load(), now).billboards.on.any())
  now = put(now, now.things.x[0], now.things.y[0])
  for step in range(5):
    outcome = act(now)
    assert float(outcome.reward) == 1
    assert (here(outcome.state) == here(now)) == (step < 4)
    now = outcome.state
  x, y = np.subtract(here(now), N / 2)
  assert np.hypot(x, y) == pytest.approx(4.9, abs=1e-3)
  facing = float(now.pose.heading) * np.pi / 15
  assert np.cos(facing) * x + np.sin(facing) * y == pytest.approx(-4.9, abs=1e-2)
  assert int(now.pickups) == 0
  assert float(act(now).reward) == 0


def neighbours(k, name="skymaze_irreversible_path_hard"):
  """Pairs of cells, one to the south of another, that both have a floor, with their heights."""
  bank, here_row = maps.load(), row(name, k)
  free, height = bank.open[here_row], bank.height[here_row].astype(int)
  return [
    (r, c, height[r, c], height[r + 1, c])
    for r, c in np.argwhere(free[:-1] & free[1:])
    if height[r, c] != height[r + 1, c]
  ]


def test_a_path_leads_down_and_not_up():
  start = begin("skymaze_irreversible_path_hard")
  south, north = 8, 22
  pairs = neighbours(0)
  assert {above > below for _, _, above, below in pairs} == {True, False}
  for r, c, northern, southern in pairs:
    from_north, from_south = (
      put(start, c + 0.5, r + 0.5, south),
      put(start, c + 0.5, r + 1.5, north),
    )
    for now in (from_north, from_south):
      crossed = now
      for _ in range(4):
        crossed = act(crossed, FORWARD).state
      down = northern > southern if now is from_north else southern > northern
      assert (int(crossed.pose.y) != int(now.pose.y)) == down


def test_nobody_walks_into_the_chasm():
  start = begin("skymaze_irreversible_path_hard")
  bank = maps.load()
  free = bank.open[row("skymaze_irreversible_path_hard")]
  now, rng = start, np.random.default_rng(0)
  for action in rng.integers(0, 10, 80):
    now = act(now, action).state
    x, y = here(now)
    assert free[int(y), int(x)]


def test_the_goal_of_the_falling_paths_pays_100_and_ends_the_episode():
  outcome = touch(begin("skymaze_irreversible_path_varied"), 0)
  assert float(outcome.reward) == 100
  assert bool(outcome.terminated)


def test_the_box_costs_3_makes_the_floor_bright_and_opens_the_door():
  for k, opens in ((0, False), (maps.TRAIN, True)):
    start = begin("rooms_exploit_deferred_effects", k)
    assert shape(start, 10) == "crate"
    assert not bool(start.bright)
    assert bool(start.shut[0]) == opens
    outcome = touch(start, 10)
    assert float(outcome.reward) == -3
    assert bool(outcome.state.bright)
    assert not bool(outcome.state.shut.any())


def test_in_training_a_dark_floor_means_a_shut_door_and_a_bright_one_an_open_door():
  dark, bright = (begin("rooms_exploit_deferred_effects", k) for k in (1, 2))
  assert bool(dark.shut[0])
  assert not bool(dark.bright)
  assert not bool(dark.things.on[10])
  assert not bool(bright.shut[0])
  assert bool(bright.bright)
  assert not bool(bright.things.on[10])
  assert float(touch(bright, 0).reward) == 10
  assert bool(act(dark).state.shut[0])


def test_the_pad_leads_to_the_room_and_what_was_shown_is_wrong_there():
  start = begin("rooms_select_nonmatching_object")
  outcome = touch(start, 1)
  assert float(outcome.reward) == 1
  fixed = maps.load().fixed[row("rooms_select_nonmatching_object")]
  x, y = here(outcome.state)
  assert int(y) * N + int(x) == fixed[maps.THERE]
  things = start.things
  matching = [
    s for s in (2, 3) if (things.shape[s], things.colour[s]) == (things.shape[0], things.colour[0])
  ]
  assert len(matching) == 1
  for slot in (2, 3):
    back = touch(outcome.state, slot)
    assert float(back.reward) == (-10 if slot in matching else 10)
    x, y = here(back.state)
    assert int(y) * N + int(x) == fixed[maps.HERE]
    assert not bool(back.terminated)


def test_what_is_behind_the_window_cannot_be_touched():
  start = begin("rooms_select_nonmatching_object")
  now = put(start, start.things.x[0], start.things.y[0] + 1.5, 22)
  for _ in range(8):
    outcome = act(now, FORWARD)
    assert float(outcome.reward) == 0
    now = outcome.state


def at_door(start, d, k=0):
  """The agent before a door, facing it, and where the door's cell is."""
  bank = maps.load()
  door = int(bank.door[row("rooms_keys_doors_puzzle", k), d])
  r, c = divmod(door, N)
  for heading, (down, right) in ((8, (-1, 0)), (0, (0, -1))):
    if bank.open[row("rooms_keys_doors_puzzle", k), r + down, c + right]:
      return put(start, c + right + 0.5, r + down + 0.5, heading)
  raise AssertionError


def test_a_key_pays_1_and_is_held_and_no_second_one_is_taken():
  start = begin("rooms_keys_doors_puzzle")
  outcome = touch(start, 0)
  assert float(outcome.reward) == 1
  assert int(outcome.state.held) == int(start.things.colour[0])
  again = touch(outcome.state, maps.HERRING)
  assert float(again.reward) == 0
  assert bool(again.state.things.on[maps.HERRING])


def test_a_door_opens_to_who_walks_against_it_with_its_key_which_is_used_up():
  start = begin("rooms_keys_doors_puzzle")
  before = at_door(start, 0)
  assert bool(act(before, FORWARD).state.shut[0])
  holding = before._replace(held=start.colours[0])
  outcome = act(holding, FORWARD)
  assert not bool(outcome.state.shut[0])
  assert float(outcome.reward) == 1
  assert int(outcome.state.held) == -1
  wrong = before._replace(held=start.colours[3])
  assert bool(act(wrong, FORWARD).state.shut[0])
  assert bool(act(holding, USE).state.shut[0])


def test_the_traps_door_eats_a_key_that_the_chain_needs():
  k = 2
  start = begin("rooms_keys_doors_puzzle", k)
  needed = int(maps.load().variant[row("rooms_keys_doors_puzzle", k)])
  assert bool(start.shut[needed])
  before = at_door(start, maps.TRAP, k)._replace(held=start.colours[needed])
  outcome = act(before, FORWARD)
  assert not bool(outcome.state.shut[maps.TRAP])
  assert bool(outcome.state.shut[needed])
  assert int(outcome.state.held) == -1


def test_the_goal_behind_the_doors_pays_50_and_ends_the_episode():
  outcome = touch(begin("rooms_keys_doors_puzzle"), maps.GOAL)
  assert float(outcome.reward) == 50
  assert bool(outcome.terminated)


def with_bot(start, ahead, right=0.0):
  """An opponent before an agent that looks east, the others gone."""
  x, y = here(start)
  things = start.things
  things = things._replace(
    x=things.x.at[0].set(x + ahead), y=things.y.at[0].set(y + right), on=things.on & False
  )
  return start._replace(things=things._replace(on=things.on.at[0].set(True)))


def court():
  """An agent that looks along four open cells of a court."""
  start = begin("lasertag_three_opponents_large")
  free = maps.load().open[row("lasertag_three_opponents_large")]
  r, c = next((r, c) for r, c in np.argwhere(free) if free[r, c : c + 4].all())
  return put(start, c + 0.5, r + 0.5, 0)


def test_use_tags_an_opponent_in_sight_within_6_degrees_which_is_elsewhere_then():
  hit, missed = with_bot(court(), 2.0), with_bot(court(), 2.0, right=0.45)
  outcome = act(hit)
  assert float(outcome.reward) == 1
  moved = float(outcome.state.things.x[0]), float(outcome.state.things.y[0])
  assert np.hypot(*np.subtract(moved, here(hit))) != pytest.approx(2.0, abs=0.3)
  assert float(act(missed).reward) == 0
  assert float(act(hit, 4).reward) == 0


def test_no_opponent_is_tagged_through_a_wall():
  start = begin("lasertag_three_opponents_large")
  free = maps.load().open[row("lasertag_three_opponents_large")]
  r, c = next((r, c) for r, c in np.argwhere(free) if free[r, c : c + 3].tolist() == [1, 0, 1])
  assert float(act(with_bot(put(start, c + 0.5, r + 0.5, 0), 2.0)).reward) == 0


def test_an_opponent_that_sees_the_agent_tags_it_one_step_in_ten():
  now, tagged, steps = with_bot(court(), 3.0), 0, 300
  first = here(now)
  for _ in range(steps):
    outcome = act(now, 4)
    tagged += here(outcome.state) != first
    now = with_bot(put(outcome.state, *first, 0), 3.0)
  assert 0.05 * steps < tagged < 0.16 * steps


def test_opponents_walk_on_open_cells():
  now = begin("lasertag_three_opponents_small")
  free = maps.load().open[row("lasertag_three_opponents_small")]
  places = []
  for _ in range(60):
    now = act(now, 4).state
    places.append(np.stack([now.things.y[:3], now.things.x[:3]], -1))
    for y, x in places[-1]:
      assert free[int(y), int(x)]
  assert all(
    len(np.unique(cells, axis=0)) > 5 for cells in np.array(places).astype(int).swapaxes(0, 1)
  )


def test_an_episode_is_cut_off_by_time():
  start = begin("rooms_select_nonmatching_object")
  assert not bool(act(start._replace(steps=jnp.int32(298))).truncated)
  outcome = act(start._replace(steps=jnp.int32(299)))
  assert bool(outcome.truncated)
  assert not bool(outcome.terminated)
