"""What is paid at and across the ends of episodes, of the bonuses without an episodic memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import bonuses
from agents.bonuses import payment
from agents.bonuses.payment import PaymentConfig
from envs.environment import FIRST, LAST, MID
from tests.agents.bonuses.slow_networks import CONTEXT, HORIZON, random_outputs
from tests.agents.bonuses.small_world import KEY

LENGTH, BATCH, END = 8, 3, 4
NAMES = ["rnd", "icm", "disagreement", "ndigo", "byol_hindsight"]


def case(name, make_trajectory):
  """One episode ends at step END and another begins after it."""
  settings = {"horizon": 2} if name == "ndigo" else {}
  bonus = bonuses.registry.build(bonuses.registry.choice(name, **settings), CONTEXT)
  rng = np.random.default_rng(0)
  trajectory = make_trajectory(rng, LENGTH, BATCH)
  types_ = np.full((LENGTH + 1, BATCH), MID, np.int32)
  types_[END], types_[END + 1] = LAST, FIRST
  trajectory = trajectory._replace(step_type=jnp.asarray(types_))
  return bonus, trajectory, random_outputs(rng, trajectory)


@pytest.mark.parametrize("name", NAMES)
def test_the_step_between_episodes_is_paid_nothing(name, make_trajectory):
  bonus, trajectory, outputs = case(name, make_trajectory)
  config = PaymentConfig()
  params, statistics = bonus.init(KEY)
  state = payment.init(statistics)
  paid, _, _ = payment.pay(bonus, config, 0.9, params, state, trajectory, outputs, KEY)
  np.testing.assert_array_equal(paid[END], 0.0)
  assert jnp.any(paid)


@pytest.mark.parametrize("name", NAMES[1:])
def test_the_next_episode_changes_nothing_before_it(name, make_trajectory):
  bonus, trajectory, outputs = case(name, make_trajectory)
  params, statistics = bonus.init(KEY)

  def after(x):
    return jnp.where(jnp.arange(len(x)).reshape(-1, *[1] * (x.ndim - 1)) > END, x + 1.0, x)

  changed = jax.tree.map(after, outputs)._replace(forecasts=changed_forecasts(outputs, after))
  other = trajectory._replace(observation=after(trajectory.observation))
  before, _, _ = bonus.reward(params, statistics, trajectory, outputs, KEY)
  again, _, _ = bonus.reward(params, statistics, other, changed, KEY)
  np.testing.assert_array_equal(before[:END], again[:END])
  assert jnp.any(before[END + 1 :] != again[END + 1 :])


def changed_forecasts(outputs, after):
  """Forecasts with all changed that starts, or lands, in the second episode."""
  forecasts = outputs.forecasts
  p, q = jnp.arange(LENGTH)[:, None], jnp.arange(1, HORIZON + 1)
  reaches = (p + q > END)[..., None]
  return forecasts._replace(
    targets=after(forecasts.targets),
    imagined=jnp.where(reaches[..., None], forecasts.imagined + 1.0, forecasts.imagined),
    errors=jnp.where(reaches, forecasts.errors + 1.0, forecasts.errors),
  )


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_finite_where_nothing_is_real(name, make_trajectory):
  bonus, trajectory, outputs = case(name, make_trajectory)
  params, statistics = bonus.init(KEY)
  _, statistics, _ = bonus.reward(params, statistics, trajectory, outputs, KEY)
  trajectory = trajectory._replace(step_type=jnp.full_like(trajectory.step_type, LAST))
  nowhere = jnp.zeros_like(outputs.forecasts.valid)
  outputs = outputs._replace(forecasts=outputs.forecasts._replace(valid=nowhere))
  gradient = jax.grad(bonus.loss)(params, statistics, trajectory, outputs, KEY)
  assert all(jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(gradient))
