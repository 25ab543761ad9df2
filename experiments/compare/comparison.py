"""A comparison under way: weights are tuned, then cells are run, and each leaves its data."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
from pathlib import Path

from rich.console import Console

from agents import agent as agents
from envs.environment import Environment
from experiments.commands import bench
from experiments.compare import command_line, data, films, plan, results, tuning, worlds
from experiments.compare.meter import Meter
from experiments.compare.plan import Cell
from experiments.compare.remaining import Foreseen, Kind, Part
from experiments.compare.runner import Runner, Watch
from experiments.evaluation import links, ranks
from experiments.runs import run_folder
from experiments.runs.interrupted import Interrupted
from experiments.runs.run_folder import Folder
from experiments.runtimes.on_device import Carry
from experiments.settings import compare as compare_config
from experiments.settings.compare import CompareConfig
from experiments.settings.train import TrainConfig

LIBRARIES = ("rarebird", "jax", "jaxlib", "dm-haiku", "optax", "numpy")


class Comparison:
  """All that is left to do for the data of a comparison.

  Attributes:
    left_out: cells that would take longer than they may, and their minutes.
  """

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
    self.left_out: dict[Cell, float] = {}

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
        if not done and cell not in self.left_out:
          return False
        part.finished = done
        part.rows = part.done  # there is no more of it, be it solved or left out
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
    weight = self._weight(cell)
    out = path / "runs" / cell.folder
    run = config.train_config(cell.variant, cell.env, weight, str(out))
    seeds = list(range(config.seed, config.seed + config.seeds))
    rows = config.rows(run)
    name = f"{cell.variant} in {cell.env}"
    foreseen = Foreseen(
      rows,
      config.max_minutes,
      watch,
      lambda minutes: self._meter.say(f"{name}: about {minutes:.1f} minutes"),
    )
    state = self._runner.run(
      cell,
      run,
      seeds,
      [weight] * len(seeds),
      rows,
      lambda: self._interrupted.requested() or foreseen.too_long,
      foreseen.watch,
      config.stop_solved,
    )
    if state is not None:
      self._finish(cell, run, state, rows, weight)
      return True
    if foreseen.too_long and not self._interrupted.requested():
      self.left_out[cell] = foreseen.minutes
      self._runner.forget(cell)
      self._meter.say(
        f"{name} is left out: it would take about {foreseen.minutes:.0f} minutes, and --max-minutes"
        f" is {config.max_minutes:g}; with more the same command goes on."
      )
    return False

  def _finish(self, cell: Cell, run: TrainConfig, state: Carry, points: int, weight: float) -> None:
    """Writes a trained cell's data."""
    path = self._folder.path
    experiment, log = self._runner.experiment(cell), run_folder.read_rows(Path(run.out))
    config = self._config.train_config(cell.variant, cell.env, weight)
    command = command_line.command("train", config)
    evaluated, compiled = self._runner.scores(cell, state), self._runner.compiled(cell)
    rows = results.finals(log, experiment, state, evaluated, points, compiled, command)
    variables = self._runner.variables(cell, state)
    if self._config.films:
      data.replace(path, "films.jsonl", cell, films.rows(experiment, variables, rows))
    ranked = ranks.measure(experiment, variables)
    data.replace(path, "curves.jsonl", cell, results.curves(log, experiment))
    data.replace(path, "instruments.jsonl", cell, [results.inspect(experiment, state, ranked)])
    rows = results.with_ranks(rows, ranked)
    rows = results.with_links(rows, links.measure(experiment, variables))
    if self._config.varies == "auxiliary":
      rows = results.with_probes(rows, experiment, state)
    data.replace(path, "finals.jsonl", cell, rows)  # last: with it the cell counts as finished
    self._runner.forget(cell)
    scored = " ".join(f"{row['score']:.2f}" for row in rows)
    self._meter.say(
      f"{cell.variant} in {cell.env}: {scored} in {rows[0]['seconds']:.0f} s\n  {command}"
    )

  def _weight(self, cell: Cell) -> float:
    """The weight of a cell's bonus: what was chosen, or else what was given."""
    usual = self._config.train_config(cell.variant, cell.env).agent.payment.bonus_weight
    if self._config.recipes and cell in self._tuned:  # by itself: each recipe is another agent
      rows = data.read(self._folder.path, "tuning.jsonl")
      rows = [row for row in rows if Cell(row["variant"], row["env"]) == cell]
      return tuning.choose(rows, self._config.weights, usual)[cell.variant]
    return self._weights().get(cell.variant, usual)

  def _weights(self) -> dict[str, float]:
    """The weight of every bonus but `none`, where bonuses are varied; none while some are tuned,
    and none with recipes, where each cell has a weight of its own."""
    weight = self._config.agent.payment.bonus_weight
    if self._config.varies != "bonus" or self._config.recipes:
      return {}
    if not self._tuned:
      given = self._config.given_weights()
      variants = [cell.variant for cell in self._cells if cell.variant != plan.PLAIN]
      return {variant: given.get(variant, weight) for variant in variants}
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
        "steps": max(self._steps().values()),
        "steps_in": self._steps(),
        "machine": bench.machine(),
        "versions": {name: version for name in LIBRARIES if (version := _version(name))},
        "command": command_line.command("compare", compare_config.as_given(config)),
        "agent": config.flat_agent(),
        "weights": self._weights(),
        "revisiting": [variant for variant in variants if self._revisits(variant)],
      },
    )

  def _revisits(self, variant: str) -> bool:
    """Whether a variant's agent goes back to kept states."""
    run = self._config.train_config(variant, next(iter(self._envs)))
    return agents.registry.get(run.agent_name).revisits

  def _steps(self) -> dict[str, int]:
    """Environment steps of one seed in each environment, the most of any variant."""
    steps: dict[str, int] = {}
    for cell in self._cells:
      run = self._config.train_config(cell.variant, cell.env)
      own = self._config.rows(run) * self._config.steps_per_row(run)
      steps[cell.env] = max(own, steps.get(cell.env, 0))
    return steps

  def _write_maps(self) -> None:
    maps = run_folder.read_json(self._folder.path, "maps.json") or {}
    if set(self._envs) <= set(maps):
      return
    steps = self._steps()
    agents = {name: self._config.agent for name in self._envs}
    agents |= {name: run.agent for name, run in self._config.worlds.items()}
    maps |= {
      name: worlds.describe(env, steps[name], agents[name].batch_size)
      for name, env in self._envs.items()
      if name not in maps
    }
    self._folder.write_json("maps.json", maps)


def _shifted(watch: Watch, before: int, done: int, seconds: float) -> None:
  watch(before + done, seconds)


def _version(name: str) -> str | None:
  try:
    return importlib.metadata.version(name)
  except importlib.metadata.PackageNotFoundError:
    return None
