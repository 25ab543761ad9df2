"""Scores of a policy while its run goes on: at once, or in a thread beside the learner."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from agents.agent import Agent
from envs.environment import Environment
from envs.errors import Failure
from envs.host.environment import HostEnvironment
from experiments.acting import host_rollout, keys, rollout
from experiments.acting.episodes import Episodes
from experiments.settings.errors import Failed
from experiments.settings.train import TrainConfig


def mean_scores(episodes: dict[str, Episodes], seed: int) -> dict[str, float]:
  """Mean success and return on each split, of one seed's episodes [S, E], as a log row has them.

  No success where nothing tells it.
  """
  out = {}
  for split, e in episodes.items():
    if e.success is not None:
      out[f"eval/{split}/success"] = float(np.mean(e.success[seed]))
    out[f"eval/{split}/return"] = float(np.mean(e.episode_return[seed]))
  return out


class Scorer:
  """Plays a policy on every split of an environment, compiled where the environment is."""

  def __init__(self, config: TrainConfig, env: Environment | HostEnvironment, agent: Agent):
    self._config, self._env, self._agent = config, env, agent
    self._episodes = config.episodes_per_evaluation(env)
    if isinstance(env, Environment):
      self._play = rollout.split_player(env, agent, self._episodes)

  def __call__(
    self, step: int, variables: Any, stopping: Callable[[], bool] = lambda: False
  ) -> dict[str, float]:
    """Scores the policy of a step; the step stands beside them. Empty once `stopping()` is true.

    Raises what an environment raises; see `envs.host.vector.vector`.
    """
    drawn = keys.stream(self._config.keys()[:1], keys.SCORES, step)
    if isinstance(self._env, HostEnvironment):
      timeout = self._config.step_timeout
      try:
        episodes = host_rollout.play(
          self._env, self._agent, variables, self._episodes, drawn[0], timeout, stopping=stopping
        )
      except host_rollout.Stopped:
        return {}
    else:
      played = self._play(jax.tree.map(lambda x: x[None], variables), drawn)
      episodes = jax.device_get(played)
    return mean_scores(episodes, 0) | {"eval/step": float(step)}


class Evaluator:
  """Scores policies in a thread, one at a time."""

  def __init__(self, scorer: Scorer, stopping: Callable[[], bool]):
    """What is being scored is given up once `stopping()` is true."""
    self._scorer, self._stopping = scorer, stopping
    self._closed = False
    self._thread: threading.Thread | None = None
    self._scores: dict[str, float] = {}
    self._error: BaseException | None = None

  def submit(self, step: int, variables: Any, wait: bool = False) -> None:
    """Starts to score a policy, unless another is still being scored; `wait` waits for that one."""
    if self._thread is not None:
      self._thread.join(None if wait else 0)
      if self._thread.is_alive():
        return

    def evaluate() -> None:
      try:
        stopping = self._stopping
        self._scores = self._scorer(step, variables, lambda: self._closed or stopping())
      except BaseException as error:
        self._error = error

    self._thread = threading.Thread(target=evaluate, name="evaluator", daemon=True)
    self._thread.start()

  def take(self, wait: bool = False) -> dict[str, float]:
    """The scores since the last call; empty if there are none, unless `wait` waits for them.

    Raises:
      Failed: if playing raised.
    """
    if self._thread is not None and wait:
      self._thread.join()
    if self._error is not None:
      raise Failed.by("evaluator", Failure.of(self._error)) from self._error
    scores, self._scores = self._scores, {}
    return scores

  def close(self) -> None:
    """Gives up what is being scored and ends the thread."""
    self._closed = True
    if self._thread is not None:
      self._thread.join()
