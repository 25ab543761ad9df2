"""bsuite (Osband et al. 2020, arXiv 1908.03568): small experiments, each about one ability."""

from __future__ import annotations

import inspect
from typing import Any

import dm_env

from envs.environment import registry
from envs.extras import extra
from envs.host.environment import Stepping
from envs.host.host import EPISODE_LIMIT, Host


def names() -> list[str]:
  """All experiments: catch/0, deep_sea/0, ..."""
  from bsuite import sweep

  return list(sweep.SWEEP)


@registry.family("bsuite/", "experiment", names)
def bsuite(id: str, *, stepping: Stepping = "serial") -> Host:
  """bsuite's experiments: catch/0, deep_sea/0, memory_len/0, ...

  Args:
    id: the experiment, a slash, and its number in the sweep.
    stepping: see `Host`; a step takes microseconds, so serial by default.

  Raises:
    ValueError: if bsuite is not installed.
  """
  library = extra("bsuite.bsuite", "bsuite")
  settings: dict[str, Any] = dict(library.sweep.SETTINGS[id])
  load = library.EXPERIMENT_NAME_TO_ENVIRONMENT[id.partition("/")[0]]
  seeded = "seed" in inspect.signature(load).parameters

  def build(seed: int) -> dm_env.Environment:
    return load(**{**settings, "seed": seed}) if seeded else load(**settings)

  return Host(build, stepping, max_episode_steps=EPISODE_LIMIT, probe=build(0))
