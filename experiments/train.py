"""The run loop: a generator of log rows, apart from what shows or stores them."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.agent import Agent
from envs.environment import Environment
from experiments import config as configs
from experiments import play
from experiments.checkpoint import Checkpoints
from experiments.config import TrainConfig
from experiments.errors import UserError
from experiments.runtimes import on_device
from experiments.runtimes.on_device import Carry, Runtime

Row = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A run put together: environment, agent, compiled program, and how long it goes on."""

  config: TrainConfig
  env: Environment
  agent: Agent
  runtime: Runtime
  calls: int

  @property
  def steps(self) -> int:
    """Environment steps of one seed in the whole run."""
    return self.calls * self.runtime.steps_per_call

  @property
  def keys(self) -> jax.Array:
    """The seeds' keys, [S]."""
    seeds = range(self.config.seed, self.config.seed + self.config.seeds)
    return jnp.stack([jax.random.key(seed) for seed in seeds])


def build(config: TrainConfig) -> Experiment:
  """Puts a run together; what is wrong in its config is a UserError, before a file is touched."""
  configs.check(config)
  env = configs.build_environment(config)
  agent = configs.build_agent(config, env)
  devices = jax.local_devices()
  if config.devices > len(devices):
    raise UserError(f"--devices is {config.devices}; this machine has {len(devices)}.")
  try:
    runtime = on_device.build(
      env, agent, config.log_updates, devices[: config.devices or len(devices)]
    )
  except ValueError as error:
    raise UserError(str(error)) from error
  return Experiment(config, env, agent, runtime, -(-config.steps // runtime.steps_per_call))


def checkpoints(experiment: Experiment, folder: Path, create: bool = False) -> Checkpoints:
  """Opens the run's checkpoints."""
  asked = json.loads(configs.to_json(experiment.config))
  return Checkpoints(folder, {k: v for k, v in asked.items() if k not in configs.RESUMABLE}, create)


def restore(experiment: Experiment, saved: Checkpoints) -> Carry:
  """The newest checkpoint's state, or that of a new run; an unreadable one is a UserError."""
  carry = experiment.runtime.init(experiment.keys)
  return carry if saved.latest() is None else saved.restore(carry)


def train(experiment: Experiment, carry: Carry) -> Iterator[tuple[list[Row], Carry]]:
  """Trains from `carry`, which is donated, to the end.

  Yields, a log interval, one row a seed and the state after it. That state is donated when the
  generator goes on, so save it first or leave it alone.

  Raises:
    UserError: at a NaN or infinite observation, reward or loss.
  """
  config, runtime = experiment.config, experiment.runtime
  run = runtime.run.lower(carry).compile()  # apart, for the first row's rate to be a rate
  evaluate = play.split_player(experiment.env, experiment.agent, config.eval_episodes)
  done = int(carry.updates[0]) // config.log_updates
  while done < experiment.calls:
    start = time.monotonic()
    carry, on_device_metrics = run(carry)
    metrics = jax.device_get(on_device_metrics)
    rate = config.seeds * runtime.steps_per_call / (time.monotonic() - start)
    done += 1
    rows = _rows(metrics, config, done * runtime.steps_per_call, rate)
    _check_finite(rows, config)
    if done % config.eval_rows == 0 or done == experiment.calls:
      keys = jax.vmap(jax.random.fold_in)(experiment.keys, carry.updates)
      scores = jax.device_get(evaluate(experiment.agent.variables(carry.learner), keys))
      for i, row in enumerate(rows):
        for split, episodes in scores.items():
          row[f"eval/{split}/success"] = float(np.mean(episodes.success[i]))
          row[f"eval/{split}/return"] = float(np.mean(episodes.episode_return[i]))
    yield rows, carry


def _check_finite(rows: list[Row], config: TrainConfig) -> None:
  for row in rows:
    where = f"seed {row['seed']:.0f}, before step {row['step']:.0f}"
    if not row.pop("finite"):
      raise UserError(
        f"NaN or infinite observation or reward from {config.env!r}, {where}; look at its step()."
        " The last checkpoint is kept."
      )
    bad = [name for name, value in row.items() if not np.isfinite(value)]
    if bad or not row.pop("finite_params"):
      raise UserError(
        f"{', '.join(bad) or 'a parameter'} is not finite, {where}; try a smaller --learning-rate."
        " The last checkpoint is kept."
      )


def _rows(
  metrics: dict[str, Any], config: TrainConfig, step: int, steps_per_second: float
) -> list[Row]:
  """One row a seed, of Python floats; episode sums become means."""
  rows = []
  for i in range(config.seeds):
    row: Row = {"seed": config.seed + i, "step": step}
    values = {name: float(x[i]) for name, x in metrics.items()}
    episodes = values.pop("episodes")
    for name in ("return", "length", "success"):
      total = values.pop(f"{name}_sum")
      if episodes:
        row[f"episode/{name}"] = total / episodes
    row["episode/count"] = episodes
    rows.append(row | values | {"steps_per_second": steps_per_second})
  return rows
