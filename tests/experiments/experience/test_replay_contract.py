"""What both replays, the embedded one and Reverb's, do alike."""

import numpy as np
import pytest
from scipy import stats

from agents.trajectory import DataSpec, ReplaySpec
from experiments.experience.experience import Closed
from tests.experiments.experience.conftest import needs_flashbax
from tests.experiments.experience.items import LENGTH, assert_intact, numbers, unroll

SOON = 30.0
A_WHILE = 0.3
"""As in test_queue_contract."""

SMALL = {"batch_size": 64, "capacity": 5, "min_size": 5, "samples_per_insert": 1.0}
"""A replay that overflows long before anybody waits, and one batch shows all that is in it."""


def data(batch_size=8, capacity=8, min_size=1, samples_per_insert=8000.0, exponent=0.5):
  return DataSpec(LENGTH, batch_size, ReplaySpec(capacity, min_size, samples_per_insert, exponent))


def filled(make_replay, *items, **settings):
  """A replay of these items, all of which it takes before it makes anybody wait."""
  replay = make_replay(data(**({"min_size": len(items)} | settings)))
  inserter = replay.inserter()
  for number in items:
    inserter.insert(unroll(number))
  inserter.close()
  return replay


def keys_of(replay, items):
  """The keys of items, by sampling until each was seen."""
  keys = {}
  while not keys.keys() >= set(items):
    sample = replay.sample()
    keys.update(zip(numbers(sample.trajectory), sample.keys, strict=True))
  return np.array([keys[n] for n in items], np.uint64)


def fresh(replay, probabilities):
  """The first sample whose probabilities are these: Reverb draws a few batches ahead."""
  for _ in range(10):
    sample = replay.sample()
    expected = [probabilities[n] for n in numbers(sample.trajectory)]
    if np.allclose(sample.probabilities, expected, rtol=1e-5):
      return sample
  raise AssertionError(f"got {sample.probabilities}, not {expected}")


@pytest.mark.parametrize("exponent", [0.0, 0.6])
def test_items_come_back_bit_for_bit(make_replay, exponent):
  replay = filled(make_replay, 0, 1, 2, exponent=exponent)
  assert replay.size() == 3
  for _ in range(5):
    sample = replay.sample()
    assert sample.keys.dtype == np.uint64
    assert sample.probabilities.dtype == np.float64
    np.testing.assert_allclose(sample.probabilities, 1 / 3, rtol=1e-6)
    assert_intact(sample.trajectory)


def test_a_key_names_one_item(make_replay):
  replay = filled(make_replay, *range(5))
  keys = {}
  for _ in range(20):
    sample = replay.sample()
    for number, key in zip(numbers(sample.trajectory), sample.keys, strict=True):
      assert keys.setdefault(number, key) == key
  assert len(set(keys.values())) == 5


def test_the_oldest_go_first(make_replay):
  replay = filled(make_replay, *range(13), **SMALL)
  assert replay.size() == 5
  assert set(numbers(replay.sample().trajectory)) == set(range(8, 13))


def test_an_unroll_may_be_wider_than_the_room_before_the_end(make_replay):
  replay = make_replay(data(**SMALL))
  inserter = replay.inserter()
  inserter.insert(unroll(0, 1, 2))
  inserter.insert(unroll(*range(3, 10)))
  inserter.close()
  trajectory = replay.sample().trajectory
  assert_intact(trajectory)
  assert set(numbers(trajectory)) == set(range(5, 10))


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_frequencies_follow_the_priorities(make_replay, exponent):
  replay = filled(make_replay, *range(4), batch_size=50, exponent=exponent)
  priorities = np.array([0.5, 1.0, 2.0, 5.0])
  replay.update_priorities(keys_of(replay, range(4)), priorities)
  weights = priorities**exponent
  expected = weights / weights.sum()
  fresh(replay, expected)
  counts = np.zeros(4)
  for _ in range(60):
    sample = replay.sample()
    drawn = numbers(sample.trajectory)
    np.testing.assert_allclose(sample.probabilities, expected[drawn], rtol=1e-5)
    counts += np.bincount(drawn, minlength=4)
  assert stats.chisquare(counts, expected * counts.sum()).pvalue > 1e-6


def test_without_an_exponent_priorities_do_not_matter(make_replay):
  replay = filled(make_replay, *range(4), batch_size=50, exponent=0.0)
  replay.update_priorities(keys_of(replay, range(4)), np.array([0.0, 1.0, 2.0, 100.0]))
  counts = np.zeros(4)
  for _ in range(20):
    sample = replay.sample()
    np.testing.assert_allclose(sample.probabilities, 0.25, rtol=1e-6)
    counts += np.bincount(numbers(sample.trajectory), minlength=4)
  assert stats.chisquare(counts).pvalue > 1e-6


def test_new_items_have_priority_1(make_replay):
  replay = filled(make_replay, 0, exponent=1.0)
  replay.update_priorities(keys_of(replay, [0]), np.array([3.0]))
  inserter = replay.inserter()
  inserter.insert(unroll(1))
  inserter.close()
  fresh(replay, np.array([0.75, 0.25]))


def test_priority_0_is_never_drawn(make_replay):
  replay = filled(make_replay, 0, 1)
  replay.update_priorities(keys_of(replay, [0]), np.array([0.0]))
  fresh(replay, np.array([-1.0, 1.0]))
  for _ in range(10):
    assert set(numbers(replay.sample().trajectory)) == {1}


def test_if_all_priorities_are_0_all_items_are_drawn(make_replay):
  replay = filled(make_replay, 0, 1)
  replay.update_priorities(keys_of(replay, [0, 1]), np.zeros(2))
  seen = set()
  for _ in range(20):
    sample = replay.sample()
    np.testing.assert_allclose(sample.probabilities, 0.5)
    seen |= set(numbers(sample.trajectory))
  assert seen == {0, 1}


def test_keys_that_are_gone_are_skipped_and_the_last_of_two_counts(make_replay):
  replay = filled(make_replay, 0, 1, capacity=2, exponent=1.0)
  old = keys_of(replay, [0, 1])
  inserter = replay.inserter()
  inserter.insert(unroll(2))
  inserter.close()
  new = keys_of(replay, [2])[0]
  unknown = np.uint64(2**64 - 5)
  replay.update_priorities(
    np.array([old[0], new, unknown, old[1], new], np.uint64), np.array([50.0, 9.0, 7.0, 1.0, 3.0])
  )
  fresh(replay, np.array([-1, 0.25, 0.75]))


@needs_flashbax
@pytest.mark.parametrize("priority", [-1.0, np.nan, np.inf])
def test_a_priority_that_is_none_is_refused(make_embedded, priority):
  replay = filled(make_embedded, 0)
  with pytest.raises(ValueError, match="priorities"):
    replay.update_priorities(keys_of(replay, [0]), np.array([priority]))


def test_the_learner_waits_for_min_size(make_replay, threads):
  replay = make_replay(data(2, min_size=3))
  inserter = replay.inserter()
  inserter.insert(unroll(0, 1))
  learner = threads.submit(replay.sample)
  with pytest.raises(TimeoutError):
    learner.result(timeout=A_WHILE)
  inserter.insert(unroll(2))
  assert_intact(learner.result(timeout=SOON).trajectory)


def test_samples_per_insert_holds_both_back(make_replay, threads):
  batch, ratio, min_size, total = 2, 2.0, 4, 60
  replay = make_replay(data(batch, min_size=min_size, samples_per_insert=ratio))
  inserted, sampled = [], []

  def act():
    inserter = replay.inserter()
    for number in range(total):
      inserter.insert(unroll(number))
      inserted.append(number)
    inserter.close()

  def learn():
    while True:
      sampled.extend(numbers(replay.sample().trajectory))

  actor = threads.submit(act)
  with pytest.raises(TimeoutError):
    actor.result(timeout=A_WHILE)
  assert len(inserted) <= min_size + batch / ratio + 1
  learner = threads.submit(learn)
  actor.result(timeout=SOON)
  with pytest.raises(TimeoutError):
    learner.result(timeout=A_WHILE)
  paid = (total - min_size) * ratio
  assert paid - batch <= len(sampled) <= paid + batch
  replay.close()
  with pytest.raises(Closed):
    learner.result(timeout=SOON)


def test_several_actors_and_a_learner(make_replay, threads):
  replay = make_replay(data(4, capacity=50, min_size=5, samples_per_insert=2.0))

  def act(actor):
    inserter = replay.inserter()
    for first in range(100 * actor, 100 * actor + 60, 3):
      inserter.insert(unroll(first, first + 1, first + 2))
    inserter.close()

  actors = [threads.submit(act, actor) for actor in range(3)]
  for _ in range(int((180 - 5) * 2.0 / 4)):
    sample = replay.sample()
    assert_intact(sample.trajectory)
    replay.update_priorities(sample.keys, np.ones(4))
  for actor in actors:
    actor.result(timeout=SOON)
  assert replay.size() == 50


def test_close_wakes_both_sides(make_replay, threads):
  full = make_replay(data(1, min_size=2, samples_per_insert=1.0))
  empty = make_replay(data(1))
  inserter = full.inserter()

  def act():
    while True:
      inserter.insert(unroll(0))

  for replay, waiting in ((full, threads.submit(act)), (empty, threads.submit(empty.sample))):
    with pytest.raises(TimeoutError):
      waiting.result(timeout=A_WHILE)
    replay.close()
    with pytest.raises(Closed):
      waiting.result(timeout=SOON)
