"""Coverage counts what was visited, against a slow count."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.trajectory import Trajectory
from envs.capabilities import Oracle, Places
from experiments.acting import coverage

PLACES = Places(
  2, 3, np.array([True, True, True, False, True, True]), np.array([0, 0, -1, -1, 1, 1], np.int32)
)


def trajectory(place):
  place = jnp.asarray(place, jnp.int32)
  hidden = Oracle(place, jnp.zeros((*place.shape, 0), jnp.int32), place == 2)
  return Trajectory(*[None] * 7, oracle=hidden)


def test_visits_and_first_visits_equal_a_slow_count():
  rng = np.random.default_rng(0)
  visits, first = np.zeros(6, int), np.full(6, coverage.NEVER)
  counted = coverage.init(PLACES)
  update = jax.jit(coverage.update)
  step = 0
  for _ in range(3):
    place = rng.choice([0, 1, 2, 4], (5, 2))
    counted = update(counted, trajectory(place), jnp.int32(step))
    for t in range(4):  # the last entry opens the next trajectory
      for b in range(2):
        visits[place[t, b]] += 1
        first[place[t, b]] = min(first[place[t, b]], step + 2 * t)
    step += 8
  np.testing.assert_array_equal(counted.visits, visits)
  np.testing.assert_array_equal(counted.first_visit, first)


def test_shares_of_places_and_rooms_seen():
  seen = trajectory([[0, 2], [4, 2], [5, 5]])
  counted = coverage.update(coverage.init(PLACES), seen, jnp.int32(0))
  metrics = coverage.metrics(counted, seen, PLACES)
  np.testing.assert_allclose(metrics["coverage"], 3 / 5)
  np.testing.assert_allclose(metrics["rooms"], 1.0)
  np.testing.assert_allclose(metrics["near_noise"], 2 / 4)


def test_a_map_without_rooms_has_no_share_of_them():
  places = PLACES._replace(rooms=np.full(6, -1, np.int32))
  seen = trajectory([[0], [1]])
  counted = coverage.update(coverage.init(places), seen, jnp.int32(0))
  assert set(coverage.metrics(counted, seen, places)) == {"coverage", "near_noise"}
