"""A policy and twin critics, of each stream of rewards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.heads.heads import SMALL, Heads
from agents.precision import Compute, lowered


class PolicyAndCritics(NamedTuple):
  """A policy, and two critics that can be asked about any action.

  Attributes:
    heads: their parameters, and what the policy says: its parameters [..., P].
    critics: (params, belief [..., H], action features [..., F]) -> values [..., 2] of each stream
      of rewards.
  """

  heads: Heads
  critics: Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, ...]]


def policy_and_critics(
  policy_size: int,
  features: int,
  hidden: int,
  layers: int,
  streams: int = 1,
  compute: Compute = "float32",
) -> PolicyAndCritics:
  """A policy and twin critics of each stream, each with `layers` hidden layers of its own."""
  sizes = [hidden] * layers if hidden else []

  def module() -> Any:
    body = hk.Sequential(
      [
        *([hk.nets.MLP(sizes, activate_final=True, name="policy_hidden")] if sizes else []),
        hk.Linear(policy_size, w_init=SMALL, name="policy"),
      ]
    )
    twins = [
      [hk.nets.MLP([*sizes, 1], name=f"{name}{i}") for i in range(2)]
      for name in ("q", "intrinsic_q")[:streams]
    ]

    def critics(belief: jax.Array, action: jax.Array) -> tuple[jax.Array, ...]:
      inputs = jnp.concatenate([belief, action], axis=-1)
      return tuple(jnp.concatenate([twin(inputs) for twin in both], axis=-1) for both in twins)

    def init(belief: jax.Array) -> None:
      body(belief)
      critics(belief, jnp.zeros((*belief.shape[:-1], features)))

    return init, (lowered(body, compute), lowered(critics, compute))

  init, (policy, critics) = hk.without_apply_rng(hk.multi_transform(module))
  return PolicyAndCritics(Heads(init, policy), critics)
