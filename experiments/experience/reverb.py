"""Experience on a Reverb server: one of these in every process that acts or learns.

An item travels as one row of bytes (`Layout.pack`): one tensor an item, whatever it is made of, so
that any dtype and any pytree comes back bit for bit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from agents.trajectory import DataSpec, Trajectory
from experiments.experience.experience import (
  Closed,
  Experience,
  Inserter,
  Sample,
  Unavailable,
  checked_priorities,
)
from experiments.experience.layout import Layout
from experiments.experience.reverb_server import TABLE, library

HEARTBEAT = 2
"""Seconds that anything waits before it asks whether the server still answers, and for how long."""

T = TypeVar("T")


class ReverbExperience(Experience):
  """A client of the server that `reverb_server.serve` starts."""

  def __init__(
    self, address: str, signature: Trajectory, data: DataSpec, patience: int | None = None
  ):
    """Connects.

    Args:
      address: `host:port` of the server.
      signature: of an item, the one that the server was started with.
      data: `batch_size` items make a batch.
      patience: seconds that the server may take to answer, `HEARTBEAT` by default. After a restart
        give it as long as the server was gone, and 20 more: in a process that knew the old one,
        gRPC tries again at intervals that grow by 1.6 each.

    Raises:
      Unavailable: if no server answers by then.
      ValueError: if the server holds other items than these.
      UserError: if Reverb is not installed.
    """
    self._reverb = library()
    self._address = address
    self._client = self._reverb.Client(address)
    self._layout = Layout(signature)
    self._batch_size = data.batch_size
    self._is_queue = data.replay is None
    self._changed = threading.Condition()
    self._closed = False
    self._inserters: list[_ReverbInserter] = []
    self._fetcher: _Fetcher | None = None
    (spec,) = self.require_server(patience).signature
    if spec.shape != (self._layout.record.itemsize,):
      raise ValueError(
        f"the server at {address} holds items of {spec.shape[0]} bytes, not of"
        f" {self._layout.record.itemsize}; start both with the same agent and environment."
      )

  def require_server(self, patience: int | None = None) -> Any:
    """reverb's TableInfo of the table; waits for it `patience` seconds, `HEARTBEAT` by default.

    Raises:
      Unavailable: if the server does not answer.
    """
    try:
      patience = HEARTBEAT if patience is None else patience
      return self._client.server_info(patience)[TABLE]
    except (self._reverb.errors.ReverbError, RuntimeError) as error:
      raise Unavailable(f"no Reverb server answers at {self._address}.") from error

  def inserter(self) -> Inserter:
    # Not validated against the table: Layout has done so, and asking the server may hang.
    writer = self._client.trajectory_writer(num_keep_alive_refs=1, validate_items=False)
    inserter = _ReverbInserter(self, writer, self._layout, self._is_queue)
    with self._changed:
      if self._closed:
        raise Closed
      self._inserters.append(inserter)
    return inserter

  def sample(self) -> Sample:
    with self._changed:
      if self._closed:
        raise Closed
      if self._fetcher is None:  # only the learner's client draws items, ahead of its need
        # Of a queue only a few are held on their way, where they would grow old.
        in_flight = max(self._batch_size // 8, 1) if self._is_queue else self._batch_size
        self._fetcher = _Fetcher(
          self._reverb, self._address, self._layout, self._batch_size, in_flight, self._changed
        )
      fetcher = self._fetcher
    while True:
      with self._changed:
        self._changed.wait_for(
          lambda: self._closed or fetcher.batch or fetcher.error, timeout=HEARTBEAT
        )
        if self._closed:
          raise Closed
        if fetcher.batch is not None:
          return fetcher.take()
      self.require_server()
      if fetcher.error is not None:
        raise Unavailable(f"sampling at {self._address} failed.") from fetcher.error

  def update_priorities(self, keys: np.ndarray, priorities: np.ndarray) -> None:
    """See `Experience`; after Unavailable it may still reach a server that comes back."""
    updates = dict(zip(keys.tolist(), checked_priorities(priorities).tolist(), strict=True))
    self._call(lambda: self._client.mutate_priorities(TABLE, updates))

  def size(self) -> int:
    return self.require_server().current_size

  def save(self, folder: Path) -> None:
    if not self._is_queue:
      self.checkpoint()

  def checkpoint(self) -> str:
    """Has the server save its content; returns the folder. Nobody inserts or samples meanwhile."""
    return self._call(self._client.checkpoint)

  def close(self) -> None:
    with self._changed:
      if self._closed:
        return
      self._closed = True
      self._changed.notify_all()
      inserters, fetcher = self._inserters, self._fetcher
    for inserter in inserters:
      inserter.abort()
    if fetcher is not None:
      fetcher.stop()

  def require_open(self) -> None:
    """Raises Closed after `close`."""
    if self._closed:
      raise Closed

  def forget(self, inserter: _ReverbInserter) -> None:
    """An inserter is closed."""
    with self._changed:
      if inserter in self._inserters:
        self._inserters.remove(inserter)

  def _call(self, call: Callable[[], T]) -> T:
    """Runs a call of the client, which would wait for ever for a server that is gone."""
    future: Future[T] = Future()

    def run() -> None:
      try:
        future.set_result(call())
      except Exception as error:  # handed to the caller
        future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while True:
      try:
        return future.result(timeout=HEARTBEAT)
      except TimeoutError:
        self.require_server()
      except RuntimeError:
        self.require_server()
        raise


class _ReverbInserter(Inserter):
  def __init__(self, experience: ReverbExperience, writer: Any, layout: Layout, is_queue: bool):
    self._experience = experience
    self._writer = writer
    self._layout = layout
    self._is_queue = is_queue
    self._deadline_exceeded = library().errors.DeadlineExceededError

  def insert(self, unroll: Trajectory) -> None:
    leaves, size = self._layout.flatten(unroll)
    try:
      for row in self._layout.pack(leaves, size):
        self._writer.append([row])
        self._writer.create_item(TABLE, 1.0, [self._writer.history[0][-1]])
    except RuntimeError as error:
      self._fail(error)
    # Of replay, one unroll may be under way while the next is acted out. Into a queue the next is
    # acted out once this one is in, lest it be older than need be.
    self._wait(0 if self._is_queue else size)

  def _wait(self, pending: int) -> None:
    """Waits until the server has confirmed all items but `pending`."""
    while True:
      try:
        self._writer.flush(pending, timeout_ms=1000 * HEARTBEAT)
        return
      except self._deadline_exceeded:
        self._experience.require_open()
        self._experience.require_server()
      except RuntimeError as error:
        self._fail(error)

  def _fail(self, error: RuntimeError) -> None:
    self._experience.require_open()
    raise Unavailable(str(error)) from error

  def abort(self) -> None:
    """Drops what is under way and wakes the one who waits for it."""
    self._writer.close()

  def close(self) -> None:
    try:
      self._wait(0)
    except Closed:
      pass
    finally:
      self._writer.close()
      self._experience.forget(self)


class _Fetcher:
  """Fetches the next batch while the learner is busy with the last, in a thread of its own.

  Attributes:
    batch: the next batch, None until it is there.
    error: why no more will come.
  """

  def __init__(
    self,
    reverb: Any,
    address: str,
    layout: Layout,
    batch_size: int,
    in_flight: int,
    changed: threading.Condition,
  ):
    import tensorflow as tf
    from tensorflow.python.eager import cancellation  # no public way to end a read that waits

    self.batch: Sample | None = None
    self.error: Exception | None = None
    self._changed = changed
    self._layout = layout
    self._stopped = False
    dataset = reverb.TrajectoryDataset(
      address,
      TABLE,
      dtypes=(tf.uint8,),
      shapes=(tf.TensorShape((layout.record.itemsize,)),),
      max_in_flight_samples_per_worker=in_flight,
      num_workers_per_iterator=1,  # more would mix up the order of a queue
    ).batch(batch_size, drop_remainder=True)
    iterator = iter(dataset)
    self._cancellation = cancellation.CancellationManager()
    self._next = self._cancellation.get_cancelable_function(
      tf.function(lambda: next(iterator)).get_concrete_function()
    )
    self._thread = threading.Thread(target=self._run, name="reverb fetcher", daemon=True)
    self._thread.start()

  def take(self) -> Sample:
    """The batch, which is there; the next is then fetched. Called with the lock held."""
    batch, self.batch = self.batch, None
    assert batch is not None
    self._changed.notify_all()
    return batch

  def stop(self) -> None:
    """Ends the thread; a batch that it holds is lost."""
    with self._changed:
      self._stopped = True
      self._changed.notify_all()
    self._cancellation.start_cancel()
    self._thread.join()

  def _run(self) -> None:
    try:
      while True:
        with self._changed:  # not before the last one was taken: a batch that waits grows old
          self._changed.wait_for(lambda: self._stopped or self.batch is None)
          if self._stopped:
            return
        info, (rows,) = self._next()
        trajectory = self._layout.unpack(rows.numpy())
        batch = Sample(trajectory, info.key.numpy(), info.probability.numpy())
        with self._changed:
          self.batch = batch
          self._changed.notify_all()
    except Exception as error:  # TensorFlow's, of many kinds; told by whoever samples
      with self._changed:
        self.error = error
        self._changed.notify_all()
