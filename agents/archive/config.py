"""Settings of the agent that goes back to kept states."""

from __future__ import annotations

import dataclasses
from typing import Literal

from agents import objectives
from agents.latent.config import AgentConfig
from envs.registry import Choice, choice_field


@dataclasses.dataclass(frozen=True)
class ArchiveConfig:
  """The archive, exploring from it, and practice. Sources name Go-Explore (arXiv 1901.10995), its
  code (github.com/uber-research/go-explore), or Salimans & Chen 2018 (arXiv 1812.03381)."""

  cells: Literal["places", "views", "latents", "bonus"] = "views"
  """What makes two states one cell, within a beginning: `places`, where the agent is (domain
  knowledge, section 2.1.1); `views`, the same observation; `latents`, the same hash of the world
  model's latents; `bonus`, the same level of what a bonus pays."""
  latent_bits: int = 12
  """Bits of the hash of latents (ours)."""
  bonus_levels: int = 4
  """Levels of `bonus` to a factor of two (ours)."""
  archive_capacity: int = 8192
  """C, cells kept (Go-Explore: all); a new one then takes the place of the most visited."""
  return_by: Literal["visits", "bonus", "both"] = "visits"
  """What is gone back to: `visits`, with a chance by 1 / sqrt(visits + 1) (Nature 590:580,
  methods); `bonus`, by what the bonus pays for it; `both`, their product."""
  beginnings: int = 16
  """Beginnings of episodes that are explored at a time, each with cells of its own; one that was
  solved gives way to the next (ours; Go-Explore: one)."""
  explore_share: float = 0.5
  """Share of the environments that go back and explore; the others practise (ours; there the one
  comes after the other)."""
  explore_by: Literal["random", "policy"] = "random"
  """How it explores after going back: random actions, often repeated, of which no policy learns; or
  the agent's own policy, which learns from them too, with its bonus (section 2.1.3: random)."""
  explore_repeat: float = 0.95
  """Chance that a random action is the last one again (section 2.1.3: 95%)."""
  explore_steps: int = 100
  """Steps after which it goes back to another cell, where an unroll ends (section 2.1.3: 100)."""
  demonstrations: int = 64
  """D, beginnings whose best ways are kept to practise along (Go-Explore: 10)."""
  way_capacity: int = 1024
  """Longest way that is kept, in steps (ours); what is longer is not practised along."""
  backward_window: int = 10
  """Practice begins up to so many steps before the latest point (ours; code of Salimans & Chen:
  320 frames in all)."""
  backward_share: float = 0.05
  """Share of the way, at least one step, by which that point moves back (ours)."""
  backward_success: float = 0.2
  """Share of the attempts that must succeed before it does (Salimans & Chen: 20%)."""
  backward_attempts: int = 16
  """Attempts after which that is judged (ours)."""
  backward_match: float = 0.9
  """Share of the way's return that an attempt must reach to succeed (ours; there all of it)."""
  from_beginning: float = 0.5
  """Share of the practising environments' own new episodes that are left to play on from their
  beginning, once all practice has come there; before, less by the share that has not (ours)."""

  def __post_init__(self) -> None:
    for name in (
      "archive_capacity", "beginnings", "explore_steps", "demonstrations", "way_capacity",
      "backward_attempts", "bonus_levels",
    ):  # fmt: skip
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
    for name in (
      "explore_repeat", "backward_share", "backward_success", "backward_match", "from_beginning",
    ):  # fmt: skip
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")
    if not 1 <= self.latent_bits <= 31:
      raise ValueError(f"latent_bits is {self.latent_bits}; it must lie in 1 to 31.")
    if self.backward_window < 0:
      raise ValueError(f"backward_window is {self.backward_window}; it must be at least 0.")
    if not 0.0 < self.explore_share < 1.0:
      raise ValueError(f"explore_share is {self.explore_share}; it must lie between 0 and 1.")


@dataclasses.dataclass(frozen=True)
class GoExploreConfig(AgentConfig):
  """Go-Explore: goes back to kept states, explores from there, and practises the best ways."""

  objective: Choice = choice_field(objectives.registry, "ppo", epochs=2, minibatches=2)
  """How the policy improves, on policy (Go-Explore: PPO; epochs as in the recipe deep_sea_20). See
  `rarebird list objectives`."""
  archive: ArchiveConfig = dataclasses.field(default_factory=ArchiveConfig)

  def __post_init__(self) -> None:
    super().__post_init__()
    if not 0 < self.explorers(self.batch_size) < self.batch_size:
      raise ValueError(
        f"explore_share is {self.archive.explore_share}; of batch_size {self.batch_size}"
        " environments at least one must explore and one practise."
      )

  def explorers(self, batch: int) -> int:
    """How many of so many environments go back and explore; they are the first ones."""
    return round(self.archive.explore_share * batch)
