"""The bonus etd: distances in lists of what an episode showed, pairs, and what is learned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import etd
from agents.bonuses.etd import ETDConfig, contrastive_loss, steps_ahead, steps_left
from envs.environment import FIRST, LAST
from tests.agents.bonuses.slow_networks import CONTEXT, loop, mlp, train
from tests.agents.bonuses.small_world import (
  KEY,
  SIZE,
  context,
  part,
  remember,
  reward_of,
  starting,
)

STEPS, BATCH, EMBEDDING = 14, 4, 6
CONFIG = ETDConfig(size=EMBEDDING, capacity=5)


@pytest.fixture(scope="module")
def bonus():
  return etd.build(CONFIG, context())


def slow_distance(x, y):
  """From x to y."""
  half = len(x) // 2
  return max(0.0, *(x[:half] - y[:half])) + np.sqrt(np.sum((x[half:] - y[half:]) ** 2) + 1e-8)


def slow_embedding(params, observation):
  """The embedding and its potential."""
  both = mlp(params["last"], np.maximum(mlp(params["torso"], observation), 0.0))
  return both[:-1], both[-1]


def test_rewards_equal_a_slow_version(make_trajectory, bonus):
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(0), STEPS, BATCH, size=SIZE)
  trajectory = starting(trajectory, bonus.initial_memory(BATCH))
  rewards, _, _ = reward_of(bonus, True)(params, statistics, trajectory)
  types, observation = np.asarray(trajectory.step_type), np.asarray(trajectory.observation)
  for b in range(BATCH):
    shown = []
    for t in range(STEPS + 1):
      shown = [] if types[t, b] == FIRST else shown
      embedded, _ = slow_embedding(params, observation[t, b])
      if t > 0:
        near = [slow_distance(x, embedded) for x in shown[-5:]]
        expected = min(near) if types[t - 1, b] != LAST else 0.0
        np.testing.assert_allclose(rewards[t - 1, b], expected, rtol=2e-3, atol=1e-4)
      shown.append(embedded)


def test_two_chunks_are_paid_as_one(make_trajectory, bonus):
  params, statistics = bonus.init(KEY)
  whole = make_trajectory(np.random.default_rng(1), STEPS, BATCH, size=SIZE)
  start, half = bonus.initial_memory(BATCH), STEPS // 2
  reward = reward_of(bonus, True)
  together, _, _ = reward(params, statistics, starting(whole, start))
  carried = remember(bonus, params, statistics, start, whole, half)
  first, _, _ = reward(params, statistics, part(whole, 0, half, start))
  second, _, _ = reward(params, statistics, part(whole, half, STEPS, carried))
  np.testing.assert_allclose(jnp.concatenate([first, second]), together, rtol=1e-4, atol=1e-5)


def test_pairs_stay_within_their_episode_and_are_geometric(make_step_types):
  types = make_step_types(np.random.default_rng(2), STEPS, BATCH)
  left = np.asarray(steps_left(jnp.asarray(types[:-1] != LAST)))
  for t, b in np.ndindex(STEPS, BATCH):
    later = [s for s in range(t, STEPS) if types[s, b] == LAST] + [STEPS]
    assert left[t, b] == later[0] - t
  assert (left == 0).any()
  many = jnp.broadcast_to(jnp.asarray([0, 1, 5]), (100_000, 3))
  k = np.asarray(steps_ahead(many, 0.8, jax.random.uniform(KEY, many.shape)))
  assert (k[:, 0] == 0).all()
  assert (k[:, 1] == 1).all()
  expected = 0.8 ** np.arange(5)
  drawn = np.bincount(k[:, 2], minlength=6)[1:] / len(k)
  np.testing.assert_allclose(drawn, expected / expected.sum(), atol=0.01)


def test_the_loss_of_pairs_equals_a_slow_version():
  rng = np.random.default_rng(3)
  x, y, c = rng.normal(size=(7, 4)), rng.normal(size=(7, 4)), rng.normal(size=7)
  valid = np.array([True, True, False, True, False, True, True])
  kept = np.flatnonzero(valid)
  scores = np.array([[c[j] - slow_distance(x[i], y[j]) for j in kept] for i in kept])
  expected = 0.0
  for n in range(len(kept)):
    for told in (scores[n], scores[:, n]):
      expected += 0.5 * (np.log(np.sum(np.exp(told))) - scores[n, n]) / len(kept)
  arrays = (jnp.asarray(a, jnp.float32) for a in (x, y, c))
  np.testing.assert_allclose(contrastive_loss(*arrays, jnp.asarray(valid)), expected, rtol=1e-4)


def test_the_distance_learns_how_many_steps_lie_between_and_which_way():
  # Round a loop of six states one goes one way alone, so that a step back is five steps.
  bonus = etd.build(ETDConfig(size=8, gamma=0.7, capacity=4), CONTEXT)
  trajectory, outputs = loop(0)
  trajectory = starting(trajectory, bonus.initial_memory(trajectory.reward.shape[1]))
  params, _ = train(bonus, trajectory, outputs, steps=200)
  seen = [slow_embedding(params, trajectory.observation[t, 0])[0] for t in range(6)]
  ahead = [
    np.mean([slow_distance(seen[i], seen[(i + k) % 6]) for i in range(6)]) for k in (1, 2, 5)
  ]
  assert ahead[0] < ahead[1] < ahead[2]


def test_the_loss_is_finite_where_nothing_is_real(make_trajectory, bonus, quick_jit):
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(4), STEPS, BATCH, size=SIZE)
  nowhere = trajectory._replace(step_type=jnp.full_like(trajectory.step_type, LAST))
  of_params = quick_jit(
    jax.value_and_grad(lambda params: bonus.loss(params, statistics, nowhere, None, KEY))
  )
  value, gradient = of_params(params)
  assert value == 0.0
  assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradient))


@pytest.mark.parametrize("settings", [{"size": 3}, {"gamma": 1.0}, {"pairs": 1}])
def test_settings_that_cannot_be_are_refused(settings):
  with pytest.raises(ValueError, match=next(iter(settings))):
    ETDConfig(**settings)
