"""Trains one cell: all its seeds, or all its trials, in one compiled program.

A cell's experiment is put together once, and its program is compiled once: tuning and comparison
differ in the keys of the seeds and in the weights, which are both state.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Agent
from envs.environment import Environment
from experiments.compare import scores
from experiments.compare.plan import Cell
from experiments.runs import experiment as train
from experiments.runs import run_folder
from experiments.runs.experiment import Experiment
from experiments.runs.logs import Logs
from experiments.runs.rows import Row
from experiments.runs.run_folder import RunFolder
from experiments.runtimes.on_device import Carry, turned
from experiments.runtimes.on_device_loop import OnDeviceLoop
from experiments.runtimes.program import planned_bytes
from experiments.settings.compare import CompareConfig
from experiments.settings.train import TrainConfig

Watch = Callable[[int, float], None]
"""Is told the points of the curve that are done, and the seconds of training that the last took."""


class Runner:
  """Experiments of the cells under way, each built when it is first asked for."""

  def __init__(self, config: CompareConfig):
    self._config = config
    self._built: dict[Cell, Experiment] = {}

  def experiment(self, cell: Cell) -> Experiment:
    """The experiment of a cell; what is wrong in its config is a UserError."""
    if cell not in self._built:
      self._built[cell] = train.build(self._config.train_config(cell.variant, cell.env))
    return self._built[cell]

  def forget(self, cell: Cell) -> None:
    """Frees a cell's compiled program."""
    self._built.pop(cell, None)

  def compiled(self, cell: Cell) -> tuple[float, int]:
    """Seconds that a cell's program took to compile, and the bytes that XLA plans for it."""
    loop = _loop(self.experiment(cell))
    program, seconds = loop.program(loop.init())
    return seconds, planned_bytes(program)

  def run(
    self,
    cell: Cell,
    config: TrainConfig,
    seeds: list[int],
    weights: list[float],
    rows: int,
    stopping: Callable[[], bool],
    watch: Watch,
    stop_solved: bool = False,
  ) -> Carry | None:
    """Trains or resumes, in the run folder of `config`.

    Args:
      cell: whose program it is.
      config: of the run; it differs from the cell's by folder, seed and weight at most. The log
        numbers the seeds from the cell's first, whatever they are.
      seeds, weights: [S], of the bonus.
      rows: points of the curve to train for.
      stopping: whether to save and stop.
      watch: is told how far it is.
      stop_solved: whether to stop where it is solved, see `scores.is_solved`.

    Returns:
      The state after `rows`, or where it was solved; None if it was stopped before.
    """
    experiment = dataclasses.replace(self.experiment(cell), config=config)
    with contextlib.ExitStack() as stack:
      folder = RunFolder(config)
      stack.callback(folder.close)
      saved = train.checkpoints(experiment, folder.path, create=True)
      stack.callback(saved.close)
      logs = Logs(folder.path, config.log)
      stack.callback(logs.close)
      state = start(_loop(experiment), experiment.agent, seeds, weights)
      if saved.latest() is not None:
        state = saved.restore(state)
      until = rows * config.log_updates
      done = experiment.loop.updates(state)
      watch(done // config.log_updates, 0.0)
      env = experiment.env
      assert isinstance(env, Environment)
      log = run_folder.read_rows(folder.path)
      log = [row for row in log if row["step"] <= experiment.steps(done)]

      def solved(rows: list[Row]) -> bool:
        log.extend(rows)
        return stop_solved and scores.is_solved(log, env)

      if solved([]):  # before it was stopped
        return state
      for step in train.advance(experiment, state, saved, logs, stopping, until, solved):
        done, state = step.updates, step.state
        watch(done // config.log_updates, seconds(step.rows, experiment))
    return state if done >= until or solved([]) else None

  def variables(self, cell: Cell, state: Carry) -> Any:
    """What the agents of a state act by, with a leading axis of seeds."""
    return _loop(self.experiment(cell)).variables(state)

  def scores(self, cell: Cell, state: Carry) -> list[dict[str, float]]:
    """The evaluation of a state of the seeds that are compared, one a seed."""
    return _loop(self.experiment(cell)).scores(state)


def seconds(rows: list[Row], experiment: Experiment) -> float:
  """Seconds of training, compilation apart, that these rows of all seeds took."""
  steps = experiment.steps(experiment.config.log_updates)
  return sum(steps / row["steps_per_second"] for row in rows)  # a row's rate is of all seeds


def _loop(experiment: Experiment) -> OnDeviceLoop:
  assert isinstance(experiment.loop, OnDeviceLoop)
  return experiment.loop


def start(loop: OnDeviceLoop, agent: Agent, seeds: list[int], weights: list[float]) -> Carry:
  """The state of a new run with these seeds and weights of the bonus, each [S]."""
  state = loop.runtime.init(jnp.stack([jax.random.key(seed) for seed in seeds]))
  return turned(agent, state, [{"bonus_weight": weight} for weight in weights])


def one_seed(state: Any, index: int) -> Any:
  """One seed's part of what has a leading axis of seeds."""
  return jax.tree.map(lambda x: x[index], state)
