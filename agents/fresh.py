"""Agent `fresh`: learns to reach any goal from a dataset without rewards, offline.

Reachability is learned on the dataset, a graph of nodes made of it, and steps towards goals are
paid by distances there; soft actor-critic learns from these. experiments/offline runs it.
Source: GO-FRESH (Mezghani et al. 2023, arXiv 2301.02099), and its code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import dm_env
import jax
import jax.numpy as jnp

from agents.agent import Agent, HasSpecs, Metrics
from agents.heads import heads, policies
from agents.latent import agent as latent_agent
from agents.latent.config import AgentConfig
from agents.objectives import ObjectiveConfig
from agents.objectives.sac import SACConfig
from agents.objectives.settings import ObjectiveSettings
from agents.observation_normaliser import Setting
from agents.offline.encoder import EncoderConfig
from agents.offline.graph import MOST_NODES, TELEPORT_FACTOR
from agents.offline.retrieval import RetrievalConfig
from agents.reachability.network import ReachabilityConfig
from agents.trajectory import Trajectory
from agents.world_model.world_model import WorldModelConfig
from envs.environment import MID

Algorithm = Literal["fresh", "reachability", "her", "her_uniform", "actionable"]
"""`fresh`, GO-FRESH; `reachability`, its reward without the graph; `her`, hindsight, with goals of
no avail that end unpaid (Andrychowicz et al. 2017, arXiv 1707.01495); `her_uniform`, which also
has random actions end unpaid; `actionable`, where these are the policy's, and what goals of no
avail are worth is the critic's to say (Chebotar et al. 2021, arXiv 2104.07749)."""


@dataclasses.dataclass(frozen=True)
class ReachabilityTraining:
  """How reachability is learned from the dataset. Sources name GO-FRESH's code."""

  reach_updates: int = 10_000
  """Updates of the reachability network (100 x 977)."""
  reach_batch: int = 512
  """Pairs in each (512)."""
  reach_nearest_of: int = 1
  """A negative of two episodes is of a state and the nearest, in what the network reads, of so many
  of others; also where it is judged and calibrated (1, any; ours: 16 for a pusher, whose puck
  seldom moves. Where all that is seen moves, neighbours would count as out of reach)."""
  held_out_share: float = 0.05
  """Share of the episodes that it is not trained but calibrated on (.05)."""
  held_out_pairs: int = 20_000
  """Pairs of these (100,000)."""


@dataclasses.dataclass(frozen=True)
class RetrievalTraining:
  """How retrieval is learned from the dataset, beside all else."""

  retrieval_updates: int = 0
  """Updates of the retriever; 0 does without one (ours)."""
  retrieval_batch: int = 64
  """Windows of episodes in each (Contriever: 2048 documents)."""
  retrieval_length: int = 100
  """Observations in a window, of which spans are taken (ours)."""

  def __post_init__(self) -> None:
    lowest = {"retrieval_updates": 0, "retrieval_batch": 1, "retrieval_length": 2}
    for name, low in lowest.items():
      if getattr(self, name) < low:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {low}.")


@dataclasses.dataclass(frozen=True)
class GraphConfig:
  """The memory of nodes and the graph over it. Sources name GO-FRESH's code."""

  node_share: float = 0.01
  """Share of the observations that may become nodes (.01)."""
  node_capacity: int = 1000
  """Most nodes (1000)."""
  node_threshold: float = 0.0
  """An observation becomes a node if all logits to and from the others are below (0)."""
  edge_share: float = 0.01
  """Share of the steps that show edges (.01)."""
  teleport_factor: float = TELEPORT_FACTOR
  """An edge that is truly longer than so many times the median is reported as a teleport (ours)."""

  def __post_init__(self) -> None:
    if not 2 <= self.node_capacity <= MOST_NODES:
      raise ValueError(f"node_capacity is {self.node_capacity}; give 2 to {MOST_NODES}.")


@dataclasses.dataclass(frozen=True)
class BufferConfig:
  """What the policy learns from. Sources name GO-FRESH's code."""

  updates: int = 20_000
  """Updates of the policy (1,000,000)."""
  fill_updates: int = 500
  """Updates between two fillings of the buffer (1000)."""
  fill_entries: int = 200_000
  """Entries of the buffer, all of which are made anew (1,000,000)."""
  edge_cost: float = 0.1
  """c, what an edge costs (.1 in mazes, .01 for a pusher)."""
  closeness_weight: float = 1.0
  """w, what reachability weighs beside an edge (1, of a pusher 100)."""


@dataclasses.dataclass(frozen=True)
class FreshConfig(AgentConfig):
  """Offline agents with goals. Sources name GO-FRESH's code."""

  algorithm: Algorithm = "fresh"
  """`fresh`, or a baseline: `reachability`, `her`, `her_uniform`, `actionable`."""
  objective: str = "sac"
  """How the policy improves."""
  learning_rate: float = 3e-4
  """Step size (3e-4; of the sparse baselines 1e-4)."""
  dual_learning_rate: float = 0.0
  """Adam's step size of the temperature; 0 keeps it (0)."""
  max_gradient_norm: float = 1000.0
  """Gradients are scaled down to this global norm (not at all)."""
  head_layers: int = 2
  """Hidden layers of each head (2 of 256)."""
  normalise_observations: Setting = "no"
  """Of the policy and the critics alone (no)."""
  unroll_length: int = 1
  """T, transitions in a trajectory."""
  batch_size: int = 512
  """B, transitions in an update (2048, on a GPU)."""
  world_model: WorldModelConfig = dataclasses.field(
    default_factory=lambda: WorldModelConfig(torso="goal_mlp", core="feedforward")
  )
  returns: ObjectiveConfig = dataclasses.field(
    default_factory=lambda: ObjectiveConfig(discount=0.9)
  )
  objectives: ObjectiveSettings = dataclasses.field(
    default_factory=lambda: ObjectiveSettings(sac=SACConfig(sac_temperature=0.05))
  )
  encoder: EncoderConfig = dataclasses.field(default_factory=EncoderConfig)
  reachability: ReachabilityConfig = dataclasses.field(default_factory=ReachabilityConfig)
  training: ReachabilityTraining = dataclasses.field(default_factory=ReachabilityTraining)
  graph: GraphConfig = dataclasses.field(default_factory=GraphConfig)
  retrieval: RetrievalConfig = dataclasses.field(default_factory=RetrievalConfig)
  retrieval_training: RetrievalTraining = dataclasses.field(default_factory=RetrievalTraining)
  buffer: BufferConfig = dataclasses.field(default_factory=BufferConfig)

  def __post_init__(self) -> None:
    super().__post_init__()
    if self.algorithm not in get_args(Algorithm):
      known = ", ".join(get_args(Algorithm))
      raise ValueError(f"algorithm is {self.algorithm!r}; expected one of {known}.")
    if self.unroll_length != 1:
      raise ValueError(f"unroll_length is {self.unroll_length}; single steps are relabelled: 1.")
    for part, names in {
      self.training: ("reach_updates", "reach_batch", "reach_nearest_of", "held_out_pairs"),
      self.buffer: ("updates", "fill_updates", "fill_entries"),
    }.items():
      for name in names:
        if getattr(part, name) < 1:
          raise ValueError(f"{name} is {getattr(part, name)}; it must be at least 1.")
    found = self.retrieval_training
    if found.retrieval_updates and not self.reads_reachability:
      raise ValueError(
        f"retrieval_updates is {found.retrieval_updates}; algorithm {self.algorithm} has no"
        " networks to compare it with: 0."
      )
    if found.retrieval_updates and found.retrieval_batch > self.retrieval.retrieval_queue:
      raise ValueError(
        f"retrieval_batch is {found.retrieval_batch}; it must be at most retrieval_queue,"
        f" {self.retrieval.retrieval_queue}."
      )
    own = self.buffer
    if own.updates % own.fill_updates:
      raise ValueError(
        f"updates is {own.updates}; it must be a multiple of fill_updates, {own.fill_updates}."
      )
    for owner, name in (
      (self.training, "held_out_share"), (self.graph, "node_share"), (self.graph, "edge_share"),
    ):  # fmt: skip
      if not 0.0 < getattr(owner, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(owner, name)}; it must lie in (0, 1].")

  @property
  def reads_reachability(self) -> bool:
    """Whether the reachability network pays."""
    return self.algorithm in ("fresh", "reachability")

  @classmethod
  def of(cls, algorithm: Algorithm) -> FreshConfig:
    """The settings that GO-FRESH's code has for an algorithm in mazes."""
    config = cls(algorithm=algorithm)
    if config.reads_reachability:
      return config
    return dataclasses.replace(
      config,
      learning_rate=1e-4,
      returns=ObjectiveConfig(discount=0.99),
      objectives=ObjectiveSettings(sac=SACConfig(sac_temperature=0.01)),
    )


class Batch(NamedTuple):
  """Transitions towards goals; leading axes as they come.

  Attributes:
    observation: what is seen and what is to be seen, before and after the step, [..., 2, 2, *O].
    action: [..., *A].
    reward: float32 [...].
    discount: float32 [...], 0 where it ends.
  """

  observation: Any
  action: Any
  reward: Any
  discount: Any


class Learner(NamedTuple):
  """Offline learning, jitted.

  Attributes:
    agent: soft actor-critic.
    init: key -> state.
    learn: (state, Batch [U, B], key) -> (state, metrics, means over the U updates); the state's
      buffers are donated.
    value: (state, observation [B, 2, *O], action [B, *A]) -> what the first critic says, [B].
    act: (state, observation [B, 2, *O], key) -> actions that the policy draws, [B, *A].
  """

  agent: Agent
  init: Callable[[jax.Array], Any]
  learn: Callable[[Any, Batch, jax.Array], tuple[Any, Metrics]]
  value: Callable[[Any, Any, Any], jax.Array]
  act: Callable[[Any, Any, jax.Array], jax.Array]


def build(config: FreshConfig, env: HasSpecs) -> Learner:
  """Puts it together for an environment with goals.

  Raises:
    ValueError: if the observations or actions are of a kind that it cannot take.
  """
  agent = latent_agent.build(config, env)
  policy = policies.squashed_gaussian(env.action_spec())
  dimensions = policy.features(policy.no_action(1)).shape[-1]
  networks = heads.policy_and_critics(
    policy.size, dimensions, config.head_hidden, config.head_layers
  )

  def trajectory(observation: jax.Array, batch: int) -> Trajectory:
    """Of nothing but observations [T+1, B, 2, *O], without ends."""
    ones = jnp.ones(observation.shape[:2], jnp.float32)
    none = policy.no_action(batch)
    return Trajectory(
      observation=observation,
      action=jnp.broadcast_to(none, (len(observation), *none.shape)),
      reward=jnp.zeros_like(ones),
      discount=ones,
      step_type=jnp.full(ones.shape, MID, jnp.int32),
      extras=(),
      memory=agent.initial_memory(batch),
    )

  def learn(state: Any, batches: Batch, key: jax.Array) -> tuple[Any, Metrics]:
    def update(state: Any, inputs: tuple[Batch, jax.Array]) -> tuple[Any, Metrics]:
      batch, key = inputs
      steps = trajectory(jnp.moveaxis(batch.observation, 1, 0), len(batch.reward))
      steps = steps._replace(
        action=steps.action.at[0].set(batch.action),
        reward=steps.reward.at[1].set(batch.reward),
        discount=steps.discount.at[1].set(batch.discount),
      )
      learned = agent.learn(state, steps, key)
      return learned.state, learned.metrics

    keys = jax.random.split(key, len(batches.reward))
    state, history = jax.lax.scan(update, state, (batches, keys))
    return state, jax.tree.map(jnp.mean, history)

  def value(state: Any, observation: jax.Array, action: jax.Array) -> jax.Array:
    assert agent.beliefs is not None
    belief = agent.beliefs(state, trajectory(observation[None], len(action)))[0]
    return networks.critics(state.params.heads, belief, policy.features(action))[..., 0]

  def act(state: Any, observation: jax.Array, key: jax.Array) -> jax.Array:
    batch = len(observation)
    none = jnp.zeros((batch,), jnp.float32)
    timestep = dm_env.TimeStep(jnp.full((batch,), MID, jnp.int32), none, none, observation)
    return agent.act(agent.variables(state), agent.initial_memory(batch), timestep, key, True)[0]

  return Learner(
    agent, jax.jit(agent.init), jax.jit(learn, donate_argnums=0), jax.jit(value), jax.jit(act)
  )
