"""Settings of the agents that set their own goals."""

from __future__ import annotations

import dataclasses
from typing import Literal

from agents import auxiliaries, objectives
from agents.cores import core as cores
from agents.latent.config import AgentConfig
from agents.objectives import ObjectiveConfig
from agents.reachability.network import ReachabilityConfig
from agents.replay import ReplayConfig
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from envs.registry import Choice, choice_field, choices_field


@dataclasses.dataclass(frozen=True)
class GoalsConfig:
  """Goals: which are pursued, what they pay, and how a walk begins and ends. Sources name Walk the
  Random Walk, arXiv 2206.11733, unless another is given."""

  goals_from: Literal["memory", "visited", "rare", "environment"] = "memory"
  """Where goals come from: `memory`, from the goal memory, by `goal_rarity`; `visited`, the latest
  states; `rare`, from these by one over their density (Skew-Fit, arXiv 1903.03698, alpha -1); or
  `environment`, those it gives."""
  goals_pay: Literal["graph", "reachability", "sparse"] = "graph"
  """What a step pays: `graph`, less for each edge of the graph between here and the goal, and
  `reachability`; `reachability`, sigmoid - 1; `sparse`, 1 where the environment says the goal is
  reached, which ends it (HER, arXiv 1707.01495)."""
  goal_reward_scale: float = 0.1
  """c, what an edge costs (GO-FRESH's code: .1 in mazes, .01 for a pusher)."""
  goal_reachability_weight: float = 1.0
  """What the sigmoid weighs beside an edge (GO-FRESH's code: 1, of a pusher 100)."""
  hindsight_share: float = 0.5
  """Share of the trajectories whose goal is one of their own later states (HER: .8); the others get
  new goals from where goals come from."""
  goal_capacity: int = 256
  """M, entries of the goal memory (GO-FRESH: 1000)."""
  goal_rarity: float = 0.5
  """Goals are drawn from the memory by 1 / (1 + visits) to this power, 0 for evenly (ours)."""
  goal_threshold: float = 0.0
  """A state joins the memory if all logits to and from it are below (GO-FRESH: 0)."""
  goal_candidates: int = 5
  """States of a batch that are kept as visited, from which the memory takes what is new (ours;
  GO-FRESH: 1% of all)."""
  goal_refresh_updates: int = 50
  """Updates between two refreshes of the memory and its graph (ours)."""
  goal_slack: float = 0.5
  """A goal counts as reached while acting if the logit of the way to it is above 0 and at most so
  far below that of staying there (ours)."""
  walk_only_updates: int = 500
  """Updates in which only random walks are made (ours)."""
  walk_steps: int = 50
  """Length of the random walk that follows a goal (ours)."""
  walks_kept: int = 1024
  """E, trajectories whose random walks the reachability network learns from (ours)."""
  walk_pairs: int = 512
  """Pairs of these in an update (GO-FRESH: 512)."""
  goal_patience: int = 60
  """Steps after which a goal that was not reached is given up (ours)."""

  def __post_init__(self) -> None:
    for name in (
      "goal_capacity", "goal_candidates", "goal_refresh_updates", "walks_kept", "walk_pairs",
    ):  # fmt: skip
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
    for name in ("walk_only_updates", "walk_steps", "goal_patience"):
      if getattr(self, name) < 0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0.")
    if not 0.0 <= self.hindsight_share <= 1.0:
      raise ValueError(f"hindsight_share is {self.hindsight_share}; it must lie in [0, 1].")

  @property
  def discovers(self) -> bool:
    """Whether anything reads reachability, the memory, or what was visited."""
    return bool(self.walk_steps) or self.goals_from != "environment" or self.goals_pay != "sparse"


@dataclasses.dataclass(frozen=True)
class GoalAgentConfig(AgentConfig):
  """An agent that pursues goals of its own, by soft actor-critic from a replay."""

  objective: Choice = choice_field(objectives.registry, "sac", temperature=0.01)
  """How the policy improves: sac for continuous actions, for discrete ones soft_q or another that
  learns from a replay. See `rarebird list objectives`."""
  auxiliary: tuple[Choice, ...] = choices_field(auxiliaries.registry, "byol")
  """Auxiliary losses, any number, each with a weight. See `rarebird list auxiliaries`."""
  learning_rate: float = 1e-3
  """Step size (SAC: 3e-4, with one update for each step)."""
  dual_learning_rate: float = 0.0
  """Adam's step size of dual variables; 0 keeps the temperature (GO-FRESH: fixed)."""
  max_gradient_norm: float = 1000.0
  """Gradients are scaled down to this global norm (SAC: not at all)."""
  head_layers: int = 2
  """Hidden layers of each head (SAC: 2 of 256)."""
  unroll_length: int = 16
  """T, transitions in a trajectory."""
  batch_size: int = 16
  """B, trajectories in an update (SAC: 256 transitions)."""
  world_model: WorldModelConfig = dataclasses.field(
    default_factory=lambda: WorldModelConfig(
      torso=torsos.registry.choice("siamese"), core=cores.registry.choice("feedforward")
    )
  )
  returns: ObjectiveConfig = dataclasses.field(
    default_factory=lambda: ObjectiveConfig(discount=0.9)
  )
  replay: ReplayConfig = dataclasses.field(
    default_factory=lambda: ReplayConfig(
      replay_capacity=8000, samples_per_insert=4, replay_environments=16, priority_exponent=0.0
    )
  )
  # Trajectories are short, so negatives of the same one would mostly be near; and the finer the
  # network, the denser the memory.
  reachability: ReachabilityConfig = dataclasses.field(
    default_factory=lambda: ReachabilityConfig(reach_window=3, reach_same_share=0.0)
  )
  goals: GoalsConfig = dataclasses.field(default_factory=GoalsConfig)
