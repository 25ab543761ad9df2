"""What both queues, the embedded one and Reverb's, do alike."""

import numpy as np
import pytest

from agents.trajectory import DataSpec
from experiments.experience.experience import Closed
from tests.experiments.experience.items import LENGTH, assert_intact, numbers, unroll

SOON = 30.0
"""Seconds within which what must happen has happened, however busy the machine."""
A_WHILE = 0.3
"""Seconds after which who is still waiting counts as waiting."""


def data(batch_size):
  return DataSpec(LENGTH, batch_size)


def test_items_come_back_in_order_and_bit_for_bit(make_queue):
  queue = make_queue(data(4), capacity=12)
  inserter = queue.inserter()
  for first in range(0, 12, 3):
    inserter.insert(unroll(first, first + 1, first + 2))
  inserter.close()
  assert queue.size() == 12
  for first in range(0, 12, 4):
    sample = queue.sample()
    assert numbers(sample.trajectory) == list(range(first, first + 4))
    assert_intact(sample.trajectory)


def test_keys_are_unique_and_probabilities_1(make_queue):
  queue = make_queue(data(2), capacity=4)
  queue.inserter().insert(unroll(0, 1, 2, 3))
  samples = [queue.sample(), queue.sample()]
  keys = np.concatenate([s.keys for s in samples])
  assert keys.dtype == np.uint64
  assert len(set(keys.tolist())) == 4
  for sample in samples:
    assert sample.probabilities.dtype == np.float64
    np.testing.assert_array_equal(sample.probabilities, [1, 1])


def test_an_unroll_may_be_overwritten_once_inserted(make_queue):
  queue = make_queue(data(2))
  arrays = unroll(0, 1)
  inserter = queue.inserter()
  inserter.insert(arrays)
  for array in (arrays.observation["pixels"], arrays.extras["logits"], arrays.memory[0]):
    array[...] = 0
  assert_intact(queue.sample().trajectory)


def test_a_batch_stays_as_it_was_handed_out(make_queue):
  queue = make_queue(data(2))
  inserter = queue.inserter()
  batches = []
  for first in range(0, 20, 2):
    inserter.insert(unroll(first, first + 1))
    batches.append(queue.sample().trajectory)
  for first, batch in zip(range(0, 20, 2), batches, strict=True):
    assert numbers(batch) == [first, first + 1]
    assert_intact(batch)


def test_no_item_is_lost_or_doubled_with_several_actors(make_queue, threads):
  queue = make_queue(data(5), capacity=7)

  def act(actor):
    inserter = queue.inserter()
    for first in range(100 * actor, 100 * actor + 45, 3):
      inserter.insert(unroll(first, first + 1, first + 2))
    inserter.close()

  actors = [threads.submit(act, actor) for actor in range(4)]
  seen = []
  for _ in range(4 * 45 // 5):
    sample = queue.sample()
    assert_intact(sample.trajectory)
    seen += numbers(sample.trajectory)
  for actor in actors:
    actor.result(timeout=SOON)
  assert sorted(seen) == [100 * actor + i for actor in range(4) for i in range(45)]
  for actor in range(4):  # one actor's items keep their order
    mine = [n for n in seen if n // 100 == actor]
    assert mine == sorted(mine)


def test_a_full_queue_makes_the_actor_wait(make_queue, threads):
  capacity, total = 4, 40
  queue = make_queue(data(2), capacity=capacity)
  inserted = []

  def act():
    inserter = queue.inserter()
    for number in range(total):
      inserter.insert(unroll(number))
      inserted.append(number)
    inserter.close()

  actor = threads.submit(act)
  with pytest.raises(TimeoutError):
    actor.result(timeout=A_WHILE)
  # Over Reverb one item may be under way.
  assert len(inserted) <= capacity + 1
  seen = []
  for _ in range(total // 2):
    seen += numbers(queue.sample().trajectory)
    # Over Reverb, too, one batch waits, one is about to, and one is in the network.
    assert len(inserted) <= len(seen) + capacity + 1 + 3 * 2
  actor.result(timeout=SOON)
  assert seen == list(range(total))


def test_close_wakes_the_learner(make_queue, threads):
  queue = make_queue(data(2))
  queue.inserter().insert(unroll(0))
  learner = threads.submit(queue.sample)
  with pytest.raises(TimeoutError):
    learner.result(timeout=A_WHILE)
  queue.close()
  with pytest.raises(Closed):
    learner.result(timeout=SOON)


def test_close_wakes_the_actor(make_queue, threads):
  queue = make_queue(data(2))
  inserter = queue.inserter()

  def act():
    while True:
      inserter.insert(unroll(0))

  actor = threads.submit(act)
  with pytest.raises(TimeoutError):
    actor.result(timeout=A_WHILE)
  queue.close()
  with pytest.raises(Closed):
    actor.result(timeout=SOON)


def test_after_close_all_is_closed(make_queue):
  queue = make_queue(data(1))
  inserter = queue.inserter()
  inserter.insert(unroll(0))
  queue.close()
  queue.close()
  with pytest.raises(Closed):
    queue.sample()
  with pytest.raises(Closed):
    inserter.insert(unroll(0))
  inserter.close()


def test_an_unroll_that_does_not_fit_is_refused(make_queue):
  inserter = make_queue(data(1)).inserter()
  good = unroll(0)
  with pytest.raises(ValueError, match=r"reward is float64"):
    inserter.insert(good._replace(reward=good.reward.astype(np.float64)))
  with pytest.raises(ValueError, match=r"signature"):
    inserter.insert(good._replace(memory=()))
