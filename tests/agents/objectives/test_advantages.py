"""V-trace and GAE against recursions written out for one episode at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.objectives.advantages import advantages
from envs.environment import FIRST, LAST, MID

GAMMA = 0.9


def segments(types):
  """The steps [start, end] of each episode's part of the chunk; values are known at both ends."""
  out, start = [], 0
  for t in range(1, len(types)):
    if types[t] == FIRST:
      out.append((start, t - 1))
      start = t
  return [*out, (start, len(types) - 1)]


def slow_gae(values, rewards, discounts, types, lambda_):
  advantage = np.zeros(len(rewards))
  for start, end in segments(types):
    for t in range(start, end):
      for s in range(t, end):  # sum over delta_s (gamma lambda)^(s - t), equation 16
        delta = rewards[s] + discounts[s] * values[s + 1] - values[s]
        advantage[t] += np.prod(lambda_ * discounts[t:s]) * delta
  return advantage, values[:-1] + advantage


def slow_vtrace(values, rewards, discounts, ratios, types, lambda_):
  advantage, target = np.zeros(len(rewards)), values[:-1].copy()
  rho, c = np.minimum(1.0, ratios), lambda_ * np.minimum(1.0, ratios)
  for start, end in segments(types):
    for t in range(start, end):
      for s in range(t, end):  # equation 1
        delta = rho[s] * (rewards[s] + discounts[s] * values[s + 1] - values[s])
        target[t] += np.prod(discounts[t:s] * c[t:s]) * delta
    following = np.append(target[start + 1 : end], values[end])
    for t in range(start, end):  # section 4.2, with remark 2's lambda
      blend = lambda_ if t + 1 < end else 1.0
      bootstrap = blend * following[t - start] + (1.0 - blend) * values[t + 1]
      advantage[t] = rho[t] * (rewards[t] + discounts[t] * bootstrap - values[t])
  return advantage, target


@settings(max_examples=15)
@given(st.integers(1, 9), st.integers(0, 2**16), st.sampled_from([0.0, 0.7, 1.0]), st.booleans())
def test_vtrace_and_gae_equal_slow_recursions(make_step_types, length, seed, lambda_, jitted):
  rng = np.random.default_rng(seed)
  batch = 3
  types = make_step_types(rng, length, batch)
  values = rng.normal(size=(length + 1, batch)).astype(np.float32)
  rewards = rng.normal(size=(length, batch)).astype(np.float32)
  ends = rng.integers(0, 2, (length, batch))
  discounts = (GAMMA * np.where(types[1:] == LAST, ends, 1.0)).astype(np.float32)
  real = types[:-1] != LAST
  function = jax.jit(advantages) if jitted else advantages
  ones = np.ones_like(rewards)
  for ratios in (rng.lognormal(size=(length, batch)).astype(np.float32), ones):
    out = function(values, rewards, discounts, ratios, real, lambda_)
    for b in range(batch):
      columns = [x[:, b].astype(np.float64) for x in (values, rewards, discounts, ratios)]
      advantage, target = slow_vtrace(*columns, types[:, b], lambda_)
      np.testing.assert_allclose(out.advantage[:, b], advantage, atol=1e-5)
      np.testing.assert_allclose(out.target[:, b], target, atol=1e-5)
  for b in range(batch):  # the last was with ratios of 1: that is GAE
    columns = [x[:, b].astype(np.float64) for x in (values, rewards, discounts)]
    advantage, target = slow_gae(*columns, types[:, b], lambda_)
    np.testing.assert_allclose(out.advantage[:, b], advantage, atol=1e-5)
    np.testing.assert_allclose(out.target[:, b], target, atol=1e-5)


def chunk(end_discount):
  """Two episodes of two steps: FIRST MID LAST, FIRST MID LAST; gamma .5, lambda 1."""
  types = np.array([FIRST, MID, LAST, FIRST, MID, LAST])[:, None]
  discounts = 0.5 * np.where(types[1:] == LAST, end_discount, 1.0)
  rewards = np.array([1.0, 2.0, 0.0, 3.0, 4.0])[:, None]
  values = np.array([0.0, 0.0, 8.0, 100.0, 0.0, 16.0])[:, None]
  arrays = (jnp.asarray(x, jnp.float32) for x in (values, rewards, discounts, np.ones((5, 1))))
  return (*arrays, jnp.asarray(types[:-1] != LAST), 1.0)


def test_a_truncation_bootstraps_and_a_termination_does_not():
  cut = advantages(*chunk(1.0)).target[:, 0]
  np.testing.assert_allclose(cut, [1 + 0.5 * (2 + 4), 2 + 4, 8, 3 + 0.5 * (4 + 8), 4 + 8])
  ended = advantages(*chunk(0.0)).target[:, 0]
  np.testing.assert_allclose(ended, [1 + 0.5 * 2, 2, 8, 3 + 0.5 * 4, 4])


def test_nothing_leaks_from_one_episode_into_another():
  values, rewards, discounts, ratios, real, lambda_ = chunk(1.0)
  before = advantages(values, rewards, discounts, ratios, real, lambda_)
  after = advantages(
    values.at[3:].add(7.0),
    rewards.at[2:].add(7.0),
    discounts,
    ratios.at[2:].mul(3.0),
    real,
    lambda_,
  )
  for a, b in zip(before, after, strict=True):
    np.testing.assert_array_equal(a[:3], b[:3])
  after = advantages(
    values.at[:3].add(7.0),
    rewards.at[:3].add(7.0),
    discounts,
    ratios.at[:3].mul(3.0),
    real,
    lambda_,
  )
  for a, b in zip(before, after, strict=True):
    np.testing.assert_array_equal(a[3:], b[3:])
  np.testing.assert_array_equal(before.advantage[2], 0.0)  # LAST -> FIRST


@pytest.mark.parametrize("argument", [0, 3])
def test_no_gradient_passes(argument):
  def total(x):
    arguments = list(chunk(1.0))
    arguments[argument] = x
    out = advantages(*arguments)
    return jnp.sum(out.advantage) + jnp.sum(out.target)

  np.testing.assert_array_equal(jax.grad(total)(chunk(1.0)[argument]), 0.0)
