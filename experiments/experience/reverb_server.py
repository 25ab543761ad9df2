"""The Reverb server: one table, a queue or a replay, that actors and learner reach over a network.

Reverb listens on every interface and asks nobody who they are: run it where only trusted machines
reach the port.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from agents.trajectory import DataSpec, Trajectory
from experiments.experience import rate_limiter
from experiments.experience.layout import Layout
from experiments.settings.errors import UserError

TABLE = "trajectories"


def library() -> Any:
  """The module `reverb`, imported here alone, because TensorFlow comes with it and takes seconds.

  Raises:
    UserError: if it is not installed.
  """
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's remarks on the processor
  try:
    import reverb
  except ImportError as error:
    raise UserError(
      f"Reverb is not here ({error}); pip install 'rarebird[reverb]' on Python 3.11."
    ) from error
  return reverb


def serve(
  signature: Trajectory,
  data: DataSpec,
  port: int | None = None,
  checkpoint_folder: Path | None = None,
  queue_capacity: int | None = None,
) -> Any:
  """Starts a server in this process.

  Args:
    signature: of an item, a Trajectory of jax.ShapeDtypeStruct; see `layout.item_signature`.
    data: says whether the table is a queue or a replay, and how it is sampled.
    port: None picks a free one.
    checkpoint_folder: where `ReverbExperience.checkpoint` saves to; if there is a checkpoint in it
      the server starts with its content, priorities and counts. None keeps them nowhere.
    queue_capacity: items that a queue holds, one batch by default.

  Returns:
    reverb.Server, with `port`, `wait()` and `stop()`.

  Raises:
    UserError: if the port is taken, or the checkpoint cannot be read.
  """
  reverb = library()
  if port is not None:
    _require_free(port)
  checkpointer = None
  if checkpoint_folder is not None:
    checkpoint_folder.mkdir(parents=True, exist_ok=True)
    checkpointer = reverb.checkpointers.DefaultCheckpointer(str(checkpoint_folder.absolute()))
  table = _table(reverb, Layout(signature), data, queue_capacity)
  try:
    return reverb.Server([table], port, checkpointer)
  except (RuntimeError, ValueError) as error:
    reason = str(error).strip().split("\n")[0][:160]
    raise UserError(
      f"the Reverb server did not start ({reason}); if its checkpoint in {checkpoint_folder} is"
      " damaged, delete that folder."
    ) from error


def _table(reverb: Any, layout: Layout, data: DataSpec, queue_capacity: int | None) -> Any:
  import tensorflow as tf

  # An item is one row of bytes: a column for each leaf takes twice the time for small items.
  signature = [tf.TensorSpec((layout.record.itemsize,), tf.uint8)]
  if data.replay is None:
    capacity = data.batch_size if queue_capacity is None else queue_capacity
    return reverb.Table.queue(TABLE, capacity, signature=signature)
  replay = rate_limiter.replay_spec(data)
  selectors = reverb.selectors
  return reverb.Table(
    TABLE,
    sampler=(
      selectors.Prioritized(replay.priority_exponent)
      if replay.priority_exponent
      else selectors.Uniform()
    ),
    remover=selectors.Fifo(),
    max_size=replay.capacity,
    rate_limiter=reverb.rate_limiters.SampleToInsertRatio(
      replay.samples_per_insert, replay.min_size, rate_limiter.error_buffer(data)
    ),
    signature=signature,
  )


def _require_free(port: int) -> None:
  """gRPC shares a port with whoever else allows it, so a taken one would pass unnoticed."""
  with socket.socket(socket.AF_INET6 if socket.has_ipv6 else socket.AF_INET) as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
      probe.bind(("", port))
    except OSError as error:
      raise UserError(
        f"port {port} is taken or not allowed ({error.strerror}); give another, or none to have a"
        " free one picked."
      ) from error
