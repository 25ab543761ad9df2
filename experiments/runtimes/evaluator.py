"""An evaluator: plays on the host in a thread of its own while learning goes on."""

from __future__ import annotations

import threading
from typing import Any

from agents.agent import Agent
from envs.vector import HostEnvironment
from experiments import host_play
from experiments.runtimes.loop import scores


class Evaluator:
  """Scores policies one at a time; a policy that comes while one is being scored waits its turn."""

  def __init__(self, env: HostEnvironment, agent: Agent, episodes: int, seed: int):
    self._env, self._agent, self._episodes, self._seed = env, agent, episodes, seed
    self._thread: threading.Thread | None = None
    self._scores: dict[str, float] = {}
    self._error: BaseException | None = None

  def submit(self, step: int, variables: Any) -> bool:
    """Starts to score the policy of a step; False if another is still being scored."""
    if self._thread is not None and self._thread.is_alive():
      return False

    def evaluate() -> None:
      try:
        episodes = host_play.play(
          self._env, self._agent, variables, self._episodes, self._seed + step
        )
        self._scores = scores(episodes, 0) | {"eval/step": float(step)}
      except BaseException as error:
        self._error = error

    self._thread = threading.Thread(target=evaluate, name="evaluator", daemon=True)
    self._thread.start()
    return True

  def take(self, wait: bool = False) -> dict[str, float]:
    """The scores made since the last call, with the step they belong to; empty if there are none.

    Raises what playing raised. `wait` waits for a policy being scored.
    """
    if self._thread is not None and wait:
      self._thread.join()
    if self._error is not None:
      raise self._error
    made, self._scores = self._scores, {}
    return made
