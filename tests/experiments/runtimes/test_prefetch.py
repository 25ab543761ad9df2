"""Prefetching: in order, no further ahead than asked, errors passed on, ends when closed."""

import itertools
import queue
import threading

import pytest

from experiments.runtimes.prefetch import Prefetch


def test_results_come_in_order():
  with_numbers = itertools.count()
  prefetch = Prefetch(lambda: next(with_numbers))
  assert [next(prefetch) for _ in range(50)] == list(range(50))
  prefetch.close()


def test_it_runs_ahead_by_its_depth_and_no_further():
  asked: queue.Queue = queue.Queue()
  prefetch = Prefetch(lambda: asked.put(0), depth=2)
  for _ in range(2):
    asked.get(timeout=10)
  with pytest.raises(queue.Empty):  # the third is not asked for before one is taken
    asked.get(timeout=0.2)
  next(prefetch)
  asked.get(timeout=10)
  prefetch.close()


def test_an_error_comes_after_the_results_before_it():
  results = iter([1, 2])
  prefetch = Prefetch(lambda: next(results), depth=5)
  assert next(prefetch) == 1
  assert next(prefetch) == 2
  for _ in range(2):
    with pytest.raises(StopIteration):
      next(prefetch)
  prefetch.close()


def test_wait_tells_whether_next_would_return_at_once():
  gate = threading.Event()
  prefetch = Prefetch(lambda: gate.wait(10))
  assert not prefetch.wait(0.01)
  gate.set()
  assert prefetch.wait(10)
  prefetch.close()


def test_with_depth_0_nothing_is_made_before_someone_waits():
  made: queue.Queue = queue.Queue()
  prefetch = Prefetch(lambda: made.put(0), depth=0)
  with pytest.raises(queue.Empty):
    made.get(timeout=0.2)
  next(prefetch)
  assert prefetch.wait(10)
  assert made.qsize() == 2
  prefetch.close()
