"""The environment contract: dm_env made functional, so that it vmaps, scans and jits.

`reset(key) -> (state, TimeStep)` and `step(state, action) -> (state, TimeStep)` are pure functions
over pytrees. The end of an episode is told in one way everywhere:

  termination  step_type LAST, discount 0
  truncation   step_type LAST, discount 1 (the value of the last observation is bootstrapped)

`AutoReset` makes one endless stream of episodes out of an environment, in dm_env's convention: the
step after a LAST ignores its action and returns the FIRST of a new episode, so no observation is
ever dropped.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.errors import own_frame, raised_by_us
from envs.observation import Spec
from envs.registry import Registry, SettingsError, check_call
from envs.vector import HostEnvironment

State = TypeVar("State")

FIRST = int(dm_env.StepType.FIRST)
MID = int(dm_env.StepType.MID)
LAST = int(dm_env.StepType.LAST)


class Reference(NamedTuple):
  """What a known policy scores, to print beside an agent's score.

  Attributes:
    success: share of episodes that succeed, in [0, 1].
    episode_return: mean undiscounted return.
    length: mean number of steps of an episode.
    discounted_return: mean return discounted by .99 a step.
  """

  success: float
  episode_return: float
  length: float
  discounted_return: float


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


class Environment(abc.ABC, Generic[State]):
  """A functional environment. Subclasses hold constants only; all that changes is in the state.

  Attributes:
    success_return: an episode whose undiscounted return reaches this counts as a success;
      infinite where success is not defined.
    max_episode_steps: no episode is longer than this many steps.
    dear_reset: whether a reset costs more than a step; `AutoReset` then computes no more of them
      than there are episodes that ended.
  """

  success_return: float = 1.0
  max_episode_steps: int = 1000
  dear_reset: bool = False

  @abc.abstractmethod
  def reset(self, key: jax.Array) -> tuple[State, dm_env.TimeStep]:
    """Starts an episode: returns its state and a FIRST step with reward 0 and discount 1."""

  @abc.abstractmethod
  def step(self, state: State, action: jax.Array) -> tuple[State, dm_env.TimeStep]:
    """Advances by one step. What a step after LAST returns is undefined; see `AutoReset`."""

  @abc.abstractmethod
  def observation_spec(self) -> Spec:
    """Of one observation: an array's, or a dict of leaves; see `envs.observation`."""

  @abc.abstractmethod
  def action_spec(self) -> specs.Array:
    """The actions: a DiscreteArray, one integer from 0 to num_values - 1; a BoundedArray of int32
    [*A] from 0, several integers at once; or a BoundedArray of float32 [*A], whose bounds may be
    infinite, or an Array of them, which has none. See `envs.action_specs`.
    """

  def render(self, state: State) -> jax.Array:
    """Returns a picture of the whole state, uint8 [H, W, 3]."""
    raise NotImplementedError(f"{type(self).__name__} has no render().")

  def splits(self) -> Mapping[str, Environment]:
    """Named variants of this environment to evaluate on; by default itself alone."""
    return {"train": self}

  def optimal(self) -> Reference | None:
    """What optimal play scores here, where that is known."""
    return None

  def places(self) -> Places | None:
    """The map of its places, of an environment that has `oracle`; else None."""
    return None

  def oracle(self, state: State) -> Oracle:
    """What is hidden in a state."""
    raise NotImplementedError(f"{type(self).__name__} has no oracle().")


def restart(observation: Any) -> dm_env.TimeStep:
  """A FIRST step in arrays of explicit dtype: reward float32 0, discount float32 1."""
  return dm_env.TimeStep(
    step_type=jnp.int32(FIRST),
    reward=jnp.float32(0.0),
    discount=jnp.float32(1.0),
    observation=observation,
  )


def transition(
  observation: Any,
  reward: jax.Array,
  terminated: jax.Array | bool,
  truncated: jax.Array | bool = False,
) -> dm_env.TimeStep:
  """A MID or LAST step: `terminated` ends with discount 0, `truncated` alone with discount 1."""
  last = jnp.logical_or(terminated, truncated)
  return dm_env.TimeStep(
    step_type=jnp.where(last, LAST, MID).astype(jnp.int32),
    reward=jnp.asarray(reward, jnp.float32),
    discount=jnp.where(terminated, 0.0, 1.0).astype(jnp.float32),
    observation=observation,
  )


class AutoResetState(NamedTuple):
  """State of `AutoReset`: the episode's own state, a key for the resets to come, the last type."""

  inner: Any
  key: jax.Array
  step_type: jax.Array


class AutoReset(Environment[AutoResetState]):
  """Starts a new episode on the step after a LAST; its action is ignored.

  Under vmap both a reset and a step are computed and one is chosen, but for a `dear_reset`. An
  environment that offers `observe(state) -> observation` (its observation is a function of its
  state alone) has only the chosen state's observation computed, which halves the cost of pixels.
  """

  def __init__(self, env: Environment):
    self.env = env
    self.success_return = env.success_return
    self.max_episode_steps = env.max_episode_steps

  def reset(self, key: jax.Array) -> tuple[AutoResetState, dm_env.TimeStep]:
    key, episode_key = jax.random.split(key)
    inner, timestep = self.env.reset(episode_key)
    return AutoResetState(inner, key, timestep.step_type), timestep

  def step(
    self, state: AutoResetState, action: jax.Array
  ) -> tuple[AutoResetState, dm_env.TimeStep]:
    key, episode_key = jax.random.split(state.key)
    ended = state.step_type == LAST
    observe = getattr(self.env, "observe", None)

    def bare(pair: tuple[Any, dm_env.TimeStep]) -> tuple[Any, dm_env.TimeStep]:
      return pair if observe is None else (pair[0], pair[1]._replace(observation=None))

    stepped = bare(self.env.step(state.inner, action))
    choose = _choose_few if self.env.dear_reset else _choose
    inner, timestep = choose(lambda key: bare(self.env.reset(key)), ended, episode_key, stepped)
    if observe is not None:
      timestep = timestep._replace(observation=observe(inner))
    return AutoResetState(inner, key, timestep.step_type), timestep

  def observation_spec(self) -> Spec:
    return self.env.observation_spec()

  def action_spec(self) -> specs.Array:
    return self.env.action_spec()

  def render(self, state: AutoResetState) -> jax.Array:
    return self.env.render(state.inner)

  def places(self) -> Places | None:
    return self.env.places()

  def oracle(self, state: AutoResetState) -> Oracle:
    return self.env.oracle(state.inner)


def _choose(
  reset: Callable[[jax.Array], Any], ended: jax.Array, key: jax.Array, stepped: Any
) -> Any:
  """Returns `reset(key)` where `ended`, else `stepped`."""
  return jax.tree.map(lambda new, old: jnp.where(ended, new, old), reset(key), stepped)


RESETS_AT_ONCE = 1 / 64
"""Share of the environments that `_choose_few` resets at once; most steps end fewer episodes."""


def _choose_few(
  reset: Callable[[jax.Array], Any], ended: jax.Array, key: jax.Array, stepped: Any
) -> Any:
  """`_choose` that under any number of vmaps calls `reset` for the few that ended, and no others.

  A `cond` would become a select, so a loop takes the place of vmap: all axes are handed to it.
  """

  @jax.custom_batching.custom_vmap
  def restart_ended(ended: jax.Array, keys: jax.Array, stepped: Any) -> Any:
    at_once = max(1, int(ended.size * RESETS_AT_ONCE))

    def restart_some(carry: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
      ended, chosen = carry
      # Places left over lie outside, where a gather takes anything and a scatter drops it.
      where = jnp.nonzero(ended, size=at_once, fill_value=ended.size)
      started = jax.vmap(reset)(keys.at[where].get(mode="clip"))
      chosen = jax.tree.map(lambda x, new: x.at[where].set(new, mode="drop"), chosen, started)
      return ended.at[where].set(False, mode="drop"), chosen

    return jax.lax.while_loop(lambda carry: carry[0].any(), restart_some, (ended, stepped))[1]

  @restart_ended.def_vmap
  def _(size: int, batched: Any, *arguments: Any) -> Any:
    whole = jax.tree.map(
      lambda x, has_axis: x if has_axis else jnp.broadcast_to(x, (size, *x.shape)),
      arguments,
      tuple(batched),
    )
    chosen = restart_ended(*whole)
    return chosen, jax.tree.map(lambda _: True, chosen)

  one = jax.tree.map(lambda x: x[None], (ended, key, stepped))
  return jax.tree.map(lambda x: x[0], restart_ended(*one))


def _adopt(builder: Any) -> Any:
  from envs.host.host import adopt  # which is built on this module

  return adopt(builder)


registry = Registry("environment", _adopt)
register = registry.register


def make(name: str, **settings: Any) -> Environment | HostEnvironment:
  """Builds a registered environment, or one named `module:Name`.

  What `module:Name` builds may also be a gymnasium.Env or a dm_env.Environment: it is then an
  environment on the host, and may be told `stepping` (see `envs.host.host.Host`).

  Raises:
    UnknownNameError: for a name nobody answers to, with the nearest matches.
    ValueError: for a setting that the environment does not have, not one that it needs, or a
      value that an environment of ours refuses. What a person's own code raises is left as it is.
  """
  builder = registry.get(name)
  if not callable(builder):
    raise ValueError(f"environment {name!r} is a {type(builder).__name__}, not a class.")
  try:
    check_call(builder, settings)
    env = builder(**settings)
  except (SettingsError, TypeError) as error:
    # A TypeError is of what we were given, unless code of the person's own raised it.
    if isinstance(error, TypeError) and (own_frame(error) or not raised_by_us(error)):
      raise
    raise ValueError(f"environment {name!r} with {settings}: {error}") from error
  except ValueError as error:
    if not raised_by_us(error) or str(error).startswith((name, "environment ")):
      raise
    raise ValueError(f"environment {name!r}: {error}") from error
  if isinstance(env, HostEnvironment):
    env.name, env.settings = name, settings
  elif not isinstance(env, Environment):
    raise ValueError(
      f"environment {name!r} built a {type(env).__name__}, not an Environment: subclass"
      " gymnasium.Env or dm_env.Environment."
    )
  return env
