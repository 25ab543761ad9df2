"""Settings of the agents that learn to reach goals offline, from a dataset without rewards."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from agents.latent.config import AgentConfig
from agents.offline.encoder import EncoderConfig
from agents.offline.graph import MOST_NODES, TELEPORT_FACTOR
from agents.offline.retrieval import RetrievalConfig
from agents.reachability.network import ReachabilityConfig

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
class OfflineAgentConfig(AgentConfig):
  """An agent that learns from a dataset to reach goals. Sources name GO-FRESH's code."""

  algorithm: Algorithm = "fresh"
  """`fresh`, or a baseline: `reachability`, `her`, `her_uniform`, `actionable`."""
  unroll_length: int = 1
  """T, transitions in a trajectory."""
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
    retrieval = self.retrieval_training
    if retrieval.retrieval_updates and not self.reads_reachability:
      raise ValueError(
        f"retrieval_updates is {retrieval.retrieval_updates}; algorithm {self.algorithm} has no"
        " networks to compare it with: 0."
      )
    if retrieval.retrieval_updates and retrieval.retrieval_batch > self.retrieval.retrieval_queue:
      raise ValueError(
        f"retrieval_batch is {retrieval.retrieval_batch}; it must be at most retrieval_queue,"
        f" {self.retrieval.retrieval_queue}."
      )
    buffer = self.buffer
    if buffer.updates % buffer.fill_updates:
      raise ValueError(
        f"updates is {buffer.updates}; it must be a multiple of fill_updates,"
        f" {buffer.fill_updates}."
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
