"""The bonus counts: hashes and their visits, against dictionaries."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import counts, visits
from agents.bonuses.counts import CountsConfig
from agents.bonuses.episodic_counts import simhash
from tests.agents.bonuses.small_world import (
  KEY,
  LATENT,
  SIZE,
  context,
  outputs,
  reward_of,
  starting,
  walk,
)

LENGTH, BATCH, BITS = 9, 4, 3


def slow_counts(seen, projection, features, real):
  """1 / sqrt(n) of the codes, written as strings of signs, in the order of time."""
  rewards = np.zeros(real.shape)
  for t in range(real.shape[0]):
    for b in range(real.shape[1]):
      if real[t, b]:
        code = "".join("+" if x > 0 else "-" for x in features[t, b] @ projection)
        seen[code] += 1
        rewards[t, b] = 1 / np.sqrt(seen[code])
  return rewards


@pytest.mark.parametrize("of", ["observation", "latent"])
@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_of_two_batches_equal_a_slow_version(make_trajectory, of, jitted):
  bonus = counts.build(CountsConfig(of=of, bits=BITS), context())
  reward = reward_of(bonus, jitted)
  params, statistics = bonus.init(KEY)
  projection = np.asarray(statistics.projection, np.float64)
  rng, seen = np.random.default_rng(0), collections.Counter()
  for _ in range(2):
    trajectory = starting(make_trajectory(rng, LENGTH, BATCH, size=SIZE), ())
    out = outputs(rng, trajectory)
    rewards, statistics, _ = reward(params, statistics, trajectory, out)
    features = out.latents if of == "latent" else trajectory.observation
    real = np.asarray(trajectory.mask)
    expected = slow_counts(seen, projection, np.asarray(features[1:], np.float64), real)
    np.testing.assert_allclose(np.where(real, rewards, 0.0), expected, rtol=1e-5)
  assert int(statistics.table.sum()) == sum(seen.values())


def test_a_familiar_loop_is_paid_by_one_over_the_root_of_its_visits():
  bonus = counts.build(CountsConfig(), context())
  params, statistics = bonus.init(KEY)
  loop = np.resize(np.eye(SIZE)[[0, 1]], (13, SIZE))
  rewards, _, _ = bonus.reward(params, statistics, walk(loop, [13]), None, KEY)
  turns = np.repeat(np.arange(1, 7), 2)
  np.testing.assert_allclose(rewards[:, 0], 1 / np.sqrt(turns), rtol=1e-5)


def test_counts_do_not_start_anew_with_an_episode():
  bonus = counts.build(CountsConfig(), context())
  params, statistics = bonus.init(KEY)
  still = np.ones((8, SIZE))
  rewards, _, _ = bonus.reward(params, statistics, walk(still, [4, 4]), None, KEY)
  real = [0, 1, 2, 4, 5, 6]
  np.testing.assert_allclose(rewards[real, 0], 1 / np.sqrt(np.arange(1, 7)), rtol=1e-5)


def test_the_projection_is_fixed_and_no_gradient_goes_through_latents(make_trajectory):
  bonus = counts.build(CountsConfig(of="latent"), context())
  params, statistics = bonus.init(KEY)
  rng = np.random.default_rng(1)
  trajectory = make_trajectory(rng, LENGTH, BATCH, size=SIZE)
  out = outputs(rng, trajectory)

  def total(latents):
    seen = out._replace(latents=latents)
    rewards, new, _ = bonus.reward(params, statistics, trajectory, seen, KEY)
    return jnp.sum(rewards), new

  gradient, new = jax.grad(total, has_aux=True)(out.latents)
  assert params == ()
  np.testing.assert_array_equal(gradient, np.zeros_like(out.latents))
  np.testing.assert_array_equal(new.projection, statistics.projection)


def test_hashes_keep_small_angles_together_and_large_ones_apart():
  rng = np.random.default_rng(2)
  projection = jnp.asarray(rng.normal(size=(LATENT, 16)), jnp.float32)
  x = rng.normal(size=(1000, LATENT))
  code = np.asarray(simhash(projection, jnp.asarray(x, jnp.float32)))
  assert code.min() >= 0
  assert code.max() < 2**16
  np.testing.assert_array_equal(code, simhash(projection, jnp.asarray(7 * x, jnp.float32)))

  # A bit differs with probability angle / pi (Charikar 2002), so 16 agree with (1 - angle / pi)^16.
  def agreement(angle):
    y = rng.normal(size=x.shape)
    y -= x * np.sum(x * y, axis=1, keepdims=True) / np.sum(x * x, axis=1, keepdims=True)
    turned = np.cos(angle) * x + np.sin(angle) * y * (
      np.linalg.norm(x, axis=1, keepdims=True) / np.linalg.norm(y, axis=1, keepdims=True)
    )
    other = np.asarray(simhash(projection, jnp.asarray(turned, jnp.float32)))
    return np.mean(code == other)

  assert agreement(0.01) > 0.85
  assert agreement(np.pi / 2) < 0.01


def test_visits_that_do_not_count_leave_no_trace():
  place = jnp.zeros((2, 3), jnp.int32)
  n, table = visits.count(jnp.zeros(4, jnp.int32), place, jnp.zeros((2, 3), bool))
  np.testing.assert_array_equal(table, np.zeros(4))
  assert int(n.min()) >= 1


def test_a_table_too_large_is_a_clear_error():
  with pytest.raises(ValueError, match="bits"):
    CountsConfig(bits=30)
