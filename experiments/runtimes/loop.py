"""The contract of a runtime: how a run goes on, apart from what shows and stores it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import jax

from experiments.runs.rows import Row

State = Any
"""A pytree of arrays: all that a checkpoint keeps."""


class Progress(NamedTuple):
  """Where a run stands.

  Attributes:
    updates: of one seed, since the beginning of the run.
    rows: of the log intervals that ended since the last progress, one a seed and interval.
    state: gives the state as it is here; to be called before the run goes on.
  """

  updates: int
  rows: list[Row]
  state: Callable[[], State]

  @classmethod
  def at(cls, updates: int, rows: list[Row], state: State) -> Progress:
    """Where the state is at hand."""
    return cls(updates, rows, lambda: state)


class Loop(abc.ABC):
  """A run put together by one runtime."""

  @abc.abstractmethod
  def init(self) -> State:
    """The state of a new run."""

  @abc.abstractmethod
  def updates(self, state: State) -> int:
    """Updates that a state has behind it."""

  @abc.abstractmethod
  def variables(self, state: State) -> Any:
    """What `Agent.act` needs, with a leading axis of seeds [S, ...]."""

  @abc.abstractmethod
  def learners(self, state: State) -> Any:
    """The agent's learner states, with a leading axis of seeds [S, ...]."""

  @abc.abstractmethod
  def with_learners(self, state: State, learners: Any) -> State:
    """The state with other learner states [S, ...], which lie where the old ones did."""

  def learner_state(self, state: State) -> Any:
    """The agent's learner state; of several seeds, the first's."""
    return jax.tree.map(lambda x: x[0], self.learners(state))

  @abc.abstractmethod
  def train(self, state: State, stopping: Callable[[], bool]) -> Generator[Progress]:
    """Trains from `state`, which is donated, to the end.

    Once `stopping()` is true it yields where it stands, soon, and ends; closing the generator ends
    all that it started.

    Raises:
      UserError: at a NaN or infinite observation, reward or loss, or a failing environment.
    """


def placed(new: Any, old: Any) -> Any:
  """Arrays of one tree, put where those of another lie."""
  return jax.tree.map(lambda x, like: jax.device_put(x, like.sharding), new, old)
