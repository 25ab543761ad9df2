"""Reference runs: every metric of twenty updates, to see that a change of the code changes nothing.

  python -m tests.references record      (writes tests/golden/reference_runs.json; some minutes)
  python -m tests.references compare     (tells what differs by more than --tolerance, by default 0)

Runs are of each agent, each objective, in order and from a replay where it may, and three bonuses,
in the compiled runtime, whose bits do not depend on the clock. On another processor, or with
another JAX, they agree to rounding alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import numpy as np

from agents import agent as agents
from agents import bonuses
from experiments.runs import experiment as train
from experiments.settings.train import TrainConfig
from tests.experiments.runs_of_everything import OBJECTIVES, ON_POLICY, UPDATES, small

GOLDEN = Path(__file__).parent / "golden" / "reference_runs.json"
JAX = "jax"
"""The entry that tells which JAX the runs were recorded with."""
BONUSES = ("byol_explore", "ngu", "rnd")
LENGTH = 20
"""Updates of a run; each is a row of the log."""


def lengthened(config: TrainConfig) -> TrainConfig:
  """The run with more updates, and no evaluation but the last."""
  more = (LENGTH - UPDATES) * 16
  return dataclasses.replace(config, steps=config.steps + more, eval_rows=1000)


def cases() -> dict[str, TrainConfig]:
  """The runs, by name."""
  out = {}
  for name in agents.registry.names():
    kind = agents.registry.get(name)
    if kind.offline:
      continue
    replay = kind.config().objective.name not in ON_POLICY
    out[f"agent {name}"] = small(name, replay=replay)
  for name in OBJECTIVES:
    out[f"objective {name}"] = small("byol_explore", name)
    if name not in ON_POLICY:
      out[f"objective {name}, replay"] = small("byol_explore", name, replay=True)
  for name in BONUSES:
    config = small("byol_explore")
    out[f"bonus {name}"] = dataclasses.replace(
      config, agent=dataclasses.replace(config.agent, bonus=bonuses.registry.choice(name))
    )
  return {name: lengthened(config) for name, config in out.items()}


def recorded() -> dict[str, Any]:
  """The rows of each run as they were recorded, and under `JAX` its version."""
  return json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}


def rows(config: TrainConfig) -> list[dict[str, float]]:
  """The rows of a run, without how fast it was; numbers with as many digits as float32 has."""
  loop = train.build(config).loop
  made = [row for step in loop.train(loop.init(), lambda: False) for row in step.rows]
  return [
    {name: float(str(np.float32(x))) for name, x in row.items() if name != "steps_per_second"}
    for row in made
  ]


def differences(
  old: list[dict[str, float]], new: list[dict[str, float]], tolerance: float
) -> list[str]:
  """What differs by more than `tolerance`, relative to the larger of the old value and 1."""
  if len(old) != len(new):
    return [f"{len(old)} rows before, {len(new)} now"]
  out = []
  for number, (before, now) in enumerate(zip(old, new, strict=True)):
    if gone := sorted(set(before) - set(now)):
      out.append(f"row {number}: no {', '.join(gone)}")
    for name in sorted(set(before) & set(now)):
      if abs(now[name] - before[name]) > tolerance * max(abs(before[name]), 1.0):
        out.append(f"row {number}: {name} was {before[name]!r}, is {now[name]!r}")
  return out


def main() -> int:
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("what", choices=["record", "compare"])
  parser.add_argument("--tolerance", type=float, default=0.0)
  parser.add_argument("--only", default="", help="cases whose name has this in it")
  options = parser.parse_args()
  asked = {name: config for name, config in cases().items() if options.only in name}
  known = recorded()
  failed = 0
  for name, config in asked.items():
    now = rows(config)
    if options.what == "record":
      known[name] = now
      print(f"{name}: {len(now)} rows", flush=True)
      continue
    found = differences(known[name], now, options.tolerance)
    failed += bool(found)
    print(f"{name}: {found[0] + f' (and {len(found) - 1} more)' if found else 'same'}", flush=True)
  if options.what == "record":
    known[JAX] = jax.__version__
    GOLDEN.parent.mkdir(exist_ok=True)
    lines = (f"{json.dumps(name)}: {json.dumps(made)}" for name, made in sorted(known.items()))
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
  return 1 if failed else 0


if __name__ == "__main__":
  sys.exit(main())
