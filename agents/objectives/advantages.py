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
  lambda_: float,
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
    lambda_: in [0, 1].
  """
  chex.assert_equal_shape([values[1:], rewards, discounts, ratios, mask])
  values = jax.lax.stop_gradient(values)
  ratios = jnp.where(mask, jax.lax.stop_gradient(ratios), 0.0)
  out = jax.vmap(rlax.vtrace_td_error_and_advantage, in_axes=(1, 1, 1, 1, 1, None), out_axes=1)(
    values[:-1], values[1:], rewards, discounts, ratios, lambda_
  )
  return Advantages(out.pg_advantage, values[:-1] + out.errors)
