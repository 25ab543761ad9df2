"""The inverse-dynamics embedding: its loss on both kinds of action, and what it learns to hold."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from dm_env import specs

from agents.bonuses import inverse_dynamics
from envs.environment import LAST
from tests.agents.bonuses.slow_networks import CONTEXT, mlp
from tests.agents.bonuses.small_world import KEY

LENGTH, BATCH, EMBEDDING = 5, 3, 4
LOW, HIGH = np.float32([-2, 0]), np.float32([2, 1])


def with_actions(spec):
  env = types.SimpleNamespace(**vars(CONTEXT.env) | {"action_spec": lambda: spec})
  return CONTEXT._replace(env=env)


@pytest.mark.parametrize("jitted", [True, False])
def test_continuous_actions_are_regressed_on_their_scale(make_trajectory, jitted):
  inverse = inverse_dynamics.build(
    with_actions(specs.BoundedArray((2,), np.float32, LOW, HIGH)), EMBEDDING
  )
  rng = np.random.default_rng(0)
  trajectory = make_trajectory(rng, LENGTH, BATCH)
  action = rng.uniform(LOW, HIGH, (LENGTH + 1, BATCH, 2)).astype(np.float32)
  trajectory = trajectory._replace(action=jnp.asarray(action))
  params = inverse.init(KEY)
  errors = []
  for t in range(LENGTH):
    for b in range(BATCH):
      if trajectory.step_type[t, b] == LAST:
        continue
      pair = [mlp(params["embedding"], trajectory.observation[s, b]) for s in (t, t + 1)]
      wanted = [action[t, b, 0] / 2.0, 2.0 * action[t, b, 1] - 1.0]
      errors.append(np.sum((mlp(params["head"], np.concatenate(pair)) - wanted) ** 2))
  loss = (jax.jit(inverse.loss) if jitted else inverse.loss)(params, trajectory)
  np.testing.assert_allclose(loss, np.mean(errors), rtol=1e-4)


def test_transitions_between_episodes_teach_nothing(make_trajectory):
  inverse = inverse_dynamics.build(CONTEXT, EMBEDDING)
  params = inverse.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(1), LENGTH, BATCH)
  trajectory = trajectory._replace(step_type=jnp.full_like(trajectory.step_type, LAST))
  loss, gradient = jax.value_and_grad(inverse.loss)(params, trajectory)
  assert loss == 0.0
  assert not any(jnp.any(g) for g in jax.tree.leaves(gradient))


def test_what_actions_change_is_held_and_noise_is_not(make_trajectory):
  inverse = inverse_dynamics.build(CONTEXT, EMBEDDING)
  params = inverse.init(KEY)
  optimiser = optax.adam(3e-3)
  base = make_trajectory(np.random.default_rng(2), 12, 16)

  def trajectory(key):
    """The first feature tells the action before; the others are noise."""
    action_key, noise_key = jax.random.split(key)
    action = jax.random.bernoulli(action_key, 0.5, base.action.shape)
    noise = jax.random.uniform(noise_key, (*action.shape, 3), minval=-1.0)
    told = 2.0 * jnp.roll(action, 1, axis=0) - 1.0
    return base._replace(observation=noise.at[..., 0].set(told), action=action.astype(jnp.int32))

  @jax.jit
  def train(params):
    def step(carry, key):
      params, state = carry
      loss, gradient = jax.value_and_grad(inverse.loss)(params, trajectory(key))
      change, state = optimiser.update(gradient, state)
      return (optax.apply_updates(params, change), state), loss

    keys = jax.random.split(KEY, 200)
    (params, _), losses = jax.lax.scan(step, (params, optimiser.init(params)), keys)
    return params, losses

  trained, losses = train(params)
  assert losses[-1] < 0.05 < losses[0]

  def noise_to_signal(params):
    size = jnp.abs(jax.vmap(jax.jacobian(lambda o: inverse.embed(params, o)))(points))
    return jnp.mean(size[..., 1:]) / jnp.mean(size[..., 0])

  points = base.observation[0]
  assert noise_to_signal(trained) < 0.5 * noise_to_signal(params)
