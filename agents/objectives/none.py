"""No objective: only auxiliary losses and the bonus's learn, and no reward is read.

The policy plays at random: for pretraining; `rarebird train --from` goes on from there. Or there is
one that auxiliary losses teach, as `policy_kl`, `kd` and `classify` do. The world model, which the
auxiliary losses train, is the same as with any other objective.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import haiku as hk
import jax
import jax.numpy as jnp

from agents.heads import heads, policies
from agents.heads.heads import SMALL, Heads
from agents.objectives.objective import Context, Loss, Objective, View, registry
from agents.trajectory import Trajectory
from envs.registry import LATER


@dataclasses.dataclass(frozen=True)
class NoneConfig:
  """What plays where no objective learns."""

  taught: bool = dataclasses.field(default=False, metadata={LATER: True})
  """Whether there is a policy, which auxiliary losses teach; else chance plays."""
  acts: Literal["policy", "chance"] = dataclasses.field(default="policy", metadata={LATER: True})
  """What plays while such a policy learns: itself (on policy), or chance (off policy)."""


@registry.register("none", NoneConfig, summary="no reward is read: auxiliary losses alone learn")
def build(config: NoneConfig, context: Context) -> Objective:
  policy = (policies.build if config.taught else policies.uniform)(context.actions)
  if config.taught and config.acts == "chance" and policy.mask is None:
    raise ValueError(
      "objective 'none': beside a policy that is taught chance plays discrete actions alone; give"
      " --objective.acts policy."
    )

  def same_logits(params: Any, belief: jax.Array) -> jax.Array:
    del params
    return jnp.zeros((*belief.shape[:-1], policy.size), jnp.float32)

  def read(belief: jax.Array) -> jax.Array:
    sizes = [context.hidden] * context.layers if context.hidden else []
    hidden = hk.nets.MLP(sizes, activate_final=True, name="policy_hidden")(belief)
    return hk.Linear(policy.size, w_init=SMALL, name="policy")(hidden)

  def chance(p: jax.Array, share: jax.Array) -> jax.Array:
    del share
    return policies.masked(jnp.zeros_like(p), policies.possible(p))

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
    heads.build(lambda: read, context.compute)
    if config.taught
    else Heads(lambda key, belief: {}, same_logits),
    lambda duals, out: out,
    dict,
    lambda duals, online, target, trajectory, streams, key: (),
    loss,
    replays=True,
    learns=False,
    mask=policy.mask,
    taught=config.taught,
    explore=chance if config.taught and config.acts == "chance" else None,
  )
