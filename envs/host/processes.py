"""Environments stepped by worker processes, which are replaced when they get stuck or die."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import os
import signal
import sys
import threading
import time
import types
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import dm_env
import jax
import numpy as np

from envs.environment import LAST
from envs.errors import EnvironmentFailed, EnvironmentWarning, Failure
from envs.host import worker
from envs.host.environment import HostEnvironment, VectorEnvironment, environment_seed
from envs.host.serial import check_actions, cores
from envs.success import UNKNOWN

START_TIMEOUT = 300.0
"""Seconds that a worker may take to build its environments."""
CLOSE_TIMEOUT = 5.0
"""Seconds that a worker may take to close them."""
ATTEMPTS = 3
"""How often in a row a worker may fail without a whole step of an episode between."""

_main_lock = threading.Lock()


def processes_available() -> bool:
  """Whether this system has what worker processes are made of: Linux has, Windows has not."""
  return (
    "forkserver" in multiprocessing.get_all_start_methods()
    and hasattr(os, "killpg")
    and importlib.util.find_spec("fcntl") is not None
  )


class ProcessVector(VectorEnvironment):
  """B environments in worker processes; observations come through shared memory, never a pipe.

  A worker that takes longer than `timeout` over a step, or that died, is killed and replaced: its
  environments report a cut-off episode (LAST, discount 1, reward 0, the observation before), then
  the FIRST of a new one. One warning says so. What an environment raises is raised here.

  Workers are forked from a server that has imported `envs` and nothing else: fast to start, and
  with no thread or accelerator of this process in them.
  """

  def __init__(
    self,
    env: HostEnvironment,
    num_envs: int,
    seed: int,
    timeout: float,
    num_workers: int | None = None,
  ):
    """Starts the workers.

    Args:
      env: made by `envs.make`, for each worker makes it again by its name.
      num_envs: B.
      seed: fixes all episodes, whatever the number of workers.
      timeout: seconds.
      num_workers: by default one for each core, at most B.
    """
    self.num_envs = num_envs
    self._env, self._seed, self._timeout = env, seed, timeout
    self._specs = env.observation_spec(), env.action_spec()
    self._context = multiprocessing.get_context("forkserver")
    self._context.set_forkserver_preload([worker.__name__])
    # Not multiprocessing.shared_memory: this has no name, so nothing is left however we end.
    self._shared = self._context.RawArray("B", worker.layout_bytes(*self._specs, num_envs))
    laid = worker.layout(self._shared, *self._specs, num_envs)
    self._actions, self._batches, self._success, self._unknown = laid
    self._success[:] = UNKNOWN
    for batch in self._batches:
      batch.step_type[:] = LAST
      batch.discount[:] = 1.0
    self._turn = 0
    num_workers = min(num_envs, cores() if num_workers is None else num_workers)
    shares = np.array_split(np.arange(num_envs), num_workers)
    self._workers = [_Worker(share.tolist()) for share in shares]
    try:
      for each in self._workers:
        self._start(each)
      for each in self._workers:
        self._await_start(each)
    except BaseException:
      self.close()
      raise

  def reset(self) -> dm_env.TimeStep:
    return self._advance()

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    """As the contract says.

    Raises:
      EnvironmentFailed: what an environment raised; or that its worker failed `ATTEMPTS` times
        without a whole step between.
    """
    self._actions[...] = check_actions(self._specs[1], action, self.num_envs)
    return self._advance()

  def success(self) -> np.ndarray:
    return self._success

  def unknown_words(self) -> np.ndarray:
    return self._unknown

  def close(self) -> None:
    for each in self._workers:
      each.close_pipe()
    for each in self._workers:
      each.end(CLOSE_TIMEOUT)
    self._workers = []

  def _advance(self) -> dm_env.TimeStep:
    self._turn = 1 - self._turn
    deadline = time.monotonic() + self._timeout
    failed = [each for each in self._workers if not each.ask(self._turn, range(len(each.indices)))]
    for each in self._workers:
      if each not in failed and not self._answered(each, deadline):
        failed.append(each)
    ended = self._batches[1 - self._turn].step_type == LAST
    for each in self._workers:
      if each not in failed and not ended[each.indices].all():  # not merely begun
        each.failures = 0
    for each in failed:
      self._recover(each)
    return self._batches[self._turn]

  def _answered(self, each: _Worker, deadline: float) -> bool:
    """Whether a worker is done with its step in time; raises what its environment raised."""
    try:
      if not each.pipe.poll(max(0.0, deadline - time.monotonic())):
        each.failure = f"took more than {self._timeout:g} s over a step"
        return False
      error = each.pipe.recv()
    except (EOFError, ConnectionResetError):
      each.died()
      return False
    if error is not None:
      raise EnvironmentFailed(Failure(*error))
    return True

  def _recover(self, each: _Worker) -> None:
    """Replaces a worker, and writes the time steps that it did not deliver.

    Raises:
      EnvironmentFailed: if it has failed too often.
    """
    now, before = self._batches[self._turn], self._batches[1 - self._turn]
    owed = [p for p, index in enumerate(each.indices) if before.step_type[index] == LAST]
    recovered = False
    while not recovered:
      self._replace(each)
      recovered = not owed or (
        each.ask(self._turn, owed) and self._answered(each, time.monotonic() + self._timeout)
      )
    for place, index in enumerate(each.indices):
      if place not in owed:
        now.step_type[index], now.reward[index], now.discount[index] = LAST, 0.0, 1.0
        jax.tree.map(
          lambda x, y, i=index: x.__setitem__(i, y[i]), now.observation, before.observation
        )

  def _replace(self, each: _Worker) -> None:
    each.failures += 1
    self._env.failures += 1
    if each.failures == ATTEMPTS:
      raise EnvironmentFailed.saying(
        f"environment {self._env.name!r}",
        f"a worker process {each.failure}, for the {ATTEMPTS}rd time in a row without a whole step"
        " between; step a single one in a script of your own to see why.",
      )
    first, last = each.indices[0], each.indices[-1]
    which = f"environment {first}" if first == last else f"environments {first} to {last}"
    warnings.warn(
      f"{self._env.name}: the process of {which} {each.failure}; it is replaced and "
      "the running episodes are cut off.",
      EnvironmentWarning,
      stacklevel=5,
    )
    each.kill()
    each.replacements += 1
    self._start(each)
    self._await_start(each)

  def _start(self, each: _Worker) -> None:
    seeds = [environment_seed(self._seed, index, each.replacements) for index in each.indices]
    share = worker.Share(self._env.name, self._env.settings, each.indices, seeds)
    each.pipe, theirs = self._context.Pipe()
    each.process = self._context.Process(
      target=worker.run,
      args=(theirs, self._shared, *self._specs, self.num_envs, share),
      daemon=True,
      name=f"{self._env.name} {each.indices[0]}",
    )
    with _without_main():
      _start_server()
      each.process.start()
    theirs.close()

  def _await_start(self, each: _Worker) -> None:
    what = f"environment {self._env.name!r} cannot start in a worker process"
    try:
      if not each.pipe.poll(START_TIMEOUT):
        raise EnvironmentFailed.saying(what, f"no answer within {START_TIMEOUT:g} s.")
      error = each.pipe.recv()
    except (EOFError, ConnectionResetError):
      each.process.join()
      ended = f"it ended with exit code {each.process.exitcode}."
      raise EnvironmentFailed.saying(what, ended) from None
    if error is not None:
      raise EnvironmentFailed(Failure(*error)._replace(what=what))


class _Worker:
  """One worker process, seen from here; `replacements` counts those before it.

  `failures` counts those in a row without a whole step between, and `failure` tells the last.
  """

  pipe: multiprocessing.connection.Connection
  process: Any = None

  def __init__(self, indices: Sequence[int]):
    self.indices = indices
    self.replacements = 0
    self.failures = 0
    self.failure = ""

  def ask(self, turn: int, chosen: Sequence[int]) -> bool:
    """Asks for a step of the chosen environments; False if the worker is dead."""
    try:
      self.pipe.send((turn, chosen))
    except (BrokenPipeError, ConnectionResetError):
      self.died()
      return False
    return True

  def died(self) -> None:
    """Notes that it ended by itself, and how."""
    self.process.join(CLOSE_TIMEOUT)
    code = self.process.exitcode
    self.failure = "died"
    if code is not None:
      self.failure += f" ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"

  def close_pipe(self) -> None:
    if self.process is not None:
      self.pipe.close()

  def end(self, timeout: float) -> None:
    """Waits for the end that a closed pipe asks for, and then insists."""
    if self.process is not None:
      self.process.join(timeout)
      self.kill()

  def kill(self) -> None:
    """Kills the worker and whatever it started."""
    self.pipe.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
      os.killpg(self.process.pid, signal.SIGKILL)
    self.process.kill()
    self.process.join()


def _start_server() -> None:
  """Starts the server that workers are forked from, if it does not run yet.

  In its working directory may lie a folder named `envs`, which it must not take for ours.
  """
  given = os.environ.get(worker.SAFE_PATH)
  os.environ[worker.SAFE_PATH] = "1"
  try:
    multiprocessing.forkserver.ensure_running()
  finally:
    if given is None:
      del os.environ[worker.SAFE_PATH]
    else:
      os.environ[worker.SAFE_PATH] = given


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
  """Hides the main module, which multiprocessing would otherwise run again in each worker.

  A worker needs nothing of it, and a user's script need then not guard its main part.
  """
  with _main_lock:
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
      yield
    finally:
      sys.modules["__main__"] = main
