"""The command that makes a run."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from experiments.settings.train import DEFAULT_AGENT


def command(name: str, config: Any) -> str:
  """The words of `rarebird NAME` that give this config: all flags that are not at their default."""
  usual = type(config).of(config.agent_name)
  return shlex.join(["rarebird", name, *_agent(config.agent_name), *_flags(config, usual)])


def _agent(name: str) -> list[str]:
  return [] if name == DEFAULT_AGENT else ["--agent", name]


def _flags(config: Any, default: Any) -> list[str]:
  words: list[str] = []
  for field in dataclasses.fields(config):
    value, usual = getattr(config, field.name), getattr(default, field.name)
    flag = field.name.replace("_", "-")
    if dataclasses.is_dataclass(value):
      words += _flags(value, usual)
    elif value == usual:
      continue
    elif isinstance(value, bool):
      words.append(f"--{flag}" if value else f"--no-{flag}")
    elif isinstance(value, tuple):
      words += [f"--{flag}", *map(str, value)]
    else:
      words += [f"--{flag}", str(value)]
  return words
