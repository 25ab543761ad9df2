"""Many environments of either kind stepped together, and checked.

How those on the host are stepped they say by `stepping`; the episodes are the same whichever it is:

  serial     one after another, for what takes microseconds
  threads    by a pool of threads, for what releases the GIL
  processes  by worker processes, for what takes a tenth of a millisecond; one that gets stuck or
             dies is replaced. A system without them (Windows) has threads in their place.
"""

from __future__ import annotations

import warnings

from envs.environment import Environment
from envs.host.checked import CheckedVector
from envs.host.environment import STEP_TIMEOUT, HasVector, HostEnvironment, VectorEnvironment
from envs.host.functional import FunctionalVector
from envs.host.processes import ProcessVector, processes_available
from envs.host.serial import SerialVector, ThreadVector


def vector(
  env: Environment | HostEnvironment, num_envs: int, seed: int, timeout: float = STEP_TIMEOUT
) -> VectorEnvironment:
  """Returns `num_envs` of an environment of either kind, stepped together and checked.

  What goes wrong, a number that is not finite too, is an `envs.errors.EnvironmentFailed`; see
  `envs.host.checked`.

  Args:
    env: functional, or on the host.
    num_envs: B.
    seed: fixes all their episodes; environment i has the stream `environment_seed(seed, i)`.
    timeout: seconds after which a step counts as stuck; only one in a process can then go on.
  """
  if isinstance(env, HostEnvironment):
    return CheckedVector(_on_host(env, num_envs, seed, timeout), env.name)
  return CheckedVector(FunctionalVector(env, num_envs, seed), type(env).__name__)


def _on_host(env: HostEnvironment, num_envs: int, seed: int, timeout: float) -> VectorEnvironment:
  if isinstance(env, HasVector):
    return env.vector(num_envs, seed, timeout)
  if env.stepping == "serial":
    return SerialVector(env, num_envs, seed)
  if env.stepping == "processes":
    if processes_available():
      return ProcessVector(env, num_envs, seed, timeout)
    warnings.warn(
      "this system has no worker processes (Linux and macOS have); environments are stepped by"
      " threads, where one that hangs ends the run.",
      RuntimeWarning,
      stacklevel=3,
    )
  return ThreadVector(env, num_envs, seed, timeout)
