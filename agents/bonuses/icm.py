"""ICM: the intrinsic curiosity module, curiosity about the consequences of the agent's actions.

Formula: l_t = 1/2 ||h(e(o_t), a_t) - e(o_{t+1})||^2, in an embedding e trained to tell the action
between two observations (agents/bonuses/dynamics.py); the loss is (1 - beta) inverse + beta
forward. Paid is l_t over the running deviation of its discounted returns.
Source: Pathak et al. 2017 (arXiv 1705.05363), section 2 and equation 7: the forward error trains
the embedding too, both of the observations, as in the paper's code; Burda et al. 2018 (arXiv
1808.04355) stop it there. The scaling is that of the latter.
Good at: distractors that no action touches, which the embedding need not hold.
Bad at: noise that an action calls (the noisy television with a remote control), whose error never
vanishes; actions without an effect on what is seen leave the embedding empty.
Cost: a torso of its own and two small heads, forward and backward; no table.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax

from agents.bonuses import dynamics
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class ICMConfig:
  """The intrinsic curiosity module, arXiv 1705.05363."""

  size: int = 64
  """Size of the embedding (ICM, section 3: 288)."""
  beta: float = 0.2
  """Weight of the forward model's loss, beside 1 - beta of the inverse model's (ICM, section 3)."""

  def __post_init__(self) -> None:
    if not 0.0 <= self.beta <= 1.0:
      raise ValueError(f"beta is {self.beta}; it must lie in [0, 1].")


@registry.register(
  "icm", ICMConfig, summary="error of a forward model in an inverse-dynamics embedding"
)
def build(settings: ICMConfig, context: Context) -> Bonus:
  model = dynamics.build(context, settings.size)

  def init(key: jax.Array) -> tuple[Any, Any]:
    return model.init(key), ()

  def reward(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del outputs, key
    return model.errors(params, model.embed(params, trajectory), trajectory), statistics, {}

  def loss(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del statistics, outputs, key
    told, foreseen = model.losses(params, model.embed(params, trajectory), trajectory)
    return (1.0 - settings.beta) * told + settings.beta * foreseen

  return Bonus(init, reward, loss, scaling="return_std")
