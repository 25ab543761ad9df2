"""Agent `fresh`: learns to reach any goal from a dataset without rewards, offline.

Reachability is learned on the dataset, a graph of nodes made of it, and steps towards goals are
paid by distances there; soft actor-critic learns from these. The stages are in agents/offline;
experiments/offline runs them.
Source: GO-FRESH (Mezghani et al. 2023, arXiv 2301.02099), and its code.
"""

from __future__ import annotations

import dataclasses

from agents import objectives
from agents.agent import Kind, registry
from agents.cores import core as cores
from agents.objectives import ObjectiveConfig
from agents.observation_normaliser import Setting
from agents.offline.config import Algorithm, OfflineAgentConfig
from agents.offline.learner import build
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from envs.registry import Choice, choice_field


@dataclasses.dataclass(frozen=True)
class FreshConfig(OfflineAgentConfig):
  """Offline agents with goals. Sources name GO-FRESH's code."""

  objective: Choice = choice_field(objectives.registry, "sac", temperature=0.05)
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
  batch_size: int = 512
  """B, transitions in an update (2048, on a GPU)."""
  world_model: WorldModelConfig = dataclasses.field(
    default_factory=lambda: WorldModelConfig(
      torso=torsos.registry.choice("goal_mlp"), core=cores.registry.choice("feedforward")
    )
  )
  returns: ObjectiveConfig = dataclasses.field(
    default_factory=lambda: ObjectiveConfig(discount=0.9)
  )

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
      objective=objectives.registry.choice("sac", temperature=0.01),
    )


registry.register("fresh", summary="GO-FRESH: reaches goals, learned offline: rarebird offline")(
  Kind(FreshConfig, build, offline=True)
)

__all__ = ["FreshConfig", "build"]
