"""The bonus re3: neighbours in a random embedding, against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import embedding, re3
from agents.bonuses.re3 import RE3Config
from tests.agents.bonuses.small_world import KEY, SIZE, context, reward_of, starting, walk

LENGTH, BATCH, NEIGHBOURS = 6, 4, 3


def slow_rewards(points, references):
  """log(1 + distance to the third nearest of the references that are not the point itself)."""
  rewards = []
  for i, point in enumerate(points):
    distances = sorted(np.linalg.norm(point - points[j]) for j in references if j != i)
    rewards.append(np.log(1 + distances[NEIGHBOURS - 1]))
  return np.array(rewards)


@pytest.mark.parametrize("references", [100, 10])
@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_equal_a_slow_version(make_trajectory, references, jitted):
  config = RE3Config(size=8, neighbours=NEIGHBOURS, references=references)
  bonus = re3.build(config, context())
  params, statistics = bonus.init(KEY)
  trajectory = starting(make_trajectory(np.random.default_rng(0), LENGTH, BATCH, size=SIZE), ())
  rewards, _, _ = reward_of(bonus, jitted)(params, statistics, trajectory, key=jax.random.key(5))
  encoder = embedding.build(context(), 8)
  points = np.asarray(encoder.apply(statistics, trajectory.observation[1:]), np.float64)
  count = LENGTH * BATCH
  chosen = np.arange(count)
  if references < count:
    chosen = np.asarray(jax.random.permutation(jax.random.key(5), count)[:references])
  expected = slow_rewards(points.reshape(-1, 8), chosen).reshape(LENGTH, BATCH)
  np.testing.assert_allclose(rewards, expected, rtol=1e-3, atol=1e-4)


def test_the_encoder_is_fixed(make_trajectory):
  bonus = re3.build(RE3Config(), context())
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(1), LENGTH, BATCH)
  _, new, _ = bonus.reward(params, statistics, trajectory, None, KEY)
  assert params == ()
  assert all(jax.tree.leaves(jax.tree.map(jnp.array_equal, new, statistics)))


def test_standing_still_pays_nothing_and_spreading_out_pays():
  bonus = re3.build(RE3Config(), context())
  params, statistics = bonus.init(KEY)

  def paid(observations):
    return bonus.reward(params, statistics, walk(observations, [13]), None, KEY)[0]

  rng = np.random.default_rng(2)
  np.testing.assert_allclose(paid(np.tile(rng.normal(size=SIZE), (13, 1))), 0.0, atol=1e-3)
  loop = np.resize(np.eye(SIZE), (13, SIZE))  # each state four times, so three twins are near
  np.testing.assert_allclose(paid(loop), 0.0, atol=1e-3)
  assert float(paid(rng.normal(size=(13, SIZE))).min()) > 0.01


def test_episodes_do_not_matter(make_trajectory):
  bonus = re3.build(RE3Config(), context())
  params, statistics = bonus.init(KEY)
  observations = np.random.default_rng(3).normal(size=(13, SIZE))
  one, _, _ = bonus.reward(params, statistics, walk(observations, [13]), None, KEY)
  two, _, _ = bonus.reward(params, statistics, walk(observations, [5, 8]), None, KEY)
  np.testing.assert_array_equal(one, two)


def test_a_batch_smaller_than_k_takes_its_farthest():
  points = jnp.asarray([[0.0], [3.0]])
  distance = re3.neighbour_distance(points, jnp.arange(2), 5)
  np.testing.assert_allclose(distance, [3.0, 3.0], rtol=1e-5)


def test_more_neighbours_than_references_are_a_clear_error():
  with pytest.raises(ValueError, match="neighbours is 8"):
    RE3Config(neighbours=8, references=8)
