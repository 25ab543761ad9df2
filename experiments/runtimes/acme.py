"""Our actor and learner as Acme's, for its EnvironmentLoop and whatever else takes core.Actor.

Importing this imports Acme (Hoffman et al. 2020, arXiv 2006.00979). Acme 0.4 imports Launchpad for
two functions only, and Launchpad has no wheel for Python 3.11; where it is missing, a module that
offers these two takes its place.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import dm_env
import jax
import numpy as np

from agents.agent import Agent
from agents.trajectory import Trajectory
from experiments.acting.host_rollout import batch_of_one
from experiments.acting.policy import AgentPolicy, jitted_act
from experiments.runtimes.learner import Learner, LearnerCarry
from experiments.settings.errors import UserError


def _stand_in_for_launchpad() -> types.ModuleType:
  """A module with the handlers that `acme.utils.signals` registers; nothing ever calls them."""
  module = types.ModuleType("launchpad")
  handlers: list[Callable[[], Any]] = []
  lock = threading.Lock()

  def register_stop_handler(handler: Callable[[], Any]) -> None:
    with lock:
      handlers.append(handler)

  def unregister_stop_handler(handler: Callable[[], Any]) -> None:
    with lock:
      handlers.remove(handler)

  vars(module).update(
    register_stop_handler=register_stop_handler, unregister_stop_handler=unregister_stop_handler
  )
  return module


if importlib.util.find_spec("acme") is None:
  raise UserError("Acme is not installed: pip install --no-deps dm-acme==0.4.0")
if "launchpad" not in sys.modules and importlib.util.find_spec("launchpad") is None:
  sys.modules["launchpad"] = _stand_in_for_launchpad()

from acme import core  # noqa: E402 - after the stand-in


class AcmeActor(core.Actor):
  """Acts in one environment with the policy of a variable source."""

  def __init__(self, agent: Agent, source: core.VariableSource, seed: int, explore: bool = True):
    """`explore` samples from the policy; otherwise its mode is played."""
    self._agent, self._source = agent, source
    self._act = jitted_act(AgentPolicy(agent, explore))
    self._key = jax.random.key(seed)
    self._memory = agent.initial_memory(1)
    self._timestep: dm_env.TimeStep | None = None
    self.update()

  def observe_first(self, timestep: dm_env.TimeStep) -> None:
    self._timestep = timestep

  def select_action(self, observation: Any) -> np.ndarray:
    """The action [*A] for the observation of the time step observed last."""
    assert self._timestep is not None, "call observe_first() before select_action()."
    t = self._timestep
    batch = batch_of_one(t._replace(observation=observation))
    action, _, self._memory, self._key = self._act(self._variables, self._memory, batch, self._key)
    return np.asarray(action)[0]

  def observe(self, action: Any, next_timestep: dm_env.TimeStep) -> None:
    self._timestep = next_timestep

  def update(self, wait: bool = False) -> None:
    self._variables = self._source.get_variables(["policy"])[0]


class AcmeLearner(core.Learner):
  """Learns from an iterator of batches placed by `runtimes.learner.place`."""

  def __init__(self, learner: Learner, batches: Iterator[Trajectory]):
    self._learner, self._batches = learner, batches

  def step(self) -> None:
    self._learner.step(next(self._batches))

  def get_variables(self, names: list[str]) -> list[Any]:
    return self._learner.get_variables(names)

  def save(self) -> LearnerCarry:
    return self._learner.save()

  def restore(self, state: LearnerCarry) -> None:
    self._learner.restore(state)
