"""The command that makes a run."""

from __future__ import annotations

import shlex
from typing import Any

from experiments.settings import flags
from experiments.settings.train import DEFAULT_AGENT


def command(name: str, config: Any) -> str:
  """The words of `rarebird NAME` that give this config: all flags that are not at their default."""
  usual = type(config).of(config.agent_name)
  agent = [] if config.agent_name == DEFAULT_AGENT else ["--agent", config.agent_name]
  return shlex.join(["rarebird", name, *agent, *flags.words(config, usual)])
