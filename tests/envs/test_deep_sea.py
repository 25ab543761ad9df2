"""DeepSea step by step against bsuite's."""

import jax
import numpy as np
import pytest

import envs
from envs.adapters import to_dm_env
from envs.conformance import check
from envs.hard.deep_sea import DeepSea

bsuite_deep_sea = pytest.importorskip("bsuite.environments.deep_sea")


def bsuite_of(size, mapping_seed):
  return bsuite_deep_sea.DeepSea(size=size, mapping_seed=mapping_seed)


def assert_same(ours, theirs):
  assert ours.step_type == theirs.step_type
  np.testing.assert_array_equal(ours.observation, theirs.observation)
  assert ours.observation.dtype == theirs.observation.dtype
  assert ours.discount == theirs.discount
  if theirs.reward is None:
    assert ours.reward is None
  else:
    np.testing.assert_allclose(ours.reward, theirs.reward, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("size", [1, 2, 5, 10, 20])
@pytest.mark.parametrize("mapping_seed", [0, 42])
def test_random_episodes_agree_with_bsuite_step_by_step(size, mapping_seed):
  ours, theirs = to_dm_env(DeepSea(size, mapping_seed)), bsuite_of(size, mapping_seed)
  actions = np.random.default_rng(size).integers(0, 2, 5 * (size + 1))
  for action in actions:
    assert_same(ours.step(action), theirs.step(action))


@pytest.mark.parametrize("size", [3, 10])
@pytest.mark.parametrize("mapping_seed", [1, 42])
def test_the_optimal_episode_agrees_with_bsuite_and_with_optimal(size, mapping_seed):
  env = DeepSea(size, mapping_seed)
  ours, theirs = to_dm_env(env), bsuite_of(size, mapping_seed)
  assert_same(ours.reset(), theirs.reset())
  rewards = []
  for cell in range(size):
    action = theirs._action_mapping[cell, cell]
    timestep = ours.step(action)
    assert_same(timestep, theirs.step(action))
    rewards.append(timestep.reward)
  assert timestep.last()
  assert not timestep.observation.any()
  reference = env.optimal()
  np.testing.assert_allclose(reference.episode_return, sum(rewards), rtol=1e-6)
  np.testing.assert_allclose(reference.episode_return, theirs._optimal_return, rtol=1e-6)
  discounted = sum(0.99**t * reward for t, reward in enumerate(rewards))
  np.testing.assert_allclose(reference.discounted_return, discounted, rtol=1e-6)
  assert (reference.success, reference.length) == (1.0, size)
  assert sum(rewards) >= env.success_return


def test_every_return_but_the_optimal_one_is_no_success():
  env = DeepSea(4)
  returns = []
  for bits in range(2**4):
    state, _ = env.reset(jax.random.key(0))
    total = 0.0
    for t in range(4):
      state, timestep = env.step(state, np.int32(bits >> t & 1))
      total += float(timestep.reward)
    returns.append(total)
  assert sum(r >= env.success_return for r in returns) == 1


def test_conforms():
  check(envs.make("deep_sea", size=4), steps=30)


def test_render_shows_diver_and_treasure():
  env = DeepSea(3)
  state, _ = env.reset(jax.random.key(0))
  picture = np.asarray(jax.jit(env.render)(state))
  assert picture.dtype == np.uint8
  assert picture.shape == (24, 24, 3)
  assert tuple(picture[0, 0]) == (255, 255, 255)
  assert tuple(picture[-1, -1]) == (255, 215, 0)
  assert tuple(picture[0, -1]) == (0, 40, 90)


def test_a_size_that_is_not_positive_is_refused():
  with pytest.raises(ValueError, match="size is 0; expected at least 1"):
    envs.make("deep_sea", size=0)
