"""The tasks, a file each: its maps, its chain, its oracle, its name."""

from __future__ import annotations

import importlib
import pkgutil

from envs.first_person.hard_eight.maps import Task


def every() -> tuple[Task, ...]:
  """All tasks, by name."""
  names = sorted(found.name for found in pkgutil.iter_modules(__path__))
  return tuple(importlib.import_module(f"{__name__}.{name}").TASK for name in names)
