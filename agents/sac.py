"""Agent `sac`: soft actor-critic, for continuous actions.

Source: Haarnoja et al. 2018 (arXiv 1812.05905); see agents/objectives/sac.py. By default it has
no memory, no bonus and no BYOL loss, and learns from a replay of short sequences; all are settings.
"""

from __future__ import annotations

import dataclasses

from agents import objectives
from agents.agent import Kind, registry
from agents.cores import core as cores
from agents.latent.agent import build
from agents.latent.config import AgentConfig
from agents.replay import ReplayConfig
from agents.world_model.world_model import WorldModelConfig
from envs.registry import Choice, choice_field


@dataclasses.dataclass(frozen=True)
class SACAgentConfig(AgentConfig):
  """Soft actor-critic. Sources name SAC, arXiv 1812.05905, appendix D."""

  objective: Choice = choice_field(objectives.registry, "sac", temperature=0.1)
  """How policy and critics improve."""
  learning_rate: float = 1e-3
  """Step size (3e-4; ours, for runs of some ten thousand updates)."""
  dual_learning_rate: float = 1e-3
  """Adam's step size of the temperature (3e-4; ours, as above)."""
  max_gradient_norm: float = 1000.0
  """Gradients are scaled down to this global norm (not at all)."""
  head_hidden: int = 128
  """Units of the hidden layers of each head (256; half, for half the time)."""
  head_layers: int = 2
  """Hidden layers of each head (2)."""
  unroll_length: int = 8
  """T, transitions in a trajectory (1; a sequence also serves a memory and the BYOL loss)."""
  batch_size: int = 32
  """B, trajectories in an update, so that it has 256 transitions (256)."""
  world_model: WorldModelConfig = dataclasses.field(
    default_factory=lambda: WorldModelConfig(core=cores.registry.choice("feedforward"))
  )
  replay: ReplayConfig = dataclasses.field(
    default_factory=lambda: ReplayConfig(
      replay_capacity=10_000,
      replay_min_size=64,
      samples_per_insert=64.0,
      replay_environments=8,
      priority_exponent=0.0,
    )
  )
  """An update for every 4 steps (1 for each), from the last 80,000 (10^6), drawn evenly."""


registry.register("sac", summary="soft actor-critic, for continuous actions")(
  Kind(SACAgentConfig, build)
)
