"""The agent contract: pure functions over pytrees, so that every runtime calls the same code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
from dm_env import specs

from agents.trajectory import DataSpec, Trajectory
from envs import capabilities
from envs.observation import Spec, visible
from envs.registry import Registry

Metrics = dict[str, jax.Array]


class Learned(NamedTuple):
  """What a call of `learn` leaves.

  Attributes:
    state: the learner state.
    metrics: scalars by name.
    priorities: float32 [B], the trajectories' new ones, of an agent that replays, else ().
  """

  state: Any
  metrics: Metrics
  priorities: Any = ()


class Standing(NamedTuple):
  """Where environments stand, arrays [B, ...]: their states, and what is observed there."""

  state: Any
  observation: Any


class Revisited(NamedTuple):
  """What `Agent.revisit` leaves: the learner state, where the environments now stand, and which of
  them were moved, bool [B]."""

  learner: Any
  standing: Standing
  moved: jax.Array


class GoalMap(NamedTuple):
  """What an agent knows of where its goals lie, for a picture of it.

  Attributes:
    nodes: views held as goals, [M, *O].
    held: bool [M], which of these places are filled.
    edges: bool [M, M], from which node which other was seen to follow.
    visited: views, [N, *O].
    filled: bool [N], which of these are.
  """

  nodes: jax.Array
  held: jax.Array
  edges: jax.Array
  visited: jax.Array
  filled: jax.Array


class Probe(NamedTuple):
  """What instruments may ask of an agent, and learning and acting do without.

  Attributes:
    diagnose: (learner state, trajectory) -> metrics too expensive for every update.
    intrinsic: (learner state, trajectory, key) -> intrinsic rewards, float32 [T, B], unweighted;
      the state stays as it is.
    beliefs: (learner state, trajectory) -> float32 [T+1, B, H], what the agent makes of all that
      was observed in the episode; None for an agent that has none.
    heads: (learner state, trajectory) -> outputs of the heads at its steps, arrays [T+1, B, ...];
      of an objective over action values, Q [T+1, B, A], of two streams one of each. None for an
      agent that does not tell it.
    gradient: (learner state, trajectory, key) -> the loss's gradient, in the structure of its
      parameters; None for an agent that does not tell it.
    goal_map: learner state -> GoalMap; None for an agent without a memory of goals.
    policy: (learner state, trajectory) -> parameters [T+1, B, P] of its policy there, see
      agents/heads/policies.py; None for an agent whose policy reads more than a trajectory.
    attention: (what `act` needs of the learner state, observation [..., *O]) -> what the encoder
      that acts looks at, weights float32 [..., h, w] of a grid laid over the picture, by the name
      of the leaf, "" of an observation that is an array; None for an encoder without attention.
  """

  diagnose: Callable[[Any, Trajectory], Metrics]
  intrinsic: Callable[[Any, Trajectory, jax.Array], jax.Array]
  beliefs: Callable[[Any, Trajectory], jax.Array] | None = None
  heads: Callable[[Any, Trajectory], Any] | None = None
  gradient: Callable[[Any, Trajectory, jax.Array], Any] | None = None
  goal_map: Callable[[Any], GoalMap] | None = None
  policy: Callable[[Any, Trajectory], jax.Array] | None = None
  attention: Callable[[Any, Any], dict[str, jax.Array]] | None = None


class Agent(NamedTuple):
  """An agent.

  Attributes:
    init: key -> learner state, all that is learned and shared.
    initial_memory: batch -> what each environment carries while acting.
    act: (variables, memory, timestep [B], key, explore) -> (action [B, *A], extras, memory).
      `explore` is static: False takes the policy's mode.
    learn: (learner state, trajectory, key) -> Learned.
    variables: learner state -> what `act` needs of it.
    data: the data `learn` wants.
    encode: (learner state, observation [..., *O]) -> latents float32 [..., N], of the target
      encoder; None for an agent without an encoder.
    value: (learner state, trajectory) -> float32 [T+1, B], the return that the agent expects of
      the action in each entry; of an agent that has state values alone, of the step. None for an
      agent that has neither.
    turn: (learner state, numbers) -> learner state with these hyper-parameters, a dict of float32
      scalars by name; ValueError for one that is not in `turns`. None for an agent without any.
    turns: names of the hyper-parameters that are state, so that one compiled program tries many.
    adopt: (learner state, another run's, heads) -> learner state that goes on with the other's
      world model, and with what makes its policy if the bool `heads`; all else begins anew.
      ValueError, the first difference, where their networks differ. None for an agent that cannot.
    stored: memory -> what of it a trajectory keeps, and a replay, for `learn` to read.
    on_task: variables -> those that act where the environment's own task is judged, as in an
      evaluation; an agent that sets goals of its own then takes the environment's.
    with_state: (memory, state of the environments [B, ...]) -> memory, called before each `act` of
      an agent that plans with the environment itself; `act` takes the state out again. None for all
      others; only in environments in JAX, and on_device.
    probe: for instruments; None for an agent that has nothing to tell them.
    reads_state: whether it learns from the states of the environments, `Trajectory.state`; only in
      environments in JAX, and on_device.
    revisit: (learner state, Standing [B], key) -> Revisited: goes back to kept states. Called
      between unrolls; where it moves an environment, the next unroll begins with a FIRST. None for
      an agent that never does; one that does reads states.
  """

  init: Callable[[jax.Array], Any]
  initial_memory: Callable[[int], Any]
  act: Callable[[Any, Any, Any, jax.Array, bool], tuple[jax.Array, Any, Any]]
  learn: Callable[[Any, Trajectory, jax.Array], Learned]
  variables: Callable[[Any], Any]
  data: DataSpec
  encode: Callable[[Any, Any], jax.Array] | None = None
  value: Callable[[Any, Trajectory], jax.Array] | None = None
  turn: Callable[[Any, dict[str, Any]], Any] | None = None
  turns: tuple[str, ...] = ()
  adopt: Callable[..., Any] | None = None
  stored: Callable[[Any], Any] = lambda memory: memory
  on_task: Callable[[Any], Any] = lambda variables: variables
  with_state: Callable[[Any, Any], Any] | None = None
  probe: Probe | None = None
  reads_state: bool = False
  revisit: Callable[[Any, Standing, jax.Array], Revisited] | None = None

  def diagnose(self, state: Any, trajectory: Trajectory) -> Metrics:
    """The probe's diagnosis; nothing without a probe."""
    return {} if self.probe is None else self.probe.diagnose(state, trajectory)


class HasSpecs(Protocol):
  """All that an agent is built from; environments of both kinds, functional and host, have it."""

  def observation_spec(self) -> Spec:
    """Of one observation, an array or a dict of leaves; see `envs.observation`."""
    ...

  def action_spec(self) -> specs.Array:
    """One integer, several, or floats, within bounds or without; see `envs.action_specs`."""
    ...


class Unmasked:
  """The specs of an environment whose observations are dicts, without the mask of actions."""

  def __init__(self, env: HasSpecs):
    self._env = env
    for name in (*capabilities.METHODS, *capabilities.STATE_METHODS):
      if hasattr(env, name):
        setattr(self, name, getattr(env, name))

  def observation_spec(self) -> Spec:
    """Of what networks read of an observation."""
    return visible(self._env.observation_spec())

  def action_spec(self) -> specs.Array:
    """Of an action."""
    return self._env.action_spec()


class Teacher(NamedTuple):
  """A trained agent to learn from, frozen.

  Attributes:
    agent: its functions.
    state: its learner state, NumPy arrays.
    env: specs of what it was trained in.
  """

  agent: Agent
  state: Any
  env: HasSpecs


class Given(NamedTuple):
  """What an agent is told of the run that it is built for.

  Attributes:
    updates: calls of `learn` in the whole run, for schedules; 0 where that is not known.
    teacher: that auxiliary losses may learn from; None for none.
    stored: whether it learns from a dataset, of which batches are drawn at random.
  """

  updates: int = 0
  teacher: Teacher | None = None
  stored: bool = False


NOTHING_GIVEN = Given()


class Kind(NamedTuple):
  """A kind of agent, as it is registered.

  Attributes:
    config: its settings, a dataclass that can be made without arguments.
    build: (settings, specs of the environment, Given) -> Agent; of one that learns offline, what
      its own command runs.
    offline: whether it learns from a dataset, by `rarebird offline`, and never acts.
    revisits: whether it goes back to kept states while it learns, `Agent.revisit`.
  """

  config: type
  build: Callable[[Any, HasSpecs, Given], Any]
  offline: bool = False
  revisits: bool = False


registry = Registry("agent", "agents")
"""Kinds of agents, by name."""
