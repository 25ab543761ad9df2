"""Zipf's Gridworld's references against plain searches, a Markov chain and published figures."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.zipf import maps, references
from envs.zipf.gridworld import ZipfGridworld, rank_distribution
from experiments.acting.random_play import random_play

SPLITS = [("zipf", 2.0), ("zipf", 1.0), ("uniform", 2.0), ("rare", 2.0)]
# Optimal length and discounted return; success and length of 100,000 random episodes.
PUBLISHED = {
  ("zipf", 2.0): (13.42, 0.884, 0.031, 17.8),
  ("zipf", 1.0): (11.34, 0.903, 0.040, 16.9),
  ("uniform", 2.0): (10.28, 0.913, 0.045, 17.4),
  ("rare", 2.0): (8.19, 0.932, 0.085, 22.2),
}


def shortest_path(map_index, target_index):
  """Length of a shortest path that touches nothing but the target, by a plain queue."""
  world = maps.load()
  start = int(world.start[map_index])
  queue, seen = collections.deque([(start, 0)]), {start}
  while queue:
    cell, steps = queue.popleft()
    touched = world.object_at[map_index, cell]
    if touched == target_index:
      return steps
    if touched >= 0:
      continue
    for to in world.next_cell[map_index, cell].tolist():
      if to not in seen:
        seen.add(to)
        queue.append((to, steps + 1))
  raise AssertionError("no path")


def exact_random_play():
  """Chance of touching each object first, [map, rank], and mean length, [map], of random play."""
  world = maps.load()
  touching, length = np.zeros((20, 20)), np.zeros(20)
  for k in range(20):
    alive = np.zeros(169)
    alive[world.start[k]] = 1
    for _ in range(100):
      length[k] += alive.sum()
      moved = np.zeros(169)
      for action in range(8):
        np.add.at(moved, world.next_cell[k, :, action], alive / 8)
      touching[k] += moved[world.object_cell[k]]
      moved[world.object_cell[k]] = 0
      alive = moved
  return touching, length


def test_distances_equal_a_plain_search():
  found = references.distances()[np.arange(20), :, maps.load().start]
  expected = [[shortest_path(k, target) for target in range(20)] for k in range(20)]
  np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("split", "exponent"), SPLITS)
def test_optimum_is_the_published_one(split, exponent):
  optimal = ZipfGridworld(split, exponent).optimal()
  length, discounted, _, _ = PUBLISHED[split, exponent]
  assert optimal.success == pytest.approx(1.0)
  assert optimal.episode_return == pytest.approx(1.0)
  assert optimal.length == pytest.approx(length, abs=0.0051)
  assert optimal.discounted_return == pytest.approx(discounted, abs=0.00051)


def test_optimal_actions_reach_every_target_in_the_fewest_steps():
  env = ZipfGridworld()
  table = jnp.asarray(references.optimal_actions())

  @jax.jit
  @jax.vmap
  def play(map_index, target_index):
    state, _ = env.reset_to(jax.random.key(0), map_index, target_index)

    def step(state, _):
      action = table[map_index, target_index, state.cell]
      state, timestep = env.step(state, action)
      return state, (timestep.step_type, timestep.reward)

    return jax.lax.scan(step, state, length=40)[1]

  map_index, target_index = np.indices((20, 20)).reshape(2, -1)
  step_type, reward = play(map_index, target_index)
  first_last = (np.asarray(step_type) == envs.LAST).argmax(1)
  expected = references.distances()[map_index, target_index, maps.load().start[map_index]]
  np.testing.assert_array_equal(first_last + 1, expected)
  assert (np.asarray(reward)[np.arange(400), first_last] == 1).all()


@pytest.mark.parametrize(("split", "exponent"), SPLITS)
def test_random_play_scores_what_a_markov_chain_says(split, exponent):
  episodes = 8192
  ranks = rank_distribution(split, exponent)
  touching, length = exact_random_play()
  success = (ranks[:, None] * ranks * touching).sum()
  played = random_play(ZipfGridworld(split, exponent), jax.random.key(0), episodes)
  # Four standard errors: of a Bernoulli mean, and of a length whose deviation is under 30 steps.
  assert played.success == pytest.approx(success, abs=4 * np.sqrt(success / episodes))
  assert played.length == pytest.approx((ranks * length).sum(), abs=4 * 30 / np.sqrt(episodes))
  assert played.episode_return == played.success


@pytest.mark.parametrize(("split", "exponent"), SPLITS)
def test_markov_chain_agrees_with_the_published_random_play(split, exponent):
  ranks = rank_distribution(split, exponent)
  touching, length = exact_random_play()
  _, _, success, steps = PUBLISHED[split, exponent]
  exact = (ranks[:, None] * ranks * touching).sum()
  # Rounding and four standard errors of the published 100,000 episodes.
  assert exact == pytest.approx(success, abs=0.0005 + 4 * np.sqrt(exact / 1e5))
  assert (ranks * length).sum() == pytest.approx(steps, abs=0.05 + 4 * 30 / np.sqrt(1e5))
