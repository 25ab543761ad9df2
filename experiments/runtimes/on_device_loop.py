"""Runs the on_device program, a log interval a call."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator
from typing import Any

import jax
import numpy as np

from agents.agent import Agent
from envs.environment import Environment
from experiments.acting import rollout as play
from experiments.runs import rows
from experiments.runtimes import loop, on_device
from experiments.runtimes.loop import Progress
from experiments.runtimes.on_device import LARGEST, Carry
from experiments.runtimes.program import compile_ahead
from experiments.runtimes.scoring import mean_scores
from experiments.settings.train import TrainConfig


class OnDeviceLoop(loop.Loop):
  """See `experiments.runtimes.on_device`; the state is its carry."""

  def __init__(
    self, config: TrainConfig, env: Environment, agent: Agent, devices: list[jax.Device]
  ):
    """Raises ValueError if the environments cannot be shared out evenly among the devices."""
    self._config, self._env, self._agent = config, env, agent
    self.runtime = on_device.build(env, agent, config.log_updates, devices)
    self._calls = config.rows(agent.data)
    self._keys = config.keys()
    self._program: tuple[Any, float] | None = None
    self._evaluate = play.split_player(env, agent, config.episodes_per_evaluation(env))

  def init(self) -> Carry:
    return self.runtime.init(self._keys)

  def updates(self, state: Carry) -> int:
    return int(state.updates[0])

  def variables(self, state: Carry) -> Any:
    return jax.vmap(self._agent.variables)(state.learner)

  def learner_state(self, state: Carry) -> Any:
    return jax.tree.map(lambda x: x[0], state.learner)

  def program(self, state: Carry) -> tuple[Any, float]:
    """The compiled program and the seconds that it took, once for all states of this loop."""
    if self._program is None:
      self._program = compile_ahead(self.runtime.run, state)
    return self._program

  def train(self, state: Carry, stopping: Callable[[], bool]) -> Generator[Progress]:
    config, runtime = self._config, self.runtime
    run, _ = self.program(state)  # apart, for the first row's rate to be a rate
    done = self.updates(state) // config.log_updates
    while done < self._calls:
      start = time.monotonic()
      state, on_device_metrics = run(state)
      metrics = jax.device_get(on_device_metrics)
      rate = config.seeds * runtime.steps_per_call / (time.monotonic() - start)
      done += 1
      made = []
      for i in range(config.seeds):
        values = {name: x[i] for name, x in metrics.items()}
        if not values.pop("learned"):  # the call only filled a replay
          told = (*rows.SUMS, *LARGEST)
          values = {name: x for name, x in values.items() if name in told or not np.isnan(x)}
        row = rows.make(values, config.seed + i, done * runtime.steps_per_call, rate)
        rows.check_finite(row, config.env, runtime.steps_per_call)
        made.append(row)
      if done % config.eval_rows == 0 or done == self._calls:
        keys = jax.vmap(jax.random.fold_in)(self._keys, state.updates)
        episodes = jax.device_get(self._evaluate(self.variables(state), keys))
        for i, row in enumerate(made):
          row |= mean_scores(episodes, i)
      yield Progress(done * config.log_updates, made, functools.partial(_same, state))
      if stopping():
        return


def _same(state: Carry) -> Carry:
  return state
