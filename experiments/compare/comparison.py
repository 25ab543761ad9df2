"""A comparison under way: weights are tuned, then cells are run, and each leaves its data."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata

from rich.console import Console

from envs.environment import Environment
from experiments.commands import bench
from experiments.compare import command_line, data, plan, results, tuning, worlds
from experiments.compare.meter import Meter
from experiments.compare.plan import Cell
from experiments.compare.remaining import Kind, Part
from experiments.compare.runner import Runner, Watch
from experiments.runs import run_folder
from experiments.runs.interrupted import Interrupted
from experiments.runs.run_folder import Folder
from experiments.settings.compare import CompareConfig

LIBRARIES = ("rarebird", "jax", "jaxlib", "dm-haiku", "optax", "numpy")


class Comparison:
  """All that is left to do for the data of a comparison."""

  def __init__(
    self,
    config: CompareConfig,
    envs: dict[str, Environment],
    runner: Runner,
    folder: Folder,
    console: Console,
  ):
    self._config, self._envs, self._runner, self._folder = config, envs, runner, folder
    self._cells = plan.cells(config, envs)
    self._tuned = plan.tuned(config, envs, self._cells)
    self._interrupted = Interrupted(folder)
    self._parts = {
      **self._plan("tuning", self._tuned),
      **self._plan("run", self._cells),
    }
    self._meter = Meter(list(self._parts.values()), console)

  def run(self) -> bool:
    """Does it; returns whether it came to the end, and was not asked to stop."""
    self._write_settings()
    self._write_maps()
    with self._interrupted.listening(), self._meter.showing():
      for (kind, cell), part in self._parts.items():
        if part.finished:
          continue
        if self._interrupted.requested():
          return False
        with self._meter.timing(part) as watch:
          done = self._tune(cell, watch) if kind == "tuning" else self._compare(cell, watch)
        if not done:
          return False
        part.finished = True
        self._meter.show(part)
    return True

  def _rows(self, kind: Kind, cell: Cell) -> int:
    """Points of the curves that a part trains for."""
    config, run = self._config, self._config.train_config(cell.variant, cell.env)
    if kind == "run":
      return config.rows(run)
    return config.tuning_rows(run) * len(plan.trials(config))

  def _plan(self, kind: Kind, cells: list[Cell]) -> dict[tuple[Kind, Cell], Part]:
    done = data.cells(self._folder.path, "tuning.jsonl" if kind == "tuning" else "finals.jsonl")
    return {
      (kind, cell): Part(
        kind, cell.variant, cell.env, rows, rows if cell in done else 0, finished=cell in done
      )
      for cell in cells
      for rows in (self._rows(kind, cell),)
    }

  def _tune(self, cell: Cell, watch: Watch) -> bool:
    config, found = self._config, []
    for number, batch in enumerate(plan.trials(config)):
      run = tuning.train_config(config, cell, batch, number)
      rows = config.tuning_rows(run)
      before = number * rows
      state = self._runner.run(
        cell,
        run,
        [trial.seed for trial in batch],
        [trial.weight for trial in batch],
        rows,
        self._interrupted.requested,
        functools.partial(_shifted, watch, before),
      )
      if state is None:
        return False
      found += tuning.rows(config, run, self._envs[cell.env], batch)
    data.replace(self._folder.path, "tuning.jsonl", cell, found)
    self._write_settings()
    return True

  def _compare(self, cell: Cell, watch: Watch) -> bool:
    config, path = self._config, self._folder.path
    usual = config.train_config(cell.variant, cell.env).agent.payment.bonus_weight
    weight = self._weights().get(cell.variant, usual)
    out = path / "runs" / cell.folder
    run = config.train_config(cell.variant, cell.env, weight, str(out))
    seeds = list(range(config.seed, config.seed + config.seeds))
    state = self._runner.run(
      cell, run, seeds, [weight] * len(seeds), config.rows(run), self._interrupted.requested, watch
    )
    if state is None:
      return False
    experiment, log = self._runner.experiment(cell), run_folder.read_rows(out)
    command = command_line.command("train", config.train_config(cell.variant, cell.env, weight))
    rows = results.finals(log, experiment, state, self._runner.compiled(cell), command)
    data.replace(path, "curves.jsonl", cell, results.curves(log, experiment))
    data.replace(path, "instruments.jsonl", cell, [results.inspect(experiment, state)])
    data.replace(path, "finals.jsonl", cell, rows)  # last: with it the cell counts as finished
    self._runner.forget(cell)
    scored = " ".join(f"{row['score']:.2f}" for row in rows)
    self._meter.say(
      f"{cell.variant} in {cell.env}: {scored} in {rows[0]['seconds']:.0f} s\n  {command}"
    )
    return True

  def _weights(self) -> dict[str, float]:
    """The weight of every bonus but `none`, where bonuses are varied; none while some are tuned."""
    weight = self._config.agent.payment.bonus_weight
    if self._config.varies != "bonus":
      return {}
    if not self._tuned:
      return {cell.variant: weight for cell in self._cells if cell.variant != plan.PLAIN}
    rows = data.read(self._folder.path, "tuning.jsonl")
    if {(row["variant"], row["env"]) for row in rows} != {(c.variant, c.env) for c in self._tuned}:
      return {}
    return tuning.choose(rows, self._config.weights, weight)

  def _write_settings(self) -> None:
    config = self._config
    variants = list(dict.fromkeys(cell.variant for cell in self._cells))
    self._folder.write_json(
      "compare.json",
      {
        "vary": config.varies,
        "baseline": config.baseline(variants),
        "variants": variants,
        "envs": list(config.envs),
        "cells": [dataclasses.asdict(cell) for cell in self._cells],
        "seeds": list(range(config.seed, config.seed + config.seeds)),
        "steps": self._steps(),
        "machine": bench.machine(),
        "versions": {name: version for name in LIBRARIES if (version := _version(name))},
        "command": command_line.command("compare", config),
        "agent": config.flat_agent(),
        "weights": self._weights(),
      },
    )

  def _steps(self) -> int:
    """Environment steps of one seed, the most of any variant."""
    runs = [self._config.train_config(cell.variant, cell.env) for cell in self._cells]
    return max(self._config.rows(run) * self._config.steps_per_row(run) for run in runs)

  def _write_maps(self) -> None:
    if (self._folder.path / "maps.json").exists():
      return
    steps = self._steps()
    batch = self._config.agent.batch_size
    maps = {name: worlds.describe(env, steps, batch) for name, env in self._envs.items()}
    self._folder.write_json("maps.json", maps)


def _shifted(watch: Watch, before: int, done: int, seconds: float) -> None:
  watch(before + done, seconds)


def _version(name: str) -> str | None:
  try:
    return importlib.metadata.version(name)
  except importlib.metadata.PackageNotFoundError:
    return None
