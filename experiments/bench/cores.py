"""Which core remembers for how long: five of them at equal parameters, success against length.

    python -m experiments.bench.cores --parameters      (what each has, and how far apart they are)
    python -m experiments.bench.cores --out bench/cores

Trains by `rarebird train`, a run folder for each world, length and core, so that the same command
resumes what was stopped; then writes results.jsonl and cores.png beside them and prints the table.
All cores have the same torso, heads, objective, steps and unroll, and start from stored states. A
window of attention is the power of two above the length.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from agents.agent import Agent
from experiments.experience.layout import item_signature
from experiments.runs import run_folder
from experiments.settings import reader
from experiments.settings.train import (
  DEFAULT_AGENT,
  TrainConfig,
  build_agent,
  build_environment,
)

ALL = """
--bonus none --objective ppo --objective.epochs 2 --objective.minibatches 2 --objective.clip 0.2
--batch-size 32 --unroll-length 32 --learning-rate 5e-4 --entropy-weight 0.01 --torso linear
--latent-size 32 --head-hidden 64 --log-updates 20 --eval-rows 10 --eval-episodes 128
"""
CORES = {
  "gru": "--core gru --core-size 142",
  "lstm": "--core lstm --core-size 121",
  "transformer": "--core transformer --core-size 64 --core.window {window}",
  "gtrxl": "--core gtrxl --core-size 44 --core.head-size 10 --core.hidden 78"
  " --core.window {window}",
  "lru": "--core lru --core-size 64 --core.units 110",
}
"""Flags of each, so that all have as many parameters as `transformer` by its defaults."""
WORLDS = {"t_maze": (10, 50, 200, 500), "memory_len": (1, 3, 10, 30, 100)}
"""Lengths that are compared, of worlds of envs/memory."""


class Cell(NamedTuple):
  """A core in a world of some length."""

  world: str
  length: int
  core: str

  @property
  def folder(self) -> str:
    """Its run folder."""
    return f"{self.world}-{self.length}-{self.core}"

  def words(self, steps: int, seeds: int) -> list[str]:
    """Of `rarebird train`, without --out."""
    own = CORES[self.core].format(window=2 ** math.ceil(math.log2(self.length + 2)))
    asked = f"--env memory/{self.world} --env-args length={self.length} --steps {steps}"
    return f"{asked} --seeds {seeds} {ALL} {own}".split()


class Size(NamedTuple):
  """What a core costs: its parameters, and the bytes of its state and of a trajectory with it."""

  parameters: int
  state_bytes: int
  item_bytes: int


def size(cell: Cell) -> Size:
  """Of one cell; nothing is run."""
  config = reader.read("train", cell.words(1_000_000, 1), TrainConfig.of(DEFAULT_AGENT))
  env = build_environment(config)
  agent: Agent = build_agent(config, env)
  params = jax.eval_shape(agent.init, jax.random.key(0)).params.world_model
  own = {name: x for name, x in params.items() if name.split("/")[0] == "closed_loop"}
  item = item_signature(agent, env)
  return Size(sum(x.size for x in jax.tree.leaves(own)), _bytes(item.memory.core), _bytes(item))


def _bytes(tree: Any) -> int:
  return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def train(cell: Cell, out: Path, steps: int, seeds: int) -> None:
  """Trains, or goes on; raises subprocess.CalledProcessError where that fails."""
  words = [*cell.words(steps, seeds), "--out", str(out / cell.folder)]
  subprocess.run([sys.executable, "-m", "experiments", "train", *words], check=True)


def results(cell: Cell, out: Path) -> list[dict[str, Any]]:
  """A row a seed, of the last evaluation of its run; [] where there is none yet."""
  rows = run_folder.read_rows(out / cell.folder)
  last = {row["seed"]: row for row in rows if "eval/train/success" in row}
  if not last:
    return []
  speed = statistics.median(row["steps_per_second"] for row in rows)
  return [
    {
      **cell._asdict(), "seed": seed, "step": row["step"], "success": row["eval/train/success"],
      "return": row["eval/train/return"], "steps_per_second": round(speed),
      **size(cell)._asdict(),
    }
    for seed, row in sorted(last.items())
  ]  # fmt: skip


def table(rows: Sequence[dict[str, Any]]) -> str:
  """Markdown: a row a core and world, success of its seeds by length, and what it costs at most."""
  out = []
  for world in dict.fromkeys(row["world"] for row in rows):
    here = [row for row in rows if row["world"] == world]
    lengths = sorted({row["length"] for row in here})
    head = ("core", *(str(n) for n in lengths), "parameters", "steps/s", "KiB of an item")
    out += [f"{world}: success by length", "", _line(head), _line(["---"] * len(head))]
    for core in dict.fromkeys(row["core"] for row in here):
      own = [row for row in here if row["core"] == core]
      by_length = {n: [row["success"] for row in own if row["length"] == n] for n in lengths}
      longest = max(own, key=lambda row: row["length"])
      cells = [" ".join(f"{x:.2f}" for x in by_length[n]) or "-" for n in lengths]
      item = f"{longest['item_bytes'] / 1024:.1f}"
      speed = f"{longest['steps_per_second']:,}"
      out.append(_line([core, *cells, f"{longest['parameters']:,}", speed, item]))
    out.append("")
  return "\n".join(out)


def _line(cells: Sequence[str]) -> str:
  return f"| {' | '.join(cells)} |"


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
  """Success against length, a curve a core, the seeds as dots."""
  import matplotlib as mpl

  mpl.use("Agg")
  import matplotlib.pyplot as plt

  worlds = list(dict.fromkeys(row["world"] for row in rows))
  figure, axes = plt.subplots(1, len(worlds), figsize=(5 * len(worlds), 3.6), squeeze=False)
  for axis, world in zip(axes[0], worlds, strict=True):
    for number, core in enumerate(CORES):
      points: dict[int, list[float]] = {}
      for row in rows:
        if (row["world"], row["core"]) == (world, core):
          points.setdefault(row["length"], []).append(row["success"])
      lengths = sorted(points)
      means = [statistics.mean(points[n]) for n in lengths]
      axis.plot(lengths, means, color=f"C{number}", label=core)
      for n in lengths:
        axis.plot([n] * len(points[n]), points[n], ".", color=f"C{number}", alpha=0.5)
    axis.set(xscale="log", ylim=(-0.03, 1.03), xlabel="length", ylabel="success", title=world)
    axis.axhline(0.5, color="grey", linestyle=":", linewidth=1)
  axes[0][0].legend()
  figure.tight_layout()
  figure.savefig(path, dpi=120)
  plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", type=Path, default=Path("bench/cores"))
  parser.add_argument("--worlds", nargs="+", default=["t_maze"], choices=list(WORLDS))
  parser.add_argument("--lengths", nargs="+", type=int, help="in place of the worlds' own")
  parser.add_argument("--cores", nargs="+", default=list(CORES), choices=list(CORES))
  parser.add_argument("--steps", type=int, default=2_000_000)
  parser.add_argument("--seeds", type=int, default=3)
  parser.add_argument("--parameters", action="store_true", help="print what each has, and end")
  asked = parser.parse_args(arguments)
  cells = [
    Cell(world, length, core)
    for world in asked.worlds
    for length in asked.lengths or WORLDS[world]
    for core in asked.cores
  ]
  if asked.parameters:
    print(_line(("world", "length", "core", "parameters", "bytes of state", "of an item")))
    print(_line(["---"] * 6))
    for cell in cells:
      print(_line([str(x) for x in (*cell, *size(cell))]))
    return
  rows: list[dict[str, Any]] = []
  for cell in cells:
    train(cell, asked.out, asked.steps, asked.seeds)
    rows += results(cell, asked.out)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (asked.out / "results.jsonl").write_text(lines, "utf-8")
  print(table(rows))
  draw(rows, asked.out / "cores.png")


if __name__ == "__main__":
  main()
