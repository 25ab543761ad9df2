"""Value targets and advantages on trajectories that hold several episodes.

One recursion serves V-trace (Espeholt et al. 2018, arXiv 1802.01561, equation 1 and remark 2) and
GAE (Schulman et al. 2016, arXiv 1506.02438, equation 16), which is V-trace with all ratios 1.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from agents import rlax
from agents.heads.policy_value import PolicyAndValue
from agents.objectives.objective import Stream, across, sum_of


class Advantages(NamedTuple):
  """Both [T, B], without gradient; 0 advantage and the value itself where nothing is learned."""

  advantage: jax.Array
  target: jax.Array


def advantages(
  values: jax.Array,
  rewards: jax.Array,
  discounts: jax.Array,
  ratios: jax.Array,
  mask: jax.Array,
  lambda_: float | jax.Array,
) -> Advantages:
  """Returns advantages and value targets.

  Args:
    values: [T+1, B].
    rewards: [T, B], of the transition t -> t+1.
    discounts: [T, B], gamma times the environment's discount on arriving at t+1: 0 at a
      termination; at a truncation the last observation's value is bootstrapped.
    ratios: [T, B], pi / mu of the action at t; all 1 for GAE.
    mask: bool [T, B], False for LAST -> FIRST. There the ratio becomes 0, which makes the temporal
      difference 0 and ends the recursion: nothing leaks from one episode into the one before.
    lambda_: in [0, 1], a number or [T, B].
  """
  chex.assert_equal_shape([values[1:], rewards, discounts, ratios, mask])
  values = jax.lax.stop_gradient(values)
  ratios = jnp.where(mask, jax.lax.stop_gradient(ratios), 0.0)
  lambdas = jnp.broadcast_to(jnp.float32(lambda_), rewards.shape)
  out = jax.vmap(rlax.vtrace_td_error_and_advantage, in_axes=1, out_axes=1)(
    values[:-1], values[1:], rewards, discounts, ratios, lambdas
  )
  return Advantages(out.pg_advantage, values[:-1] + out.errors)


def of_stream(
  values: jax.Array, stream: Stream, ratios: jax.Array, mask: jax.Array, lambda_: float
) -> Advantages:
  """Advantages and value targets of one stream of rewards.

  Where it joins two episodes, the last entry of the one stands for the first of the other: the
  recursion goes on there without a discount, as if the entry were left out. What follows an episode
  that ends with the trajectory is not known, and the value of its last observation stands for it.

  Args:
    values: [T+1, B], of the stream.
    stream: rewards, discounts and where episodes are joined.
    ratios: [T, B], as for `advantages`.
    mask: bool [T, B], as for `advantages`.
    lambda_: in [0, 1].
  """
  joins = stream.joins
  return advantages(
    across(values, joins),
    jnp.where(joins, 0.0, stream.reward),
    jnp.where(joins, 1.0, stream.discount),
    jnp.where(joins, 1.0, ratios),
    mask | joins,
    jnp.where(joins, 1.0, lambda_),
  )


def of_streams(
  out: PolicyAndValue,
  streams: tuple[Stream, ...],
  ratios: jax.Array,
  mask: jax.Array,
  lambda_: float,
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
  """The sum of the streams' advantages [T, B], and the target of each value, [T, B]."""
  each = [
    of_stream(values, stream, ratios, mask, lambda_)
    for values, stream in zip(out.values, streams, strict=True)
  ]
  return sum_of(x.advantage for x in each), tuple(x.target for x in each)
