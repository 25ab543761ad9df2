"""The embedded queue: trajectories of on-policy agents, each handed out once and in order.

Each item is copied once, by the actor that brings it, into its column of the batch being filled.
Every batch has arrays of its own and is never written again, so the learner may keep it and may
hand it to a device without a copy.
"""

from __future__ import annotations

import collections
import dataclasses
import threading

import numpy as np

from agents.trajectory import DataSpec, Trajectory
from experiments.experience.experience import Closed, Experience, Inserter, Sample
from experiments.experience.layout import Layout, columns


@dataclasses.dataclass
class _Batch:
  """A batch being filled: items given a place in it, and items copied to their place."""

  leaves: list[np.ndarray]
  given: int = 0
  copied: int = 0


class Queue(Experience):
  """First in, first out, within one process."""

  def __init__(self, signature: Trajectory, data: DataSpec, capacity: int):
    """Makes an empty queue.

    Args:
      signature: of an item, a Trajectory of jax.ShapeDtypeStruct; see `layout.item_signature`.
      data: `batch_size` items make a batch.
      capacity: items that wait at most; an actor with one more waits too.

    Raises:
      ValueError: if no batch fits into the queue.
    """
    if capacity < data.batch_size:
      raise ValueError(f"capacity is {capacity}; it must hold a batch of {data.batch_size} items.")
    self._layout = Layout(signature)
    self._batch_size = data.batch_size
    self._capacity = capacity
    self._batches: collections.deque[_Batch] = collections.deque()
    self._size = 0
    self._next_key = 0
    self._closed = False
    lock = threading.Lock()
    self._room = threading.Condition(lock)
    self._ready = threading.Condition(lock)

  def inserter(self) -> Inserter:
    return _QueueInserter(self)

  def insert(self, unroll: Trajectory) -> None:
    """See `Inserter.insert`; may be called from any thread."""
    leaves, size = self._layout.flatten(unroll)
    start = 0
    while start < size:
      batch, place, count = self._reserve(size - start)
      # Copied outside the lock, so that several actors copy at once.
      for source, target, axis in zip(leaves, batch.leaves, self._layout.axes, strict=True):
        columns(target, axis, place, place + count)[...] = columns(
          source, axis, start, start + count
        )
      start += count
      with self._ready:
        batch.copied += count
        if batch.copied == self._batch_size:
          self._ready.notify_all()

  def wait_for_room(self) -> None:
    """Waits until some item could be inserted at once."""
    with self._room:
      self._room.wait_for(lambda: self._closed or self._size < self._capacity)
      if self._closed:
        raise Closed

  def _reserve(self, wanted: int) -> tuple[_Batch, int, int]:
    """Waits for room; returns a batch, the first place in it, and how many places were given."""
    with self._room:
      self._room.wait_for(lambda: self._closed or self._size < self._capacity)
      if self._closed:
        raise Closed
      if not self._batches or self._batches[-1].given == self._batch_size:
        self._batches.append(_Batch(self._layout.empty(self._batch_size)))
      batch = self._batches[-1]
      place = batch.given
      count = min(wanted, self._capacity - self._size, self._batch_size - place)
      batch.given += count
      self._size += count
      return batch, place, count

  def sample(self) -> Sample:
    with self._ready:
      self._ready.wait_for(
        lambda: self._closed or (self._batches and self._batches[0].copied == self._batch_size)
      )
      if self._closed:
        raise Closed
      batch = self._batches.popleft()
      self._size -= self._batch_size
      first = self._next_key
      self._next_key += self._batch_size
      self._room.notify_all()
    return Sample(
      self._layout.unflatten(batch.leaves),
      np.arange(first, first + self._batch_size, dtype=np.uint64),
      np.ones(self._batch_size),
    )

  def update_priorities(self, keys: np.ndarray, priorities: np.ndarray) -> None:
    """Does nothing: an item that was handed out is gone."""

  def size(self) -> int:
    return self._size

  def close(self) -> None:
    with self._room:
      self._closed = True
      self._room.notify_all()
      self._ready.notify_all()


class _QueueInserter(Inserter):
  def __init__(self, queue: Queue):
    self._queue = queue

  def wait(self) -> None:
    self._queue.wait_for_room()

  def insert(self, unroll: Trajectory) -> None:
    self._queue.insert(unroll)
