"""Pairs against a slow labeller, on random tables of episodes."""

import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.reachability import pairs
from agents.reachability.network import ReachabilityConfig
from agents.reachability.pairs import PADDING

ROWS, LENGTH, COUNT = 3, 9, 200


@functools.cache
def drawing(window, count=COUNT, **shares):
  config = ReachabilityConfig(reach_window=window, **shares)
  return jax.jit(lambda key, segments: pairs.draw(key, pairs.table(segments), count, config))


def draw(segments, window, count=COUNT, seed=0, **shares):
  """The pairs in NumPy."""
  segments = np.asarray(segments, np.int32)
  return jax.tree.map(np.asarray, drawing(window, count, **shares)(jax.random.key(seed), segments))


def each(drawn):
  """(source, target, label, weight) of every pair."""
  return zip(drawn.source.T, drawn.target.T, drawn.label, drawn.weight, strict=True)


def follows(segments, window, source, target):
  """The label by its definition, for a pair of entries."""
  (row, time), (other_row, other_time) = source, target
  if row != other_row or segments[row][time] != segments[other_row][other_time]:
    return False
  return 0 <= other_time - time <= window


@st.composite
def tables(draw):
  """Rows of episodes of random lengths; padding behind, between and before them."""
  table = np.full((ROWS, LENGTH), PADDING, np.int32)
  for row in range(ROWS):
    time, number = 0, 0
    while time < LENGTH:
      length = draw(st.integers(1, LENGTH - time))
      if draw(st.integers(0, 3)):
        table[row, time : time + length] = number
        number += 1  # numbers come again in other rows
      time += length
  return table


@settings(max_examples=50)
@given(tables(), st.sampled_from([0, 3]), st.integers(0, 2**31))
def test_every_pair_is_labelled_as_it_should_be(table, window, seed):
  drawn = draw(table, window, seed=seed)
  for source, target, label, weight in each(drawn):
    assert weight in (0.0, 1.0)
    assert 0 <= target[0] < ROWS
    assert 0 <= target[1] < LENGTH
    if weight:
      assert table[tuple(source)] != PADDING
      assert table[tuple(target)] != PADDING
      assert label == follows(table, window, source, target)
      one_episode = source[0] == target[0]
      assert not one_episode or table[tuple(source)] == table[tuple(target)]


@settings(max_examples=30)
@given(tables(), st.sampled_from([0, 3]))
def test_what_weighs_nothing_could_not_be_helped(table, window):
  drawn = draw(table, window)
  for source, target, label, weight in each(drawn):
    if weight or table[tuple(source)] == PADDING:
      continue
    assert not label
    row, time = source
    if row == target[0]:
      episode = np.flatnonzero(table[row] == table[row, time])
      assert all(follows(table, window, source, (row, t)) for t in episode)
    else:
      assert table[tuple(target)] == PADDING


LONG = np.zeros((8, 50), np.int32)


def test_shares_are_as_configured():
  drawn = draw(LONG, 5, 20000, reach_negative_share=0.7, reach_same_share=0.2)
  assert drawn.weight.all()
  negative, same = ~drawn.label, drawn.source[0] == drawn.target[0]
  np.testing.assert_allclose(negative.mean(), 0.7, atol=0.015)
  np.testing.assert_allclose(same[negative].mean(), 0.2, atol=0.015)


@pytest.mark.parametrize("left", [10, 2])
def test_positive_offsets_are_uniform_on_what_the_episode_has_of_the_window(left):
  drawn = draw(LONG, 5, 20000)
  source, target = drawn.source[1], drawn.target[1]
  chosen = drawn.label & ((source == 49 - left) if left < 5 else (source <= 44))
  offsets = (target - source)[chosen]
  shares = np.bincount(offsets, minlength=6) / chosen.sum()
  window = min(left, 5) + 1
  expected = np.where(np.arange(6) < window, 1 / window, 0.0)
  tolerance = 5 * np.sqrt(1 / window / chosen.sum())
  np.testing.assert_allclose(shares, expected, atol=tolerance)


def test_negatives_of_one_episode_are_uniform_outside_the_window():
  drawn = draw(LONG, 5, 20000)
  same = ~drawn.label & (drawn.source[0] == drawn.target[0])
  before = (drawn.target[1] < drawn.source[1])[same]
  # A time t has t choices before it and max(44 - t, 0) after.
  t = np.arange(50)
  expected = np.mean(t / (t + np.maximum(44 - t, 0)))
  np.testing.assert_allclose(before.mean(), expected, atol=0.03)


def test_other_rows_are_uniform():
  drawn = draw(LONG, 5, 20000)
  away = (drawn.target[0] - drawn.source[0])[drawn.source[0] != drawn.target[0]] % 8
  np.testing.assert_allclose(np.bincount(away, minlength=8)[1:] / len(away), 1 / 7, atol=0.02)


def test_a_table_of_one_row_has_no_negatives_of_another():
  drawn = draw(LONG[:1], 5, 2000)
  assert (drawn.source[0] == drawn.target[0]).all()
  assert 0.15 < np.mean(drawn.weight == 0) < 0.35


def test_segments_of_trajectories_change_where_an_episode_begins():
  first = np.array([[1, 0, 0, 1, 0], [0, 0, 1, 1, 0]], bool).T
  expected = [[1, 1, 1, 2, 2], [0, 0, 1, 2, 2]]
  segments = pairs.segments_of(first)
  assert segments.dtype == np.int32
  np.testing.assert_array_equal(segments, expected)


def test_evened_negatives_weigh_the_same_in_all_places_and_have_their_share():
  rng = np.random.default_rng(0)
  place, label = rng.choice([-1, 0, 1, 4], 200, p=[0.1, 0.7, 0.15, 0.05]), rng.random(200) < 0.5
  # Pairs that failed, most of them in one place, weigh nothing and take nothing.
  weight = np.where((place == 0) & ~label, rng.random(200) < 0.3, True).astype(np.float32)
  for evened in (pairs.evened, jax.jit(pairs.evened, static_argnums=3)):
    found = np.asarray(evened(*map(jax.numpy.asarray, (place, label, weight)), 5, 0.3))
    assert (found[weight == 0] == 0).all()
    np.testing.assert_allclose(found.sum(), weight.sum(), rtol=1e-5)
    sums = [found[~label & (place == p)].sum() for p in (-1, 0, 1, 4)]
    np.testing.assert_allclose(sums, 0.3 * weight.sum() / 4, rtol=1e-5)
    np.testing.assert_allclose(found[label], 0.7 * weight.sum() / label.sum(), rtol=1e-5)


def test_a_negative_of_two_rows_takes_the_nearest_candidate_of_another_row():
  segments = np.repeat(np.arange(6)[:, None], 9, axis=1)
  segments[:2, 5:] = PADDING
  drawn = jax.device_get(draw(segments, 2, count=300))
  assert 0 < np.sum(drawn.weight == 0) < 150
  rng = np.random.default_rng(0)
  source, target = jax.numpy.asarray(rng.normal(size=(2, 300, 3)), np.float32)
  key = jax.random.key(1)
  run = jax.jit(pairs.hard_negatives, static_argnums=4)
  given_pairs = jax.tree.map(jax.numpy.asarray, drawn)
  found = np.asarray(run(key, source, target, given_pairs, 8))

  others = np.asarray(jax.random.randint(key, (300, 7), 0, 300))
  rows, target_rows, moved = drawn.source[0], drawn.target[0], 0
  for pair in range(300):
    best = pair
    if drawn.weight[pair] and not drawn.label[pair] and rows[pair] != target_rows[pair]:
      for other in others[pair]:
        gap = np.sum((target[other] - source[pair]) ** 2)
        sound = target_rows[other] != rows[pair] and drawn.weight[other] > 0
        if sound and gap < np.sum((target[best] - source[pair]) ** 2):
          best = other
    assert found[pair] == best
    moved += best != pair
  assert moved > 30
  np.testing.assert_array_equal(run(key, source, target, given_pairs, 1), np.arange(300))
