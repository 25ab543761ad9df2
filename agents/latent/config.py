"""Settings of the agents that stand on the latent world model."""

from __future__ import annotations

import dataclasses

from agents import auxiliaries, bonuses, objectives, planners
from agents.bonuses.payment import PaymentConfig
from agents.objectives import ObjectiveConfig
from agents.observation_normaliser import Setting
from agents.optimisers import optimiser as optimisers
from agents.optimisers.schedules import ScheduleConfig
from agents.precision import Compute
from agents.replay import ReplayConfig
from agents.trajectory import DataSpec
from agents.world_model.world_model import WorldModelConfig
from envs.registry import LATER, Choice, choice_field, choices_field


@dataclasses.dataclass(frozen=True)
class AgentConfig:
  """An agent on the latent world model. Sources name BYOL-Explore, arXiv 2206.08332, unless another
  is given."""

  bonus: Choice = choice_field(bonuses.registry, "none")
  """What pays for exploring; `none` gives the plain agent. See `rarebird list bonuses`."""
  auxiliary: tuple[Choice, ...] = choices_field(auxiliaries.registry)
  """Auxiliary losses, any number, each with a weight; `byol` trains the world model, also where the
  bonus does not need it. See `rarebird list auxiliaries`."""
  objective: Choice = choice_field(objectives.registry, "vmpo")
  """How policy and value improve. See `rarebird list objectives`."""
  planner: Choice = choice_field(planners.registry, "none")
  """What improves the policy while it acts, by asking the world model. See `rarebird list
  planners`."""
  share_encoder: bool = True
  """The policy reads the world model's beliefs; else, an ablation, it has an encoder and a memory
  of its own, which the BYOL loss does not reach."""
  optimiser: Choice = choice_field(optimisers.registry, "adam")
  """What makes steps of gradients. See `rarebird list optimisers`."""
  learning_rate: float = 5e-4
  """Step size, at the height of its schedule (Adam's 1e-4, for runs a thousand times longer)."""
  dual_learning_rate: float = 1e-2
  """Adam's step size of dual variables: V-MPO's eta and alpha (Acme's MPO: 1e-2), temperatures."""
  max_gradient_norm: float = 10.0
  """Gradients are scaled down to this global norm."""
  sharpness_steps: int = dataclasses.field(default=0, metadata={LATER: True})
  """Products with the loss's Hessian by which each row of the log tells its sharpness, the largest
  eigenvalue (10 tell it to some per cent); 0 for none."""
  head_hidden: int = 256
  """Units of the hidden layer of each head; 0 for none."""
  head_layers: int = 1
  """Hidden layers of each head (Craftax_Baselines: 3 of 512, without an encoder before them)."""
  normalise_observations: Setting = "auto"
  """Float observations less their running mean, over their running deviation (VecNormalize); `auto`
  does so on the host where the space has no bounds, or one beyond 10 (ours)."""
  compute: Compute = "float32"
  """In what the matrix products of encoder, memory, predictor and heads are computed; bfloat16 for
  accelerators, with parameters and all else in float32 (DreamerV3, arXiv 2301.04104: bfloat16)."""
  unroll_length: int = 16
  """T, transitions in a trajectory."""
  batch_size: int = 32
  """B, trajectories in an update; on_device and without a replay, the environments stepped side by
  side."""
  world_model: WorldModelConfig = dataclasses.field(default_factory=WorldModelConfig)
  schedule: ScheduleConfig = dataclasses.field(default_factory=ScheduleConfig)
  returns: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
  replay: ReplayConfig = dataclasses.field(default_factory=ReplayConfig)
  payment: PaymentConfig = dataclasses.field(default_factory=PaymentConfig)

  @property
  def data(self) -> DataSpec:
    """The data that the agent learns from."""
    return DataSpec(self.unroll_length, self.batch_size, self.replay.spec())

  def __post_init__(self) -> None:
    for name in ("unroll_length", "batch_size"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
    if self.sharpness_steps < 0:
      raise ValueError(f"sharpness_steps is {self.sharpness_steps}; it must be at least 0.")
    if self.replay.burn_in >= self.unroll_length:
      raise ValueError(
        f"burn_in is {self.replay.burn_in}; it must be less than unroll_length,"
        f" {self.unroll_length}."
      )
