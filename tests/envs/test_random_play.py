"""Random play on an environment whose scores are known in closed form."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

import envs
from envs.random_action import random_action
from experiments.acting.random_play import random_play


@dataclasses.dataclass(frozen=True)
class ShortOrLong(envs.Environment):
  """The first action decides: 0 ends at once with reward 1, any other on the tenth step with 0."""

  actions: int = 2
  max_episode_steps = 10

  def reset(self, key):
    return jnp.int32(0), envs.restart(jnp.float32(0))

  def step(self, state, action):
    ends = (state == 0) & (action == 0)
    timestep = envs.transition(jnp.float32(0), ends, ends, truncated=state == 9)
    return state + 1, timestep

  def observation_spec(self):
    return specs.Array((), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(self.actions)


def test_short_episodes_are_not_over_represented():
  episodes = 20_000
  played = random_play(ShortOrLong(), jax.random.key(0), episodes)
  error = 4 * 0.5 / np.sqrt(episodes)
  assert played.success == pytest.approx(0.5, abs=error)
  # Of a fixed number of steps, 10 in 11 of the episodes begun would last one step.
  assert played.length == pytest.approx(5.5, abs=9 * error)


def test_first_reward_is_not_discounted():
  played = random_play(ShortOrLong(actions=1), jax.random.key(0), 8)
  assert played == envs.Reference(1.0, 1.0, 1.0, 1.0)


def test_later_rewards_are_discounted_by_99_hundredths_a_step():
  class Late(ShortOrLong):
    def step(self, state, action):
      return state + 1, envs.transition(jnp.float32(0), state == 2, state == 2)

  played = random_play(Late(), jax.random.key(0), 8)
  assert played.length == 3
  assert played.discounted_return == pytest.approx(0.99**2)


def test_same_key_same_scores():
  first, second = (random_play(ShortOrLong(), jax.random.key(3), 100) for _ in range(2))
  assert first == second


def test_no_episodes_is_an_error():
  with pytest.raises(ValueError, match="episodes must be positive, got 0"):
    random_play(ShortOrLong(), jax.random.key(0), 0)


@pytest.mark.parametrize(
  "spec",
  [
    specs.DiscreteArray(3, np.int32),
    specs.BoundedArray((2,), np.float32, [-1.0, 2.0], [0.0, 5.0]),
  ],
)
def test_random_actions_fill_the_bounds_evenly(spec):
  drawn = np.asarray(random_action(spec, jax.random.key(0), (4000,)), np.float64)
  assert drawn.shape == (4000, *spec.shape)
  assert (drawn >= spec.minimum).all()
  assert (drawn <= spec.maximum).all()
  middle = (np.asarray(spec.minimum, np.float64) + spec.maximum) / 2
  width = np.asarray(spec.maximum, np.float64) - spec.minimum
  np.testing.assert_allclose(drawn.mean(axis=0), middle, atol=0.03 * np.max(width))


def test_several_integers_are_drawn_evenly_up_to_their_own_maxima():
  spec = specs.BoundedArray((2, 2), np.int32, 0, [[2, 0], [3, 1]])
  drawn = np.asarray(random_action(spec, jax.random.key(0), (4000,)))
  assert (drawn.shape, drawn.dtype) == ((4000, 2, 2), np.int32)
  for entry, count in zip(drawn.reshape(-1, 4).T, (3, 1, 4, 2), strict=True):
    np.testing.assert_allclose(np.bincount(entry, minlength=count) / 4000, 1 / count, atol=0.04)


def test_actions_without_bounds_are_drawn_as_gymnasium_draws_them():
  low, high = [-np.inf, 3.0, -np.inf, -2.0], [np.inf, np.inf, 5.0, 4.0]
  spec = specs.BoundedArray((4,), np.float32, low, high)
  drawn = np.asarray(random_action(spec, jax.random.key(0), (8000,)), np.float64)
  assert np.all((drawn >= low) & (drawn <= high))
  np.testing.assert_allclose(drawn.mean(axis=0), [0.0, 4.0, 4.0, 1.0], atol=0.08)
  np.testing.assert_allclose(drawn.std(axis=0), [1.0, 1.0, 1.0, np.sqrt(3.0)], atol=0.08)


def test_no_key_is_used_twice(monkeypatch):
  used = []

  def watched(draw):
    def drawn(key, *rest):
      used.append(bytes(jax.random.key_data(key)))
      return draw(key, *rest)

    return drawn

  for name in ("split", "uniform", "exponential", "normal"):
    monkeypatch.setattr(jax.random, name, watched(getattr(jax.random, name)))
  low, high = np.float32([0, -np.inf, 0]), np.float32([1, np.inf, np.inf])
  random_action(specs.BoundedArray((3,), np.float32, low, high), jax.random.key(3))
  assert len(used) == len(set(used)) == 4


def test_bounded_actions_are_the_uniform_numbers_of_their_key():
  key = jax.random.key(5)
  spec = specs.BoundedArray((3,), np.float32, -2, 2)
  expected = jax.random.uniform(key, (4, 3), np.float32, -2, 2)
  np.testing.assert_array_equal(random_action(spec, key, (4,)), expected)
