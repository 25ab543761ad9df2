"""Disagreement against NumPy, and what it pays for the familiar and the unseen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import disagreement
from agents.bonuses.disagreement import DisagreementConfig
from envs.environment import LAST
from tests.agents.bonuses.slow_networks import CONTEXT, familiar_and_unseen, mlp, random_outputs
from tests.agents.bonuses.small_world import KEY

LENGTH, BATCH, MEMBERS = 6, 4, 5


def slow_forecasts(params, trajectory, outputs):
  """[M, T, B, N]."""
  members = [jax.tree.map(lambda x, m=m: x[m], params) for m in range(MEMBERS)]
  return np.array(
    [
      [
        [
          mlp(member, np.concatenate([outputs.beliefs[t, b], np.eye(2)[trajectory.action[t, b]]]))
          for b in range(BATCH)
        ]
        for t in range(LENGTH)
      ]
      for member in members
    ]
  )


def case(make_trajectory, seed=0):
  rng = np.random.default_rng(seed)
  trajectory = make_trajectory(rng, LENGTH, BATCH)
  bonus = disagreement.build(DisagreementConfig(), CONTEXT)
  return bonus, bonus.init(KEY)[0], trajectory, random_outputs(rng, trajectory)


@pytest.mark.parametrize("jitted", [True, False])
def test_rewards_and_loss_equal_a_slow_version(make_trajectory, jitted):
  bonus, params, trajectory, outputs = case(make_trajectory)
  forecasts = slow_forecasts(params, trajectory, outputs)
  rewards, loss = (
    (jax.jit(f) if jitted else f)(params, (), trajectory, outputs, KEY)
    for f in (bonus.reward, bonus.loss)
  )
  np.testing.assert_allclose(rewards[0], forecasts.var(axis=0).mean(axis=-1), rtol=1e-3)
  errors = np.mean((forecasts - np.asarray(outputs.latents[1:])) ** 2, axis=-1)
  real = np.asarray(trajectory.step_type[:-1]) != LAST
  kept = np.asarray(jax.random.bernoulli(KEY, 0.8, errors.shape)) & real
  np.testing.assert_allclose(
    loss, sum(e[k].mean() for e, k in zip(errors, kept, strict=True)), rtol=1e-4
  )


def test_identical_members_agree(make_trajectory):
  bonus, params, trajectory, outputs = case(make_trajectory)
  twins = jax.tree.map(lambda x: jnp.broadcast_to(x[:1], x.shape), params)
  assert jnp.min(bonus.reward(params, (), trajectory, outputs, KEY)[0]) > 1e-3
  np.testing.assert_allclose(bonus.reward(twins, (), trajectory, outputs, KEY)[0], 0.0, atol=1e-12)


def test_no_gradient_reaches_the_world_model(make_trajectory):
  bonus, params, trajectory, outputs = case(make_trajectory)

  def loss(beliefs, latents):
    seen = outputs._replace(beliefs=beliefs, latents=latents)
    return bonus.loss(params, (), trajectory, seen, KEY)

  gradient = jax.grad(loss, argnums=(0, 1))(outputs.beliefs, outputs.latents)
  assert not any(jnp.any(g) for g in gradient)


def test_a_familiar_loop_pays_far_less_than_unseen_observations():
  familiar, unseen = familiar_and_unseen(disagreement.build(DisagreementConfig(), CONTEXT))
  assert familiar < 0.05 * unseen


def test_one_member_is_a_clear_error():
  with pytest.raises(ValueError, match="members is 1"):
    DisagreementConfig(members=1)
