"""What `rarebird launch` can be told beside what `rarebird train` can."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from experiments.settings.errors import UserError


@dataclasses.dataclass(frozen=True)
class ClusterConfig:
  """Where the nodes of a cluster run go. Resources are Ray's: CPU, GPU, or names of your own."""

  address: str = ""
  """Ray cluster to join: `auto` for the one of this machine, or host:port of its head. Without it a
  private Ray is started here and ends with the run."""
  learner_resources: tuple[str, ...] = ("CPU=1",)
  """What the learner needs, as name=amount; GPU=2 shares the batch among two accelerators."""
  actor_resources: tuple[str, ...] = ("CPU=1",)
  """What each actor needs."""
  replay_resources: tuple[str, ...] = ()
  """What the replay server needs. It stays on the machine of this command unless something is asked
  for here, as the learner does unless it needs more than CPU."""
  evaluator_resources: tuple[str, ...] = ()
  """What the evaluator needs."""


def amounts(resources: tuple[str, ...], flag: str) -> dict[str, float]:
  """Parses name=amount pairs; a wrong one is a UserError that names the flag."""
  out = {}
  for pair in resources:
    name, _, amount = pair.partition("=")
    try:
      out[name] = float(amount)
    except ValueError:
      out[name] = -1.0
    if not name or not 0 <= out[name] < math.inf:
      raise UserError(f"{flag} {pair!r}: write name=amount, such as CPU=1 or GPU=0.5.")
  return out


def options(resources: dict[str, float]) -> dict[str, Any]:
  """The same as options of a Ray actor."""
  named = {name: amount for name, amount in resources.items() if name not in ("CPU", "GPU")}
  return {
    "num_cpus": resources.get("CPU", 0),
    "num_gpus": resources.get("GPU", 0),
    "resources": named,
  }
