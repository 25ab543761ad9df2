"""The bonus oracle_counts: true places and their visits, against a dictionary."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import oracle_counts
from envs.capabilities import Oracle, Places
from tests.agents.bonuses.small_world import KEY, SIZE, context, reward_of, starting

LENGTH, BATCH = 9, 4
PLACES = Places(2, 3, np.ones(6, bool), np.full(6, -1))


def visited(rng, make_trajectory):
  trajectory = starting(make_trajectory(rng, LENGTH, BATCH, size=SIZE), ())
  shape = trajectory.reward.shape
  place = jnp.asarray(rng.integers(0, 6, shape), jnp.int32)
  nothing = jnp.zeros((*shape, 0), jnp.int32)
  return trajectory._replace(oracle=Oracle(place, nothing, jnp.zeros(shape, bool)))


@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_of_two_batches_equal_a_slow_version(make_trajectory, jitted):
  bonus = oracle_counts.build(None, context(PLACES))
  reward = reward_of(bonus, jitted)
  params, statistics = bonus.init(KEY)
  rng, seen = np.random.default_rng(0), collections.Counter()
  for _ in range(2):
    trajectory = visited(rng, make_trajectory)
    rewards, statistics, _ = reward(params, statistics, trajectory)
    for t, b in np.argwhere(np.asarray(trajectory.mask)):
      place = int(trajectory.oracle.place[t + 1, b])
      seen[place] += 1
      np.testing.assert_allclose(rewards[t, b], seen[place] ** -0.5, rtol=1e-5)
  np.testing.assert_array_equal(statistics, [seen[place] for place in range(6)])


def test_a_place_that_is_known_pays_ever_less(make_trajectory):
  bonus = oracle_counts.build(None, context(PLACES))
  trajectory = visited(np.random.default_rng(1), make_trajectory)
  oracle = jax.tree.map(jnp.zeros_like, trajectory.oracle)
  rewards, table, _ = bonus.reward(
    (), bonus.init(KEY)[1], trajectory._replace(oracle=oracle), (), KEY
  )
  paid = np.asarray(rewards)[np.asarray(trajectory.mask)]
  np.testing.assert_allclose(paid, 1 / np.sqrt(np.arange(1, len(paid) + 1)), rtol=1e-5)
  assert int(table[0]) == len(paid)


@pytest.mark.parametrize("functional", [False, True])
def test_an_environment_without_places_is_a_clear_error(functional):
  # Of the host, without the method; and functional, without a map.
  world = context()
  if functional:
    world.env.places = lambda: None
  with pytest.raises(ValueError, match="SimpleNamespace does not tell its places"):
    oracle_counts.build(None, world)
