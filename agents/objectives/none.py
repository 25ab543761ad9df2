"""No objective: the policy plays at random, and only auxiliary losses and the bonus's learn.

For pretraining without rewards; `rarebird train --from` goes on from there. The world model, which
the auxiliary losses train, is the same as with any other objective.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.heads import policies
from agents.heads.heads import Heads
from agents.objectives.objective import Context, Loss, Objective, View, registry
from agents.trajectory import Trajectory


@registry.register("none", summary="random play: auxiliary losses alone learn, for pretraining")
def build(config: None, context: Context) -> Objective:
  del config
  policy = policies.uniform(context.actions)

  def same_logits(params: Any, belief: jax.Array) -> jax.Array:
    del params
    return jnp.zeros((*belief.shape[:-1], policy.size), jnp.float32)

  def loss(
    duals: Any,
    online: View,
    trajectory: Trajectory,
    targets: Any,
    weights: jax.Array,
    key: jax.Array,
  ) -> Loss:
    del duals, online, trajectory, targets, key
    return Loss(jnp.float32(0.0), {}, errors=jnp.ones_like(weights))  # all items alike

  return Objective(
    policy,
    Heads(lambda key, belief: {}, same_logits),
    lambda duals, out: out,
    dict,
    lambda duals, online, target, trajectory, streams, key: (),
    loss,
    replays=True,
    learns=False,
    mask=policy.mask,
  )
