"""Agent `soft_pg`: the policy gradient of a network of action values, the twin of `soft_q`.

Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440); see agents/objectives/soft_pg.py.
"""

from __future__ import annotations

import dataclasses

from agents import objectives
from agents.agent import Kind, registry
from agents.latent.agent import build
from agents.soft_q import SoftQConfig
from envs.registry import Choice, choice_field


@dataclasses.dataclass(frozen=True)
class SoftPGConfig(SoftQConfig):
  """The policy gradient of soft Q-learning."""

  objective: Choice = choice_field(objectives.registry, "soft_pg")
  """How the action values improve. See `rarebird list objectives`."""


registry.register("soft_pg", summary="policy gradient of the action values of soft_q")(
  Kind(SoftPGConfig, build)
)
