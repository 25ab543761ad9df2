"""Counts within the episode: hashes against the arrays themselves, visits against lists."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.bonuses import episodic_counts
from agents.bonuses.episodic import advance, replay
from agents.bonuses.episodic_counts import EpisodicCountsConfig
from envs.environment import FIRST
from tests.agents.bonuses.small_world import KEY

LENGTH, BATCH = 40, 5
GRID = specs.BoundedArray((3, 3, 2), np.uint8, 0, 255)
TREE = {
  "a": specs.BoundedArray((4,), np.int32, -3, 3),
  "b": specs.Array((2,), np.float32),
  "c": specs.Array((), np.bool_),
}


def slow_counts(shown, types, capacity):
  """n of each entry but the first, from lists of what an episode showed; the oldest different one
  goes first."""
  n = np.zeros((len(shown) - 1, len(shown[0])), int)
  for b in range(n.shape[1]):
    episode = {}
    for t in range(len(shown)):
      if types[t, b] == FIRST:
        episode = {}
      if t > 0:
        n[t - 1, b] = episode.get(shown[t][b], 0) + 1
      episode[shown[t][b]] = episode.get(shown[t][b], 0) + 1
      if len(episode) > capacity:
        del episode[next(iter(episode))]
  return n


@pytest.mark.parametrize("capacity", [3, 100])
def test_visits_equal_a_slow_version(make_step_types, capacity):
  rng = np.random.default_rng(0)
  types = make_step_types(rng, LENGTH, BATCH, end=0.08)
  hashed = rng.integers(0, 6, types.shape).astype(np.uint32)
  memories = episodic_counts.visits(capacity)
  n, _ = jax.jit(lambda h, f: replay(memories, memories.initial(BATCH), h, f))(
    hashed, types == FIRST
  )
  np.testing.assert_array_equal(n, slow_counts(hashed.tolist(), types, capacity))


def test_two_chunks_count_as_one(make_step_types):
  rng = np.random.default_rng(1)
  types = make_step_types(rng, LENGTH, BATCH, end=0.08)
  hashed, first = jnp.asarray(rng.integers(0, 6, types.shape), jnp.uint32), types == FIRST
  memories = episodic_counts.visits(4)
  start, half = memories.initial(BATCH), LENGTH // 2
  together, end = replay(memories, start, hashed, first)
  carried = start
  for t in range(half):
    carried = advance(memories, carried, hashed[t], first[t])
  before, _ = replay(memories, start, hashed[: half + 1], first[: half + 1])
  after, last = replay(memories, carried, hashed[half:], first[half:])
  np.testing.assert_array_equal(jnp.concatenate([before, after]), together)
  jax.tree.map(np.testing.assert_array_equal, last, end)


def test_pictures_have_one_hash_each_whatever_their_bits():
  rng = np.random.default_rng(2)
  hashing = episodic_counts.build(GRID, 16)
  few = rng.integers(0, 256, (500, *GRID.shape)).astype(np.uint8)
  one_off = few.copy()
  place = rng.integers(0, 3, (500, 3))
  one_off[np.arange(500), place[:, 0], place[:, 1], place[:, 2] % 2] += 1
  swapped = few[:, ::-1]
  shown = np.concatenate([few, one_off, swapped, few])
  codes = np.asarray(jax.jit(hashing.apply)(hashing.init(KEY), shown))
  different = {x.tobytes() for x in shown}
  assert len(set(codes.tolist())) == len(different)
  np.testing.assert_array_equal(codes[:500], codes[-500:])


def test_each_leaf_of_a_tree_counts_and_floats_by_their_angle():
  rng = np.random.default_rng(3)
  hashing = episodic_counts.build(TREE, 16)
  kept = hashing.init(KEY)
  base = {
    "a": rng.integers(-3, 4, (6, 7, 4)).astype(np.int32),
    "b": rng.normal(size=(6, 7, 2)).astype(np.float32),
    "c": rng.integers(0, 2, (6, 7)).astype(bool),
  }
  codes = np.asarray(hashing.apply(kept, base))
  assert codes.shape == (6, 7)
  longer = np.asarray(hashing.apply(kept, base | {"b": 2.0 * base["b"]}))
  np.testing.assert_array_equal(codes, longer)
  for name, other in {"a": -base["a"] - 1, "b": -base["b"], "c": ~base["c"]}.items():
    assert (codes != np.asarray(hashing.apply(kept, base | {name: other}))).all()


@pytest.mark.parametrize("settings", [{"capacity": 0}, {"bits": 33}])
def test_settings_that_cannot_be_are_refused(settings):
  with pytest.raises(ValueError, match=f"{next(iter(settings))} is"):
    EpisodicCountsConfig(**settings)
