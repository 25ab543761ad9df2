"""ICM against NumPy, and what it pays for the familiar and the unseen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import icm
from agents.bonuses.icm import ICMConfig
from envs.environment import LAST
from tests.agents.bonuses.slow_networks import CONTEXT, familiar_and_unseen, mlp
from tests.agents.bonuses.small_world import KEY

LENGTH, BATCH = 6, 4
CONFIG = ICMConfig(size=8)


def slow_errors(params, trajectory):
  """1/2 ||forward(e(o_t), a_t) - e(o_{t+1})||^2 and -log p(a_t | e(o_t), e(o_{t+1})), [T, B]."""
  forward, inverse = np.zeros((2, LENGTH, BATCH))
  for t in range(LENGTH):
    for b in range(BATCH):
      before, after = (
        mlp(params["inverse"]["embedding"], trajectory.observation[s, b]) for s in (t, t + 1)
      )
      action = int(trajectory.action[t, b])
      predicted = mlp(params["forward"], np.concatenate([before, np.eye(2)[action]]))
      forward[t, b] = 0.5 * np.sum((predicted - after) ** 2)
      logits = mlp(params["inverse"]["head"], np.concatenate([before, after]))
      inverse[t, b] = np.log(np.sum(np.exp(logits))) - logits[action]
  return forward, inverse


@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_and_loss_equal_a_slow_version(make_trajectory, jitted):
  bonus = icm.build(CONFIG, CONTEXT)
  reward, loss = (jax.jit(f) if jitted else f for f in (bonus.reward, bonus.loss))
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(0), LENGTH, BATCH)
  forward, inverse = slow_errors(params, trajectory)
  rewards, _, _ = reward(params, statistics, trajectory, None, KEY)
  np.testing.assert_allclose(rewards, forward, rtol=1e-3, atol=1e-5)
  real = np.asarray(trajectory.step_type[:-1]) != LAST
  expected = 0.8 * inverse[real].mean() + 0.2 * forward[real].mean()
  np.testing.assert_allclose(loss(params, statistics, trajectory, None, KEY), expected, rtol=1e-4)


def test_the_forward_error_trains_the_embedding_too(make_trajectory):
  bonus = icm.build(ICMConfig(size=8, beta=1.0), CONTEXT)
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(1), LENGTH, BATCH)
  gradient = jax.grad(bonus.loss)(params, statistics, trajectory, None, KEY)
  assert all(jnp.any(g) for g in jax.tree.leaves(gradient["inverse"]["embedding"]))
  assert not any(jnp.any(g) for g in jax.tree.leaves(gradient["inverse"]["head"]))


def test_a_familiar_loop_pays_far_less_than_unseen_observations():
  familiar, unseen = familiar_and_unseen(icm.build(CONFIG, CONTEXT))
  assert familiar < 0.05 * unseen


def test_a_weight_outside_its_range_is_a_clear_error():
  with pytest.raises(ValueError, match=r"beta is 1\.5"):
    ICMConfig(beta=1.5)
