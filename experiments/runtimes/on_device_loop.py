"""Runs the on_device program, a log interval a call."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import jax
import numpy as np

from agents.agent import Agent, Metrics
from envs.environment import Environment
from experiments.acting import keys, rollout
from experiments.runs.rows import SUMS
from experiments.runtimes import loop, on_device
from experiments.runtimes.interval import Interval, Pace
from experiments.runtimes.loop import Progress
from experiments.runtimes.on_device import LARGEST, Carry
from experiments.runtimes.program import compile_ahead
from experiments.runtimes.scoring import mean_scores
from experiments.settings.train import TrainConfig, steps


class OnDeviceLoop(loop.Loop):
  """See `experiments.runtimes.on_device`; the state is its carry."""

  def __init__(
    self, config: TrainConfig, env: Environment, agent: Agent, devices: list[jax.Device]
  ):
    """Raises ValueError if the environments cannot be shared out evenly among the devices."""
    self._config, self._env, self._agent = config, env, agent
    self.runtime = on_device.build(env, agent, config.log_updates, devices, len(config.lanes()))
    self._interval = Interval(config, agent.data)
    self._keys = config.keys()
    self._program: tuple[Any, float] | None = None
    self._evaluate = rollout.split_player(env, agent, config.episodes_per_evaluation(env))

  def init(self) -> Carry:
    return on_device.turned(
      self._agent,
      self.runtime.init(self._keys),
      [lane.numbers for lane in self._config.lanes()],
    )

  def updates(self, state: Carry) -> int:
    return int(state.updates[0])

  def variables(self, state: Carry) -> Any:
    return jax.vmap(self._agent.variables)(state.learner)

  def learners(self, state: Carry) -> Any:
    return state.learner

  def with_learners(self, state: Carry, learners: Any) -> Carry:
    return state._replace(learner=loop.placed(learners, state.learner))

  def program(self, state: Carry) -> tuple[Any, float]:
    """The compiled program and the seconds that it took, once for all states of this loop."""
    if self._program is None:
      self._program = compile_ahead(self.runtime.run, state)
    return self._program

  def scores(self, state: Carry) -> list[dict[str, float]]:
    """What a row of the log says of an evaluation of this state, one a seed."""
    now = steps(self._agent.data, self.updates(state))
    drawn = keys.stream(self._keys, keys.SCORES, now)
    episodes = jax.device_get(self._evaluate(self.variables(state), drawn))
    return [mean_scores(episodes, i) for i in range(len(self._keys))]

  def train(self, state: Carry, stopping: Callable[[], bool]) -> Generator[Progress]:
    config, interval = self._config, self._interval
    run, _ = self.program(state)  # apart, for the first row's rate to be a rate
    updates = self.updates(state)
    while updates < interval.total:
      pace = Pace(self._agent.data, updates)
      state, on_device_metrics = run(state)
      metrics = jax.device_get(on_device_metrics)
      updates += config.log_updates
      rate = len(self._keys) * pace.take(updates)[0]
      rows = [
        interval.row(_learned({name: x[i] for name, x in metrics.items()}), updates, rate, i)
        for i in range(len(self._keys))
      ]
      if interval.scores(updates):
        for row, scores in zip(rows, self.scores(state), strict=True):
          row |= scores
      yield Progress.at(updates, rows, state)
      if stopping():
        return


def _learned(metrics: Metrics) -> Metrics:
  """The metrics of one seed, without what learning tells where a call only filled a replay."""
  if metrics.pop("learned"):
    return metrics
  kept = (*SUMS, *LARGEST)
  return {name: x for name, x in metrics.items() if name in kept or not np.isnan(x)}
