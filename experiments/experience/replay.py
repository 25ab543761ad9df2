"""The embedded replay: trajectories drawn again and again, by priority or uniformly.

Items lie in NumPy arrays laid out as batches are, so an insert and a sample are one copy each;
priorities lie in flashbax's sum tree. flashbax's own item buffer is not used for the items: its
jitted `add` copies the whole buffer (500 Atari items of 600 kB: 257 ms an insert against 14 ms).
"""

from __future__ import annotations

import functools
import shutil
import threading
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.trajectory import DataSpec, Trajectory
from experiments.experience import priorities as trees
from experiments.experience.experience import (
  Closed,
  Experience,
  Inserter,
  Sample,
  checked_priorities,
)
from experiments.experience.layout import Layout, columns
from experiments.experience.rate_limiter import RateLimiter, replay_spec
from experiments.runs.files import write_atomically
from experiments.settings.errors import UserError


class Replay(Experience):
  """Prioritised replay (Schaul et al. 2015, arXiv 1511.05952) within one process.

  The n-th item inserted has key n and lies in slot n mod capacity, where it replaces the oldest. A
  batch is drawn by strata of equal probability, one item from each; see `experience.priorities`.
  """

  def __init__(self, signature: Trajectory, data: DataSpec, seed: int = 0):
    """Makes an empty replay; its memory is claimed as items come.

    Args:
      signature: of an item, a Trajectory of jax.ShapeDtypeStruct; see `layout.item_signature`.
      data: batch size and replay.
      seed: fixes what is drawn.

    Raises:
      ValueError: if `data.replay` is None or cannot work.
      UserError: if flashbax is not installed.
    """
    self._spec = replay_spec(data)
    self._layout = Layout(signature)
    self._batch_size = data.batch_size
    self._limiter = RateLimiter(data)
    self._leaves = self._layout.empty(self._spec.capacity)
    self._tree = _Tree(self._spec.capacity, data.batch_size, seed)
    self._closed = False
    lock = threading.Lock()
    self._room = threading.Condition(lock)
    self._ready = threading.Condition(lock)

  def inserter(self) -> Inserter:
    return _ReplayInserter(self)

  def insert(self, unroll: Trajectory) -> None:
    """See `Inserter.insert`; may be called from any thread."""
    leaves, size = self._layout.flatten(unroll)
    step = self._limiter.largest_insert
    for start in range(0, size, step):
      stop = min(start + step, size)
      with self._room:
        while not self._closed and not self._limiter.can_insert(stop - start):
          self._room.wait()
        if self._closed:
          raise Closed
        self._store(leaves, start, stop)
        self._ready.notify_all()

  def _store(self, leaves: list[np.ndarray], start: int, stop: int) -> None:
    """Puts items `start` to `stop` of an unroll into the next slots."""
    slots = (self._limiter.inserts + np.arange(stop - start)) % self._spec.capacity
    # The slots run on to the end of the arrays, and then from their start.
    split = start + min(stop - start, self._spec.capacity - int(slots[0]))
    for first, last, slot in ((start, split, int(slots[0])), (split, stop, 0)):
      for source, target, axis in zip(leaves, self._leaves, self._layout.axes, strict=True):
        columns(target, axis, slot, slot + last - first)[...] = columns(source, axis, first, last)
    self._tree.set(slots, np.ones(len(slots), np.float32))
    self._limiter.inserts += stop - start

  def sample(self) -> Sample:
    with self._ready:
      self._ready.wait_for(lambda: self._closed or self._limiter.can_sample(self._batch_size))
      if self._closed:
        raise Closed
      slots, probabilities = self._tree.draw(self._limiter.samples, self._limiter.size)
      trajectory = self._layout.unflatten(
        [
          np.take(leaf, slots, axis=axis)
          for leaf, axis in zip(self._leaves, self._layout.axes, strict=True)
        ]
      )
      newest = self._limiter.inserts - 1
      keys = newest - (newest - slots) % self._spec.capacity
      self._limiter.samples += self._batch_size
      self._room.notify_all()
    return Sample(trajectory, keys.astype(np.uint64), probabilities)

  def update_priorities(self, keys: np.ndarray, priorities: np.ndarray) -> None:
    priorities = checked_priorities(priorities)
    if self._spec.priority_exponent == 0:
      return
    weights = np.where(priorities == 0, 0, priorities**self._spec.priority_exponent)
    keys = np.asarray(keys).astype(np.int64)
    with self._ready:
      inserts = self._limiter.inserts
      here = (inserts - self._limiter.size <= keys) & (keys < inserts)
      # A slot beyond the tree with weight 0 changes nothing, and the shape compiles only once.
      slots = np.where(here, keys % self._spec.capacity, self._tree.beyond)
      self._tree.set(slots, np.where(here, weights, 0).astype(np.float32))

  def size(self) -> int:
    return self._limiter.size

  def close(self) -> None:
    with self._room:
      self._closed = True
      self._room.notify_all()
      self._ready.notify_all()

  def save(self, folder: Path) -> None:
    """Saves items, priorities and counts into `folder`, in place of what was saved there before.

    Nobody inserts or samples meanwhile. A process killed on the way leaves the save before.
    """
    latest = folder / "latest"
    old = latest.read_text("utf-8") if latest.exists() else None
    new = folder / str(int(old or 0) + 1)
    if new.exists():  # left by a process that was killed
      shutil.rmtree(new)
    new.mkdir(parents=True)
    with self._ready:
      limiter = self._limiter
      np.save(new / "counts.npy", np.array([limiter.inserts, limiter.samples], np.int64))
      np.save(new / "tree.npy", self._tree.nodes)
      for name, leaf in zip(self._files(), self._leaves_held(limiter.size), strict=True):
        np.save(new / name, _as_bytes(leaf))
    write_atomically(latest, new.name.encode())
    if old is not None:
      shutil.rmtree(folder / old)

  def restore(self, folder: Path) -> bool:
    """Takes on what `save` saved there; False if nothing was.

    Raises:
      UserError: if it is damaged, or of other items or of another capacity. Nothing is changed.
    """
    latest = folder / "latest"
    if not latest.exists():
      return False
    here = folder / latest.read_text("utf-8")
    try:
      inserts, samples = np.load(here / "counts.npy").tolist()
      nodes = np.load(here / "tree.npy")
      saved = [np.load(here / name, mmap_mode="r") for name in self._files()]
    except (OSError, ValueError, EOFError) as error:
      raise UserError(
        f"the replay saved in {here} is damaged ({error}); delete {folder}."
      ) from error
    targets = self._leaves_held(min(inserts, self._spec.capacity))
    fit = [(x.shape, x.dtype) for x in saved] == [
      (x.shape, _as_bytes(x).dtype) for x in targets
    ] and nodes.shape == self._tree.nodes.shape
    if not fit:
      raise UserError(
        f"the replay saved in {here} holds other items than this run's, or was made with another"
        f" capacity; delete {folder} to start with an empty one."
      )
    with self._ready:
      for source, target in zip(saved, targets, strict=True):
        _as_bytes(target)[...] = source
      self._tree.nodes = nodes
      self._limiter.inserts, self._limiter.samples = inserts, samples
      self._ready.notify_all()
    return True

  def _files(self) -> list[str]:
    return [f"{i}.npy" for i in range(len(self._leaves))]

  def _leaves_held(self, size: int) -> list[np.ndarray]:
    return [
      columns(leaf, axis, 0, size)
      for leaf, axis in zip(self._leaves, self._layout.axes, strict=True)
    ]


def _as_bytes(array: np.ndarray) -> np.ndarray:
  """A view whose elements are plain bytes: NumPy's files do not know bfloat16."""
  return array.view(f"V{array.dtype.itemsize}")


class _ReplayInserter(Inserter):
  def __init__(self, replay: Replay):
    self._replay = replay

  def insert(self, unroll: Trajectory) -> None:
    self._replay.insert(unroll)


class _Tree:
  """Weights of slots, see `experience.priorities`, on the CPU wherever the learner runs.

  Attributes:
    beyond: a slot that the tree does not have.
  """

  def __init__(self, capacity: int, batch_size: int, seed: int):
    cpu = jax.local_devices(backend="cpu")[0]
    with jax.default_device(cpu):
      self._nodes, self._key = jax.device_put((trees.init(capacity), jax.random.key(seed)), cpu)
    self.beyond = trees.beyond(capacity)
    self._put, self._draw = _compiled(capacity, batch_size)

  def set(self, slots: np.ndarray, weights: np.ndarray) -> None:
    """Sets weights [N] of slots [N]; of a slot given twice, the last counts."""
    self._nodes = self._put(self._nodes, slots.astype(np.int32), weights)

  def draw(self, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Slots int64 [B] and their probabilities float64 [B]; `count` picks the random numbers."""
    slots, probabilities = self._draw(
      self._nodes, self._key, np.uint32(count & 0xFFFFFFFF), np.int32(size)
    )
    return np.asarray(slots, np.int64), np.asarray(probabilities, np.float64)

  @property
  def nodes(self) -> np.ndarray:
    """The sums, float32 [2^(depth + 1) - 1]."""
    return np.asarray(self._nodes)

  @nodes.setter
  def nodes(self, nodes: np.ndarray) -> None:
    self._nodes = jax.device_put(nodes, self._nodes.sharding)


@functools.cache
def _compiled(capacity: int, batch_size: int) -> tuple[Any, Any]:
  """The programs that set weights and draw slots, shared by all replays of a process."""

  def put(nodes: jax.Array, slots: jax.Array, weights: jax.Array) -> jax.Array:
    return trees.put(nodes, capacity, slots, weights)

  def draw(nodes: jax.Array, key: jax.Array, count: jax.Array, size: jax.Array) -> Any:
    return trees.draw(nodes, capacity, batch_size, jax.random.fold_in(key, count), size)

  return jax.jit(put, donate_argnums=0), jax.jit(draw)
