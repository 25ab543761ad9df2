"""CartPole against gymnasium's CartPole-v1."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.classic.cartpole import CartPole, CartPoleState
from envs.conformance import check
from envs.environment import LAST, MID


def play_gymnasium(start, policy):
  """Plays an episode: states [T+1, 4], actions, rewards, terminated, truncated [T]."""
  env = gymnasium.make("CartPole-v1")
  env.reset(seed=0)
  env.unwrapped.state = np.array(start)
  states, steps = [start], []
  while not (steps and (steps[-1][2] or steps[-1][3])):
    action = policy(env.unwrapped.state)
    _, reward, terminated, truncated, _ = env.step(action)
    states.append(env.unwrapped.state)
    steps.append((action, reward, terminated, truncated))
  return np.array(states), *map(np.array, zip(*steps, strict=True))


def balance(state):
  return int(state @ [0.1, 0.3, 1.0, 0.5] > 0)


def at(states, times):
  columns = (jnp.asarray(column, jnp.float32) for column in states.T)
  return CartPoleState(*columns, jnp.asarray(times, jnp.int32))


def assert_ends_as(timesteps, rewards, terminated, truncated):
  np.testing.assert_array_equal(timesteps.reward, rewards)
  np.testing.assert_array_equal(timesteps.step_type, np.where(terminated | truncated, LAST, MID))
  np.testing.assert_array_equal(timesteps.discount, 1.0 - terminated)


def test_whole_episodes_of_random_actions_agree_with_gymnasium():
  env, rng = CartPole(), np.random.default_rng(0)
  step = jax.jit(env.step)
  for _ in range(20):
    start = rng.uniform(-0.05, 0.05, 4).astype(np.float32)
    states, actions, *ending = play_gymnasium(start, lambda _: int(rng.integers(2)))
    state, played = at(start, 0), []
    for action in actions:
      state, timestep = step(state, action)
      played.append(timestep)
    played = jax.tree.map(lambda *x: np.stack(x), *played)
    np.testing.assert_allclose(played.observation, states[1:], rtol=1e-5, atol=2e-6)
    assert_ends_as(played, *ending)


# A pole that is held up forgets no rounding error: over 500 steps of the same actions, float32 and
# float64 part. So long episodes are compared step by step.
@pytest.mark.parametrize(
  "policy", [balance, lambda state: 1, lambda state: int(state[2] > -0.1)], ids=range(3)
)
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_every_step_of_an_episode_agrees_with_gymnasium(policy, side):
  start = side * np.array([0.04, 0.03, 0.05, 0.02])
  states, actions, *ending = play_gymnasium(start, policy)
  _, played = jax.vmap(CartPole().step)(at(states[:-1], np.arange(len(actions))), actions)
  np.testing.assert_allclose(played.observation, states[1:], rtol=1e-5, atol=1e-6)
  assert_ends_as(played, *ending)


def test_a_balanced_pole_is_cut_off_after_500_steps_and_scores_what_optimal_says():
  env = CartPole()
  _, first = env.reset(jax.random.key(0))
  _, _, rewards, terminated, truncated = play_gymnasium(first.observation, balance)
  assert (terminated[-1], truncated[-1], len(rewards)) == (False, True, env.max_episode_steps)
  reference = env.optimal()
  assert (reference.episode_return, reference.length) == (rewards.sum(), len(rewards))
  discounted = rewards @ 0.99 ** np.arange(len(rewards))
  np.testing.assert_allclose(reference.discounted_return, discounted)
  assert env.success_return == gymnasium.spec("CartPole-v1").reward_threshold


def test_a_pole_that_falls_at_the_last_step_is_a_termination():
  _, timestep = CartPole().step(at(np.array([0.0, 0.0, 0.2, 1.0]), 499), jnp.int32(0))
  assert (timestep.step_type, timestep.discount, timestep.reward) == (LAST, 0.0, 1.0)


def test_the_start_is_drawn_evenly_as_gymnasiums():
  _, first = jax.vmap(CartPole().reset)(jax.random.split(jax.random.key(0), 4000))
  deciles = np.quantile(first.observation, np.linspace(0, 1, 11), axis=0)
  np.testing.assert_allclose(deciles.T, [np.linspace(-0.05, 0.05, 11)] * 4, atol=0.003)


def test_conforms():
  check(envs.make("cartpole"), steps=100)


def test_render_shows_which_way_the_pole_leans():
  picture = np.asarray(jax.jit(CartPole().render)(at(np.array([0.0, 0.0, 0.7, 0.0]), 0)))
  assert (picture.shape, picture.dtype) == ((50, 160, 3), np.uint8)
  pole = np.argwhere((picture == (205, 70, 60)).all(axis=-1))
  assert pole[pole[:, 0].argmin(), 1] > 80 + 10  # its tip is right of the cart, in the middle
