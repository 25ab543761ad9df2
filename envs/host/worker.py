"""What a worker process does: it steps its share of a vector's environments in shared memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import warnings
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import dm_env
import jax
import numpy as np
from dm_env import specs

from envs.by_name import make
from envs.errors import RAISED, EnvironmentWarning, Failure, raised
from envs.host.environment import HostEnvironment
from envs.host.seeding import seed_process
from envs.host.serial import empty, unknown_words, write
from envs.observation import Spec
from envs.success import reported_by

SAFE_PATH = "PYTHONSAFEPATH"
"""Where this is set Python does not look for modules in the working directory."""
ALIGNMENT = 64
"""Bytes; JAX takes over an aligned array without a copy."""


class Share(NamedTuple):
  """The environments of one worker.

  Attributes:
    name, settings: `envs.make` makes the environment.
    indices: of the environments in the vector.
    seeds: of each.
  """

  name: str
  settings: dict[str, Any]
  indices: Sequence[int]
  seeds: Sequence[int]


def layout(
  shared: Any, observation: Spec, action: specs.Array, num_envs: int
) -> tuple[np.ndarray, list[dm_env.TimeStep], np.ndarray, np.ndarray]:
  """Lays actions [B, *A], two batches of time steps, `success` int8 [B] and `unknown_words` int32
  [B] into shared memory.

  Two, written in turns, so that the last whole time step of an environment is still there when
  its worker dies in the middle of the next.

  Args:
    shared: of at least `layout_bytes` bytes, zero at first.
    observation, action: specs.
    num_envs: B.
  """
  offset = 0

  def place(like: np.ndarray) -> np.ndarray:
    nonlocal offset
    array: np.ndarray = np.ndarray(like.shape, like.dtype, shared, offset)
    offset += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return array

  actions = place(np.empty((num_envs, *action.shape), action.dtype))
  batches = [jax.tree.map(place, empty(observation, num_envs)) for _ in range(2)]
  success, unknown = (place(np.empty(num_envs, dtype)) for dtype in (np.int8, np.int32))
  return actions, batches, success, unknown


def layout_bytes(observation: Spec, action: specs.Array, num_envs: int) -> int:
  """The bytes of shared memory that `layout` takes."""
  batch = sum(x.nbytes + ALIGNMENT for x in jax.tree.leaves(empty(observation, num_envs)))
  actions = num_envs * action.dtype.itemsize * int(np.prod(action.shape))
  return 2 * batch + actions + 5 * num_envs + 3 * ALIGNMENT


def run(
  connection: Connection,
  shared: Any,
  observation: Spec,
  action: specs.Array,
  num_envs: int,
  share: Share,
) -> None:
  """The life of a worker: build, say so, then a step for each message until the pipe closes.

  A message is (which of the two batches, which of the worker's environments advance); the answer
  is None, or the strings of an `envs.errors.Failure`, of what an environment raised.
  """
  _end_with_parent()
  # Python refuses children to daemons, as nobody would end them; here their group's end does.
  multiprocessing.current_process().daemon = False
  # Of the close() of one like these, the process that read their specs has told.
  warnings.simplefilter("ignore", EnvironmentWarning)
  os.environ.pop(SAFE_PATH, None)  # it was for our start, not for what an environment starts
  # An environment that computes in JAX must not take the learner's accelerator.
  jax.config.update("jax_platforms", "cpu")
  environments: list[dm_env.Environment] = []
  with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
    try:
      actions, batches, *told = layout(shared, observation, action, num_envs)
      seed_process(share.seeds[0])
      env = make(share.name, **share.settings)
      assert isinstance(env, HostEnvironment)
      environments.extend(env.make(seed) for seed in share.seeds)
      connection.send(None)
      failure = None
      while failure is None:
        turn, chosen = connection.recv()
        failure = _advance(environments, share, chosen, actions, batches[turn], *told)
        connection.send(failure)
    except (EOFError, BrokenPipeError, ConnectionResetError):
      raise
    except RAISED as error:
      connection.send(tuple(Failure.of(error)))
  for environment in environments:
    environment.close()


def _advance(
  environments: list[dm_env.Environment],
  share: Share,
  chosen: Sequence[int],
  actions: np.ndarray,
  batch: dm_env.TimeStep,
  success: np.ndarray,
  unknown: np.ndarray,
) -> tuple[str, ...] | None:
  """Steps those of the worker's environments that are chosen; returns what one of them raised."""
  for place in chosen:
    index = share.indices[place]
    try:
      write(batch, index, environments[place].step(actions[index]))
      success[index] = reported_by(environments[place])
      unknown[index] = unknown_words(environments[place])
    except RAISED as error:
      return tuple(raised(share.name, index, error))
  return None


def _end_with_parent() -> None:
  """Has this process die with its parent, and out of reach of the terminal's Ctrl-C.

  The kernel signals the end of the parent's pipe, so that not even a step that hangs while it
  holds the GIL outlives it. The group of its own also holds what this process starts.
  """
  import fcntl  # which Windows has not, nor these processes

  os.setpgid(0, 0)
  parent = multiprocessing.parent_process()
  assert parent is not None
  sentinel = parent.sentinel
  signal.signal(signal.SIGIO, signal.SIG_DFL)  # which is to terminate
  fcntl.fcntl(sentinel, fcntl.F_SETOWN, -os.getpid())
  fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | os.O_ASYNC)
  if multiprocessing.connection.wait([sentinel], 0):  # it ended before that
    os._exit(1)
