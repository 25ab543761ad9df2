"""outcomes: what imagined steps pay, and whether the episode goes on after them.

Formula: with b_{t,k} the open loop's belief k steps after t,
  mean over t of the mean over k = 1 .. K of
    1/2 (r(b_{t,k}) - r_{t+k})^2 + CE(sigmoid(c(b_{t,k})), discount_{t+k})
over forecasts that cross no start of an episode, as the BYOL loss has it (agents/world_model/
table.py). The rewards are the environment's. The squared error makes r the mean, in the reward's
own unit, without a range that would have to be known: a two-hot code of symlog (DreamerV3) is for
rewards of very different sizes.
Source: MuZero (Schrittwieser et al. 2020, arXiv 1911.08265), equation 1, for rewards along the
unrolled model; DreamerV3 (Hafner et al. 2023, arXiv 2301.04104), equation 3, for the reward and
the continuation, a Bernoulli's, read from the model's states.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from agents.agent import Metrics
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  AuxiliaryConfig,
  Context,
  Inputs,
  Outcomes,
  check_at_least,
  registry,
)
from agents.heads import heads
from agents.world_model import table


@dataclasses.dataclass(frozen=True)
class OutcomesConfig(AuxiliaryConfig):
  """Reward and discount of imagined steps."""

  weight: float = 1.0
  """Weight of the loss beside the objective's (MuZero, equation 1: 1; DreamerV3: 1)."""
  hidden: int = 128
  """Units of the one hidden layer of each of the two heads (ours, as the predictor's; DreamerV3:
  256 and more, recalled); 0 for none."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 0, "hidden")


def network(hidden: int) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
  """A Haiku module: beliefs [..., H] -> the reward [...], and the logit of the discount [...]."""

  def head(name: str, belief: jax.Array) -> jax.Array:
    if hidden:
      belief = jax.nn.relu(hk.Linear(hidden, name=f"{name}_hidden")(belief))
    return hk.Linear(1, w_init=heads.SMALL, name=name)(belief)[..., 0]

  return lambda belief: (head("reward", belief), head("discount", belief))


def loss(
  net: heads.Heads, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  del key
  assert inputs.forecasts is not None
  reward, logit = net.apply(params, inputs.forecasts.imagined)  # [T, K, B]
  steps, _ = table.target_step(*reward.shape[:2])
  errors = (
    0.5 * jnp.square(reward - inputs.trajectory.reward[steps]),
    optax.sigmoid_binary_cross_entropy(logit, inputs.trajectory.discount[steps]),
  )
  valid = inputs.forecasts.valid & (inputs.weights[:-1, None] > 0.0)
  of_reward, of_discount = (table.loss(x, valid) for x in errors)
  metrics = {"reward_error": of_reward, "discount_error": of_discount}
  return of_reward + of_discount, metrics, state


def outcomes(net: heads.Heads, params: Any, beliefs: jax.Array) -> Outcomes:
  """See `agents.auxiliaries.auxiliary.Auxiliary.outcomes`."""
  reward, logit = net.apply(params, beliefs)
  return Outcomes(reward, jax.nn.sigmoid(logit))


@registry.register("outcomes", OutcomesConfig, summary="reward and discount of imagined steps")
def build(settings: OutcomesConfig, context: Context) -> Auxiliary:
  net = heads.build(lambda: network(settings.hidden), context.compute)

  def init(key: jax.Array) -> tuple[Any, Any]:
    return net.init(key, jnp.zeros((1, context.belief_size))), ()

  return Auxiliary(
    init,
    functools.partial(loss, net),
    reads_forecasts=True,
    outcomes=functools.partial(outcomes, net),
  )
