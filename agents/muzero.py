"""Agent `muzero`: tree search on the beliefs of the latent world model.

The open loop is the dynamics that is searched; reward, end, value and policy are read from what it
imagines, and BYOL's loss keeps it to what is observed. A bonus is paid in the search as well.
Source: MuZero (Schrittwieser et al. 2020, arXiv 1911.08265), EfficientZero (Ye et al. 2021,
arXiv 2111.00210); see agents/planners/mcts.py and agents/objectives/muzero.py.
"""

from __future__ import annotations

import dataclasses

from agents import auxiliaries, objectives, planners
from agents.agent import Kind, registry
from agents.latent.agent import build
from agents.latent.config import AgentConfig
from agents.objectives import ObjectiveConfig
from agents.replay import ReplayConfig
from envs.registry import Choice, choice_field, choices_field


@dataclasses.dataclass(frozen=True)
class MuZeroAgentConfig(AgentConfig):
  """Tree search. Sources name EfficientZero, arXiv 2111.00210, appendix A.6, recalled."""

  objective: Choice = choice_field(objectives.registry, "muzero", reanalyse=1.0)
  """How policy and value improve; any other learns from what was planned as from its own doing."""
  planner: Choice = choice_field(planners.registry, "mcts", bonus=True)
  """What is searched by: mcts, or for continuous actions cem or mppi. See `rarebird list
  planners`."""
  auxiliary: tuple[Choice, ...] = choices_field(auxiliaries.registry, "byol", "outcomes")
  """Auxiliary losses, any number, each with a weight. See `rarebird list auxiliaries`."""
  learning_rate: float = 1e-3
  """Step size (ours, for runs of some ten thousand updates)."""
  returns: ObjectiveConfig = dataclasses.field(
    default_factory=lambda: ObjectiveConfig(value_weight=0.25, entropy_weight=0.0)
  )
  """The value's loss counts a quarter (.25), and entropy is not paid (MuZero: 0)."""
  replay: ReplayConfig = dataclasses.field(
    default_factory=lambda: ReplayConfig(
      replay_capacity=4096,
      replay_min_size=64,
      samples_per_insert=4.0,
      priority_exponent=0.6,
      importance_exponent=0.4,
      priority_of_max=0.0,
    )
  )
  """A replay of sequences, drawn by the error of their values (.6, weights to the power .4)."""


registry.register("muzero", summary="tree search on a latent world model (MuZero)")(
  Kind(MuZeroAgentConfig, build)
)

__all__ = ["MuZeroAgentConfig", "build"]
