"""The laws of the objects, step by step and by their statistics."""

from collections import Counter

import jax
import numpy as np
import pytest
import scipy.stats

import envs

STAY = 4
LIKELY = 1e-3
"""Level of the tests of distributions; the draws are fixed, so that they fail once or never."""


def track(play, kind, steps=4000, seed=0):
  """The cells and directions of one object in the upper room, the agent standing still."""
  env = envs.make("maze/five_rooms", objects=kind, max_episode_steps=steps)
  states, _, _ = play(env, seed, np.full(steps, STAY))
  return states.objects[:, 0], states.directions[:, 0]


def test_a_fixed_object_stays(play):
  cells, _ = track(play, "fixed", steps=100)
  assert len(set(cells)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_bouncing_object_goes_straight_and_turns_back_where_its_room_ends(play, five, seed):
  cells, directions = track(play, "bouncing", steps=60, seed=seed)
  cell, direction = five.pair(cells[0]), int(directions[0])
  turns = 0
  for number in cells[1:]:
    ahead = five.move(cell, direction, inside=True)
    if ahead == cell:
      direction, turns = (direction + 2) % 4, turns + 1
      ahead = five.move(cell, direction, inside=True)
    assert ahead != cell
    cell = ahead
    assert five.pair(number) == cell
  assert turns >= 2


def test_a_brownian_object_takes_each_direction_equally_often(play, five):
  cells, _ = track(play, "brownian")
  moves = Counter()
  for before, after in zip(map(five.pair, cells[:-1]), map(five.pair, cells[1:]), strict=True):
    ahead = [five.move(before, action, inside=True) for action in range(4)]
    assert after in ahead
    if before not in ahead:  # no wall near: each step tells its direction
      moves[ahead.index(after)] += 1
  assert scipy.stats.chisquare([moves[action] for action in range(4)]).pvalue > LIKELY


def test_a_blocked_brownian_object_stays(play, five):
  cells, _ = track(play, "brownian")
  stays = expected = variance = 0.0
  for before, after in zip(map(five.pair, cells[:-1]), map(five.pair, cells[1:]), strict=True):
    share = [five.move(before, action, inside=True) for action in range(4)].count(before) / 4
    stays, expected, variance = stays + (after == before), expected + share, variance + share / 2
  assert abs(stays - expected) < 4 * np.sqrt(variance)


def test_white_noise_is_uniform_over_its_room_and_forgets(play, five):
  cells, _ = track(play, "white_noise")
  room = [cell for cell in five.at if five.room(cell) == 1]
  seen = Counter(map(five.pair, cells))
  assert set(seen) == set(room)
  assert scipy.stats.chisquare([seen[cell] for cell in room]).pvalue > LIKELY
  rows = np.array([five.pair(cell)[0] for cell in cells])
  assert abs(np.corrcoef(rows[:-1], rows[1:])[0, 1]) < 4 / np.sqrt(len(rows))


@pytest.mark.parametrize("kind", ["fixed", "bouncing", "brownian", "white_noise", "movable"])
def test_objects_start_anywhere_in_their_room_but_on_the_agent(five, kind):
  env = envs.make("maze/five_rooms", objects=[kind] * 5)
  for thing, room in zip(env.things, (1, 2, 3, 4, 0), strict=True):
    starts = {five.pair(cell) for cell, _ in thing.starts}
    assert starts == {cell for cell in five.at if five.room(cell) == room} - {five.pair(env.start)}
    for cell, direction in thing.starts:
      if kind == "bouncing":
        assert five.move(five.pair(cell), direction, inside=True) != five.pair(cell)


def test_starts_are_drawn_uniformly():
  env = envs.make("maze/five_rooms", objects="fixed,movable")
  states, _ = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), 4000))
  for i, thing in enumerate(env.things):
    seen = Counter(np.asarray(states.objects[:, i]).tolist())
    counts = [seen[int(cell)] for cell in thing.starts[:, 0]]
    assert sum(counts) == 4000
    assert scipy.stats.chisquare(counts).pvalue > LIKELY


def test_a_push_moves_an_object_on_or_blocks_the_agent(play, random_actions, five):
  env = envs.make("maze/five_rooms", objects="fixed,fixed,fixed,fixed,movable")
  pushes = blocks = 0
  for seed in range(6):
    actions = random_actions(500, seed)
    states, _, _ = play(env, seed, actions)
    for t, action in enumerate(actions):
      agent, thing = five.pair(states.cell[t]), five.pair(states.objects[t, 4])
      target = five.move(agent, action)
      if target == thing:
        onward = five.move(thing, action, inside=True)
        pushes, blocks = pushes + (onward != thing), blocks + (onward == thing)
        target, thing = (agent if onward == thing else target), onward
      assert five.pair(states.cell[t + 1]) == target
      assert five.pair(states.objects[t + 1, 4]) == thing
  assert pushes > 5
  assert blocks > 0
