"""A run put together from its config, whatever the runtime."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from agents.agent import Agent, Teacher
from envs.environment import Environment
from envs.host.environment import HostEnvironment
from experiments.runs import run_folder
from experiments.runs.checkpoint import Checkpoints
from experiments.runs.logs import Logs
from experiments.runs.rows import Row
from experiments.runtimes.actor_learner import ActorLearnerLoop
from experiments.runtimes.cluster.cluster_loop import ClusterLoop
from experiments.runtimes.from_dataset import DatasetLoop
from experiments.runtimes.interval import Interval
from experiments.runtimes.loop import Loop
from experiments.runtimes.on_device_loop import OnDeviceLoop
from experiments.settings.cluster import ClusterConfig
from experiments.settings.errors import UserError
from experiments.settings.train import (
  RESUMABLE,
  TrainConfig,
  build_agent,
  build_environment,
  check,
  local_devices,
  steps,
  to_json,
)

TEACHER = "teacher"
"""Folder, in a run folder, of the run that it learns from."""


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A run put together: environment, agent, and the loop that carries it out."""

  config: TrainConfig
  env: Environment | HostEnvironment
  agent: Agent
  loop: Loop

  @property
  def interval(self) -> Interval:
    """Its log interval."""
    return Interval(self.config, self.agent.data)

  @property
  def updates(self) -> int:
    """Updates of the whole run."""
    return self.interval.total

  def steps(self, updates: int) -> int:
    """Environment steps of one seed, resets counted, that so many updates stand for."""
    return steps(self.agent.data, updates)


def build(config: TrainConfig, cluster: ClusterConfig | None = None) -> Experiment:
  """Puts a run together; what is wrong in its config is a UserError, before a file is touched."""
  check(config)
  env = build_environment(config)
  agent = build_agent(config, env, teacher(config)) if config.teacher else build_agent(config, env)
  try:
    return Experiment(config, env, agent, _loop(config, env, agent, cluster))
  except ValueError as error:
    raise UserError(str(error)) from error


def teacher(config: TrainConfig) -> Teacher:
  """The trained agent that a run learns from: the copy in its folder, or where it was named.

  Raises:
    UserError: one line, if there is none, or the runtime cannot have one.
  """
  if config.runtime == "cluster":
    raise UserError("--teacher is for runs in one process: --runtime on_device or actor_learner.")
  kept = Path(config.folder()) / TEACHER
  experiment, state = load(kept if kept.exists() else Path(config.teacher))
  learner = jax.device_get(experiment.loop.learner_state(state))
  return Teacher(experiment.agent, learner, experiment.env)


def keep_teacher(config: TrainConfig) -> None:
  """Copies the teacher into the run folder, so that the run needs the other no more."""
  kept = Path(config.folder()) / TEACHER
  if not config.teacher or kept.exists():
    return
  partial = kept.with_name(f"{TEACHER}.partial")
  shutil.rmtree(partial, ignore_errors=True)
  partial.mkdir()
  for name in ("config.json", "checkpoints", "checksums", TEACHER):
    source = Path(config.teacher) / name
    if source.is_dir():
      shutil.copytree(source, partial / name)
    elif source.exists():
      shutil.copy(source, partial / name)
  partial.rename(kept)


def _loop(
  config: TrainConfig,
  env: Environment | HostEnvironment,
  agent: Agent,
  cluster: ClusterConfig | None,
) -> Loop:
  runtime = config.runtime
  if config.dataset:
    return DatasetLoop(config, env, agent)
  if runtime == "auto":
    runtime = "actor_learner" if isinstance(env, HostEnvironment) else "on_device"
  if agent.with_state is not None and runtime != "on_device":
    raise UserError(
      f"a planner whose model is true plans from the environment's state, which runtime {runtime!r}"
      " does not give: take --runtime on_device, or --planner.model learned."
    )
  if agent.reads_state and runtime != "on_device":
    raise UserError(
      f"agent {config.agent_name!r} keeps states of environments and goes back to them, which"
      f" runtime {runtime!r} cannot; give --runtime on_device."
    )
  if runtime == "cluster":
    return ClusterLoop(config, env, agent, cluster or ClusterConfig())
  devices = local_devices(config)
  if runtime == "actor_learner":
    return ActorLearnerLoop(config, env, agent, devices)
  if isinstance(env, HostEnvironment):
    raise UserError(
      f"environment {config.env!r} runs on the host, not on_device; give --runtime actor_learner."
    )
  return OnDeviceLoop(config, env, agent, devices)


def checkpoints(experiment: Experiment, folder: Path, create: bool = False) -> Checkpoints:
  """Opens the run's checkpoints."""
  asked = json.loads(to_json(experiment.config))
  return Checkpoints(folder, {k: v for k, v in asked.items() if k not in RESUMABLE}, create)


def restore(experiment: Experiment, saved: Checkpoints) -> Any:
  """The newest checkpoint's state, or that of a new run; an unreadable one is a UserError."""
  state = experiment.loop.init()
  return state if saved.latest() is None else saved.restore(state)


def load(path: Path) -> tuple[Experiment, Any]:
  """A run and the state of its newest checkpoint; one without is a UserError."""
  config = dataclasses.replace(run_folder.read_config(path), out=str(path), devices=1, log=())
  experiment = build(config)
  if (path / "checkpoints").is_dir():
    saved = checkpoints(experiment, path)
    if saved.latest() is not None:
      state = restore(experiment, saved)
      saved.close()
      return experiment, state
  raise UserError(f"{path} has no checkpoint yet; train it first.")


class Step(NamedTuple):
  """Where a run stands: updates done, the rows made since, and its state if that was saved here."""

  updates: int
  rows: list[Row]
  state: Any


def advance(
  experiment: Experiment,
  state: Any,
  saved: Checkpoints,
  logs: Logs,
  stopping: Callable[[], bool],
  until: int,
  enough: Callable[[list[Row]], bool] = lambda rows: False,
) -> Generator[Step]:
  """Trains from `state`, which is donated, logs rows and saves checkpoints when they are due.

  It ends at `until` updates, once `stopping()`, or after rows that are `enough`, and its last step
  has the state; nothing is yielded by a run that is so far already.
  """
  loop, interval = experiment.loop, experiment.interval
  if loop.updates(state) >= until:
    return
  last_saved = loop.updates(state)
  with contextlib.closing(loop.train(state, stopping)) as steps:
    for done, rows, snapshot in steps:
      # Rows first: a row without its checkpoint is found and kept, a checkpoint without its rows
      # would leave a hole in the log.
      logs.write(rows)
      kept = None
      # Read once: what is stopped here is saved here.
      stop = stopping() or done >= until or enough(rows)
      if stop or interval.saves(last_saved, done):
        last_saved = done
        kept = snapshot()
        done = loop.updates(kept)
        saved.save(done, kept)
      yield Step(done, rows, kept)
      if stop:
        return
