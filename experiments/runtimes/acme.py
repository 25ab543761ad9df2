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
from experiments.experience.experience import Inserter
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

from acme import adders, core  # noqa: E402 - after the stand-in


class AcmeActor(core.Actor):
  """Acts in one environment with the policy of a variable source."""

  def __init__(
    self,
    agent: Agent,
    source: core.VariableSource,
    seed: int,
    explore: bool = True,
    adder: adders.Adder | None = None,
  ):
    """Acts for `agent`.

    Args:
      agent: the agent.
      source: of its variables.
      seed: of its actions.
      explore: samples from the policy; otherwise its mode is played.
      adder: is told each step; as extras those of `Agent.act` and what `Agent.stored` keeps of the
        memory before it, arrays [1, ...]. `TrajectoryAdder` is one.
    """
    self._agent, self._source, self._adder = agent, source, adder
    self._told: tuple[Any, Any] = ((), ())
    self._act = jitted_act(AgentPolicy(agent, explore))
    self._key = jax.random.key(seed)
    self._memory = agent.initial_memory(1)
    self._timestep: dm_env.TimeStep | None = None
    self.update()

  def observe_first(self, timestep: dm_env.TimeStep) -> None:
    self._timestep = timestep
    if self._adder is not None:
      self._adder.add_first(timestep)

  def select_action(self, observation: Any) -> np.ndarray:
    """The action [*A] for the observation of the time step observed last."""
    assert self._timestep is not None, "call observe_first() before select_action()."
    t = self._timestep
    batch = batch_of_one(t._replace(observation=observation))
    memory: Any = ()
    if self._adder is not None:
      memory = jax.tree.map(np.array, self._agent.stored(self._memory))  # the call donates it
    action, extras, self._memory, self._key = self._act(
      self._variables, self._memory, batch, self._key
    )
    self._told = (extras, memory)
    return np.asarray(action)[0]

  def observe(self, action: Any, next_timestep: dm_env.TimeStep) -> None:
    self._timestep = next_timestep
    if self._adder is not None:
      self._adder.add(action, next_timestep, self._told)

  def update(self, wait: bool = False) -> None:
    self._variables = self._source.get_variables(["policy"])[0]


class TrajectoryAdder(adders.Adder):
  """Hands what an `AcmeActor` does to an experience of ours, in unrolls that go across episodes."""

  def __init__(self, signature: Trajectory, inserter: Inserter):
    """Collects items of a signature, see `experience.layout.item_signature`.

    Raises:
      ValueError: one line, for items with what Acme's loop cannot tell: where the environment is.
    """
    if jax.tree.leaves(signature.oracle):
      raise ValueError(
        "the environment tells where it is, which Acme's loop passes on to no adder; take one"
        " without places, or --runtime actor_learner."
      )
    self._inserter = inserter
    self._length = signature.reward.shape[0]
    undone = (signature.action, signature.extras)
    self._undone = jax.tree.map(lambda x: np.zeros((1, *x.shape[1:]), x.dtype), undone)
    self._entries: list[Trajectory] = []
    self._memory: Any = None

  def add_first(self, timestep: dm_env.TimeStep) -> None:
    self._arrive(timestep)

  def add(self, action: Any, next_timestep: dm_env.TimeStep, extras: Any = ()) -> None:
    extras, memory = extras
    if self._memory is None:  # before a LAST nothing is done, so its memory is that of the next
      self._memory = memory
    zeros = self._undone[0]
    done: Any = np.asarray(action, zeros.dtype).reshape(zeros.shape)
    self._entries[-1] = self._entries[-1]._replace(
      action=done, extras=jax.tree.map(np.asarray, extras)
    )
    self._arrive(next_timestep)

  def reset(self) -> None:
    """Drops what is no whole unroll yet."""
    self._entries, self._memory = [], None

  def _arrive(self, timestep: dm_env.TimeStep) -> None:
    batch, (action, extras) = batch_of_one(timestep), self._undone
    self._entries.append(
      Trajectory(
        batch.observation, action, batch.reward, batch.discount, batch.step_type, extras, (), ()
      )
    )
    if len(self._entries) == self._length:
      if self._memory is not None:  # else nothing was done there: LAST, FIRST
        unroll = jax.tree.map(lambda *x: np.stack(x), *self._entries)
        self._inserter.insert(unroll._replace(memory=self._memory))
      self._entries, self._memory = self._entries[-1:], None


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
