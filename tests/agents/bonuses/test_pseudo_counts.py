"""The bonus pseudo_counts: neighbours in lists of what an episode showed, and their ring."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import inverse_dynamics, pseudo_counts
from agents.bonuses.episodic import advance, replay
from agents.bonuses.pseudo_counts import PseudoCountsConfig, episodic_reward
from agents.bonuses.ring import ring
from envs.environment import FIRST, LAST
from tests.agents.bonuses.small_world import (
  KEY,
  SIZE,
  context,
  part,
  remember,
  reward_of,
  starting,
  walk,
)

LENGTH, BATCH, EMBEDDING, NEIGHBOURS = 14, 4, 6, 3
CONFIG = PseudoCountsConfig(size=EMBEDDING, neighbours=NEIGHBOURS, capacity=5)


@pytest.fixture(scope="module")
def bonus():
  return pseudo_counts.build(CONFIG, context())


def slow_distances(embedded, types, capacity=5):
  """Squared distances to the k nearest of the newest embeddings of the episode; lists [T][B]."""
  distances = [[None] * embedded.shape[1] for _ in range(embedded.shape[0] - 1)]
  for b in range(embedded.shape[1]):
    shown = []
    for t in range(embedded.shape[0]):
      if types[t, b] == FIRST:
        shown = []
      if t > 0:
        squares = [np.sum((embedded[t, b] - x) ** 2) for x in shown[-capacity:]]
        distances[t - 1][b] = sorted(squares)[:NEIGHBOURS]
      shown.append(embedded[t, b])
  return distances


def slow_reward(distances, scale):
  """Equation 2 of the paper, of one step."""
  kernel = [1e-4 / (max(d / scale - 0.008, 0.0) + 1e-4) for d in distances]
  similarity = np.sqrt(sum(kernel)) + 1e-3
  return 0.0 if similarity > 8.0 else 1.0 / similarity


def test_rewards_of_two_batches_equal_a_slow_version(make_trajectory, bonus):
  rng = np.random.default_rng(0)
  params, statistics = bonus.init(KEY)
  reward = reward_of(bonus, True)
  encoder = inverse_dynamics.build(context(), EMBEDDING)
  scale = weight = 0.0
  for _ in range(2):
    trajectory = make_trajectory(rng, LENGTH, BATCH, size=SIZE)
    trajectory = starting(trajectory, bonus.initial_memory(BATCH))
    rewards, statistics, _ = reward(params, statistics, trajectory)
    types = np.asarray(trajectory.step_type)
    real = types[:-1] != LAST
    embedded = np.asarray(encoder.embed(params, trajectory.observation), np.float64)
    distances = slow_distances(embedded, types)
    found = [d for t, b in np.argwhere(real) for d in distances[t][b]]
    weight = 0.99 * weight + 0.01
    scale = 0.99 * scale + 0.01 * np.mean(found)
    for t, b in np.argwhere(real):
      expected = slow_reward(distances[t][b], scale / weight)
      np.testing.assert_allclose(rewards[t, b], expected, rtol=5e-3, atol=1e-3)


def novelty(capacity, shown, first=None):
  """Distances from replaying one environment's embeddings [T+1, E]."""
  memories = ring(shown.shape[1], capacity, NEIGHBOURS)
  embedded = jnp.asarray(shown, jnp.float32)[:, None]
  first = jnp.zeros((len(shown), 1), bool) if first is None else first
  return np.asarray(replay(memories, memories.initial(1), embedded, first)[0])[:, 0]


def test_two_chunks_see_the_distances_of_one(make_trajectory, bonus):
  # What is paid is scaled by running moments, which move with each chunk; distances are not.
  params, statistics = bonus.init(KEY)
  whole = make_trajectory(np.random.default_rng(1), LENGTH, BATCH, size=SIZE)
  start, half = bonus.initial_memory(BATCH), LENGTH // 2
  carried = remember(bonus, params, statistics, start, whole, half)
  memories = ring(EMBEDDING, 5, NEIGHBOURS)
  encoder = inverse_dynamics.build(context(), EMBEDDING)

  def distances(trajectory):
    embedded = encoder.embed(params, trajectory.observation)
    return replay(memories, trajectory.memory.bonus, embedded, trajectory.first)

  together, end = distances(starting(whole, start))
  first, _ = distances(part(whole, 0, half, start))
  second, second_end = distances(part(whole, half, LENGTH, carried))
  np.testing.assert_allclose(jnp.concatenate([first, second]), together, rtol=1e-4, atol=1e-7)
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), second_end, end)


def test_acting_remembers_what_learning_goes_through(make_trajectory, bonus):
  params, statistics = bonus.init(KEY)
  trajectory = make_trajectory(np.random.default_rng(2), LENGTH, BATCH, size=SIZE)
  start = bonus.initial_memory(BATCH)
  acted = remember(bonus, params, statistics, start, trajectory, LENGTH + 1)
  encoder = inverse_dynamics.build(context(), EMBEDDING)
  embedded = encoder.embed(params, trajectory.observation)
  _, learned = replay(ring(EMBEDDING, 5, NEIGHBOURS), start, embedded, trajectory.first)
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), acted, learned)


def test_an_episode_starts_from_nothing():
  rng = np.random.default_rng(3)
  episode, before = rng.normal(size=(6, 2)), rng.normal(size=(4, 2))
  first = jnp.asarray(np.arange(10)[:, None] == 4)
  after = novelty(8, np.concatenate([before, episode]), first)
  np.testing.assert_allclose(after[4:], novelty(8, episode), rtol=1e-5)
  assert np.isinf(after[3]).all()  # at the first step of an episode there is no neighbour


def test_a_full_memory_forgets_its_oldest():
  line = np.array([[0.0], [10.0], [20.0], [30.0], [0.0], [30.0]])
  np.testing.assert_allclose(novelty(3, line)[3], [100.0, 400.0, 900.0])  # 0 was forgotten
  np.testing.assert_allclose(novelty(4, line)[3], [0.0, 100.0, 400.0])
  np.testing.assert_allclose(novelty(3, line)[4], [0.0, 100.0, 900.0])  # 20, 30 and 0 are held


def test_the_newest_entries_fill_the_ring():
  memories = ring(1, 3, 1)
  memory = memories.initial(1)
  for x in range(5):
    memory = advance(memories, memory, jnp.full((1, 1), float(x)), jnp.array([x == 0]))
  assert sorted(np.asarray(memory.embeddings).ravel()) == [2.0, 3.0, 4.0]


def test_what_an_episode_repeats_pays_less_than_at_first(bonus):
  params, statistics = bonus.init(KEY)
  x, y, z = np.random.default_rng(4).normal(size=(3, SIZE))
  loop = walk([x, y, z, x, y, z, x], [7], bonus.initial_memory(1))
  rewards = np.asarray(reward_of(bonus, True)(params, statistics, loop)[0])[:, 0]
  assert (rewards[2:] < 0.2 * rewards[:2].min()).all()  # y and z are new, the rest is known


def test_too_familiar_is_paid_nothing():
  twins = jnp.zeros((100,), jnp.float32)  # a hundred neighbours at no distance: s = 10.001
  assert float(episodic_reward(twins, jnp.float32(1.0))) == 0.0
  assert float(episodic_reward(twins[:49], jnp.float32(1.0))) > 0.0


def test_more_neighbours_than_places_are_a_clear_error():
  with pytest.raises(ValueError, match="capacity"):
    PseudoCountsConfig(neighbours=9, capacity=8)
