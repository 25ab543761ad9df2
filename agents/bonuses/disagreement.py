"""Disagreement: curiosity about where the models of an ensemble differ.

Formula: l_t = mean_i Var_m h_m(b_t, a_t)_i, the variance over the members m of their forecasts of
the latent w_{t+1}, each trained on ||h_m(b_t, a_t) - w_{t+1}||^2; paid is l_t over the running
deviation of its discounted returns.
Source: Pathak et al. 2019 (arXiv 1906.04161), section 3. The features are the world model's latents
and the beliefs stand for the paper's stacked frames; no gradient of the ensemble reaches either.
Each member leaves out a random fifth of the transitions at each step, as in the paper's code.
Good at: noise, on which all members come to agree on the mean.
Bad at: telling the new from the old in large networks, whose members generalise alike; where the
latents move, all of them lag alike.
Cost: five small networks on the latents, forward and backward; no torso of its own, no table.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.masking import masked_mean
from agents.heads import policies
from agents.trajectory import Trajectory

HIDDEN = 128
"""Units of a member's hidden layer."""
KEPT = 0.8
"""Share of the transitions that a member learns from at a step (the paper's code)."""


@dataclasses.dataclass(frozen=True)
class DisagreementConfig:
  """An ensemble's disagreement, arXiv 1906.04161."""

  members: int = 5
  """Models in the ensemble (Disagreement's code: 5)."""

  def __post_init__(self) -> None:
    if self.members < 2:
      raise ValueError(f"members is {self.members}; fewer than two cannot disagree.")


@registry.register(
  "disagreement", DisagreementConfig, summary="variance of an ensemble's forecasts of the latent"
)
def build(settings: DisagreementConfig, context: Context) -> Bonus:
  policy = policies.build(context.env.action_spec())
  member = hk.without_apply_rng(
    hk.transform(lambda x: hk.nets.MLP([HIDDEN, context.latent_size], name="member")(x))
  )

  def join(beliefs: jax.Array, action: jax.Array) -> jax.Array:
    return jnp.concatenate([beliefs, policy.features(action)], axis=-1)

  def init(key: jax.Array) -> tuple[Any, Any]:
    first = join(jnp.zeros((1, context.belief_size)), policy.no_action(1))
    keys = jax.random.split(key, settings.members)
    return jax.vmap(lambda key: member.init(key, first))(keys), ()

  def forecasts(params: Any, trajectory: Trajectory, outputs: Outputs) -> jax.Array:
    beliefs = jax.lax.stop_gradient(outputs.beliefs[:-1])
    inputs = join(beliefs, trajectory.action[:-1])
    return jax.vmap(member.apply, in_axes=(0, None))(params, inputs)

  def reward(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del key
    variance = jnp.var(forecasts(params, trajectory, outputs), axis=0)
    return jnp.mean(variance, axis=-1), statistics, {}

  def loss(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del statistics
    latents = jax.lax.stop_gradient(outputs.latents[1:])
    errors = jnp.mean(jnp.square(forecasts(params, trajectory, outputs) - latents), axis=-1)
    kept = jax.random.bernoulli(key, KEPT, errors.shape) & trajectory.mask
    # A sum over the members, so that each learns as if it were alone.
    return jnp.sum(jax.vmap(masked_mean)(errors, kept))

  return Bonus(init, reward, loss, scaling="return_std")
