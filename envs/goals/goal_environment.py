"""The contract of environments with goals: an observation carries the goal, and goals can be set.

An observation is a dict of two leaves: `view`, what is seen, and `goal`, what is to be seen. Both
are views [*O] of the same kind, so that any view that was ever seen can be asked for again
(hindsight), and one encoder reads both. What is rewarded is decided here alone: reaching the goal
pays 1 and ends the episode; or, if `free`, nothing is rewarded and only time ends an episode, for
agents that set their own goals.
"""

from __future__ import annotations

import abc
import copy
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import dm_env
import jax
import jax.numpy as jnp
from dm_env import specs

from envs.environment import Environment, restart, transition
from envs.observation import GOAL, VIEW

Body = TypeVar("Body")

FAR_SHARE = 1 / 3
"""Share of what can be reached, by path length from where episodes begin, that counts as far."""


class GoalState(NamedTuple):
  """All that changes in an episode.

  Attributes:
    body: what moves.
    goal: the view that is to be seen, [*O].
    steps: since the episode began, int32.
  """

  body: Any
  goal: jax.Array
  steps: jax.Array


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


class GoalEnvironment(Environment[GoalState], Generic[Body]):
  """An environment whose episodes are ways to a goal.

  Subclasses say how bodies move and what is seen of them, call `super().__init__`, and may tell
  `places` and `oracle`. All of their functions are pure, for one body, without a batch.
  """

  success_return = 1.0

  def __init__(self, max_episode_steps: int, free: bool, goals: str = "uniform"):
    """Builds the environment.

    Args:
      max_episode_steps: length of an episode that does not reach its goal.
      free: no reward, and no end but time.
      goals: which are drawn, `uniform` or `far`.

    Raises:
      ValueError: one line, for no steps or unknown goals.
    """
    if not isinstance(max_episode_steps, int) or max_episode_steps < 1:
      raise ValueError(f"max_episode_steps is {max_episode_steps!r}; expected an integer above 0.")
    if goals not in ("uniform", "far"):
      raise ValueError(f"goals is {goals!r}; expected uniform or far.")
    self.max_episode_steps, self.free, self.goals = max_episode_steps, free, goals

  @abc.abstractmethod
  def start(self, key: jax.Array) -> Body:
    """The body where an episode begins."""

  @abc.abstractmethod
  def move(self, body: Body, action: jax.Array) -> Body:
    """The body one step later."""

  @abc.abstractmethod
  def view(self, body: Body) -> jax.Array:
    """What is seen of a body, [*O]."""

  @abc.abstractmethod
  def view_spec(self) -> specs.Array:
    """Of one view [*O]."""

  @abc.abstractmethod
  def anywhere(self, key: jax.Array, far: bool = False) -> Body:
    """A body drawn uniformly from all that can be reached, or from what is far (`FAR_SHARE`)."""

  @abc.abstractmethod
  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    """Length of the shortest way from what is seen in view `a` to `b`, float32, for measuring; its
    unit is the subclass's, and it is infinite where no way leads."""

  @abc.abstractmethod
  def reached(self, view: jax.Array, goal: jax.Array) -> jax.Array:
    """Whether `view` is as good as `goal`, bool."""

  def variant(self, free: bool, goals: str) -> GoalEnvironment[Body]:
    """This environment with another reward or other goals; see `__init__`."""
    other = copy.copy(self)
    GoalEnvironment.__init__(other, self.max_episode_steps, free, goals)
    return other

  def reset(self, key: jax.Array) -> tuple[GoalState, dm_env.TimeStep]:
    start_key, goal_key = jax.random.split(key)
    goal = self.view(self.anywhere(goal_key, self.goals == "far"))
    return self.reset_to(self.start(start_key), goal)

  def reset_to(self, body: Body, goal: jax.Array) -> tuple[GoalState, dm_env.TimeStep]:
    """Starts an episode with this body, towards this view [*O]."""
    state = GoalState(body, goal, jnp.int32(0))
    return state, restart(self.observe(state))

  def step(self, state: GoalState, action: jax.Array) -> tuple[GoalState, dm_env.TimeStep]:
    state = GoalState(self.move(state.body, action), state.goal, state.steps + 1)
    found = self.reached(self.view(state.body), state.goal) & (not self.free)
    late = state.steps >= self.max_episode_steps
    return state, transition(self.observe(state), found, terminated=found, truncated=late)

  def observe(self, state: GoalState) -> dict[str, jax.Array]:
    """What is seen and what is to be seen, [*O] each."""
    return {VIEW: self.view(state.body), GOAL: state.goal}

  def observation_spec(self) -> dict[str, specs.Array]:
    return {VIEW: self.view_spec(), GOAL: self.view_spec()}

  def splits(self) -> Mapping[str, Environment]:
    """Goals anywhere, and far goals, both rewarded, whatever is trained on."""
    return {"uniform": self.variant(False, "uniform"), "far": self.variant(False, "far")}
