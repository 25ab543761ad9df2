"""Agent `soft_q`: soft Q-learning on the beliefs of the latent world model.

Its twin is `soft_pg`: the same network of action values, read as a policy and a value.
Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440); see agents/objectives/soft_q.py.
"""

from __future__ import annotations

import dataclasses

from agents import auxiliaries, objectives
from agents.agent import Kind, registry
from agents.latent.agent import build
from agents.latent.config import AgentConfig
from envs.registry import Choice, choice_field, choices_field


@dataclasses.dataclass(frozen=True)
class SoftQConfig(AgentConfig):
  """Soft Q-learning."""

  auxiliary: tuple[Choice, ...] = choices_field(auxiliaries.registry, "byol")
  """Auxiliary losses, any number, each with a weight. See `rarebird list auxiliaries`."""
  learning_rate: float = 2e-3
  """Step size (ours: on policy a step's batch is seen but once)."""
  batch_size: int = 16
  """B, trajectories in an update; on_device and without a replay, the environments stepped side by
  side (ours: half of V-MPO's, for twice the updates)."""
  objective: Choice = choice_field(objectives.registry, "soft_q")
  """How the action values improve: soft_q, soft_pg, pcl, soft_retrace, munchausen or double_q, and
  for continuous actions sac; any other takes heads of its own. See `rarebird list objectives`."""


registry.register("soft_q", summary="soft Q-learning on the latent world model")(
  Kind(SoftQConfig, build)
)
