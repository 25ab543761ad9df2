"""An embedding with an inverse and a forward model: what actions change, and what they lead to.

Formula: f_t = 1/2 ||h(e(o_t), a_t) - e(o_{t+1})||^2, in an embedding e trained to tell the action
between two observations (agents/bonuses/inverse_dynamics.py).
Source: Pathak et al. 2017 (arXiv 1705.05363), section 2; the forward error trains the embedding
too, both of its observations, as in the code of that paper and of RIDE (arXiv 2002.12292).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.bonuses import inverse_dynamics
from agents.bonuses.bonus import Context
from agents.bonuses.masking import masked_mean
from agents.heads import policies
from agents.trajectory import Trajectory

HIDDEN = 256
"""Units of the forward model's hidden layer (section 3)."""


class Dynamics(NamedTuple):
  """Pure functions of the parameters of the embedding and of both models.

  Attributes:
    init: key -> params.
    embed: (params, trajectory) -> float32 [T+1, B, E].
    errors: (params, embedded [T+1, B, E], trajectory) -> f, [T, B].
    losses: (params, embedded, trajectory) -> the mean losses of the inverse and of the forward
      model over the real transitions, scalars; of one embedding, so that there is one backward
      pass through it.
  """

  init: Callable[[jax.Array], Any]
  embed: Callable[[Any, Trajectory], jax.Array]
  errors: Callable[[Any, jax.Array, Trajectory], jax.Array]
  losses: Callable[[Any, jax.Array, Trajectory], tuple[jax.Array, jax.Array]]


def build(context: Context, size: int) -> Dynamics:
  """The dynamics of the environment in `context`, by embeddings of E = `size`."""
  inverse = inverse_dynamics.build(context, size)
  policy = policies.build(context.env.action_spec())
  forward = hk.without_apply_rng(
    hk.transform(lambda x: hk.nets.MLP([HIDDEN, size], name="forward")(x))
  )

  def join(embedded: jax.Array, action: jax.Array) -> jax.Array:
    return jnp.concatenate([embedded, policy.features(action)], axis=-1)

  def init(key: jax.Array) -> Any:
    inverse_key, forward_key = jax.random.split(key)
    first = join(jnp.zeros((1, size)), policy.no_action(1))
    return {"inverse": inverse.init(inverse_key), "forward": forward.init(forward_key, first)}

  def embed(params: Any, trajectory: Trajectory) -> jax.Array:
    return inverse.embed(params["inverse"], trajectory.observation)

  def errors(params: Any, embedded: jax.Array, trajectory: Trajectory) -> jax.Array:
    predicted = forward.apply(params["forward"], join(embedded[:-1], trajectory.action[:-1]))
    return 0.5 * jnp.sum(jnp.square(predicted - embedded[1:]), axis=-1)

  def losses(
    params: Any, embedded: jax.Array, trajectory: Trajectory
  ) -> tuple[jax.Array, jax.Array]:
    told = inverse.loss_of(params["inverse"], embedded, trajectory)
    return told, masked_mean(errors(params, embedded, trajectory), trajectory.mask)

  return Dynamics(init, embed, errors, losses)
