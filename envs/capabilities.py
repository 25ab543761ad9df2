"""What only some environments can do: each a contract of its own, asked for by `isinstance`.

An environment has a capability by defining its methods; nothing is to be declared. A wrapper has
those of the environment within, see `envs.wrapper`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
from dm_env import specs


class Places(NamedTuple):
  """The places of an environment, by which coverage is measured: the cells of a map, row by row.

  Place r * columns + c is the cell in row r and column c.

  Attributes:
    rows, columns: of the map.
    reachable: bool [rows * columns], where one can come to stand.
    rooms: int32 [rows * columns], the room that a place belongs to, from 0; -1 for none.
  """

  rows: int
  columns: int
  reachable: np.ndarray
  rooms: np.ndarray


class Oracle(NamedTuple):
  """What an environment tells of its hidden state, for measuring; no policy may see it.

  Attributes:
    place: int32, where the agent is.
    objects: int32 [N], the places of the N objects that there are to discover.
    near_noise: bool, whether the agent sees something that changes at random.
  """

  place: jax.Array
  objects: jax.Array
  near_noise: jax.Array


@runtime_checkable
class HasPlaces(Protocol):
  """Coverage can be measured: there is a map of places, and a state tells where the agent is."""

  def places(self) -> Places:
    """The map."""
    ...

  def oracle(self, state: Any) -> Oracle:
    """What is hidden in a state."""
    ...


@runtime_checkable
class HasRanks(Protocol):
  """Episodes are drawn from ranked situations, the commonest first; a state tells which it is of.

  The split "uniform" must draw all of them alike.
  """

  def rank_names(self) -> dict[str, int]:
    """What is ranked, and how many ranks there are of each."""
    ...

  def ranks(self, state: Any) -> jax.Array:
    """The ranks of a state's episode, from 0, int32 [R], in the order of the names."""
    ...


@runtime_checkable
class HasReferences(Protocol):
  """Of ranked situations whose returns differ in kind, so that nothing says what success is: a
  return is scored by where it stands between two references.
  """

  def references(self) -> np.ndarray:
    """Mean returns of random play and of good play at each rank, float64 [number of ranks, 2]."""
    ...


@runtime_checkable
class HasLinks(Protocol):
  """An episode is a chain of links; how far it came is measured, and no policy may see it."""

  def chains(self) -> dict[str, tuple[str, ...]]:
    """The links of every chain there is, in their order."""
    ...

  def links(self, state: Any) -> tuple[jax.Array, jax.Array]:
    """Which chain the episode is, int32, and which links it has reached so far, bool [L].

    L is at least that of the longest chain; what is beyond a chain's own means nothing.
    """
    ...


@runtime_checkable
class HasGoals(Protocol):
  """What an agent may ask of an environment with goals, in JAX or on the host; all are pure."""

  def view_spec(self) -> specs.Array:
    """Of one view [*O]."""
    ...

  def reached(self, view: jax.Array, goal: jax.Array) -> jax.Array:
    """Whether `view` is as good as `goal`, bool."""
    ...

  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    """Length of the shortest way from view `a` to `b`, float32."""
    ...


@runtime_checkable
class HasObserve(Protocol):
  """The observation is a function of the state alone; `AutoReset` then computes one, not two."""

  def observe(self, state: Any) -> jax.Array:
    """The observation of a state, [*O]."""
    ...


@runtime_checkable
class HasRender(Protocol):
  """A state can be drawn."""

  def render(self, state: Any) -> jax.Array:
    """A picture of the whole state, uint8 [H, W, 3]."""
    ...


def places(env: Any) -> Places | None:
  """The map of an environment's places, if it has one."""
  return env.places() if isinstance(env, HasPlaces) else None


METHODS = ("places", "rank_names", "references", "chains", "view_spec", "reached", "distance")
"""Of the capabilities: those that take no state."""
STATE_METHODS = ("oracle", "observe", "ranks", "links", "render")
"""Of the capabilities: those that take a state."""
