"""An embedding of observations that holds what the agent's actions change.

Formula: from the embeddings e(o_t), e(o_{t+1}) the action a_t is predicted; the loss is the cross
entropy of discrete actions, that of each entry added up for several at once, and the squared error
of continuous ones as networks read them (agents/heads/policies.py).
Source: Pathak et al. 2017 (arXiv 1705.05363), section 2.2; two fully connected layers of 256 units
read the pair, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.bonuses import embedding
from agents.bonuses.bonus import Context
from agents.bonuses.masking import masked_mean
from agents.heads import policies
from agents.trajectory import Trajectory

HIDDEN = 256
"""Units of the hidden layer that reads a pair of embeddings."""


class InverseDynamics(NamedTuple):
  """Pure functions of the parameters of the embedding and of the head that predicts the action.

  Attributes:
    init: key -> params.
    embed: (params, observation [..., *O]) -> float32 [..., E].
    loss: (params, trajectory) -> the mean error over the real transitions, a scalar; 0 if there
      are none.
    loss_of: (params, embedded [T+1, B, E], trajectory) -> the same, of what is embedded already.
  """

  init: Callable[[jax.Array], Any]
  embed: Callable[[Any, jax.Array], jax.Array]
  loss: Callable[[Any, Trajectory], jax.Array]
  loss_of: Callable[[Any, jax.Array, Trajectory], jax.Array]


def build(context: Context, size: int) -> InverseDynamics:
  """The inverse dynamics of the environment in `context`, by embeddings of E = `size`."""
  encoder = embedding.build(context, size)
  policy = policies.build(context.env.action_spec())
  width = policy.features(policy.no_action(1)).shape[-1]
  head = hk.without_apply_rng(hk.transform(lambda pair: hk.nets.MLP([HIDDEN, width])(pair)))

  def init(key: jax.Array) -> Any:
    encoder_key, head_key = jax.random.split(key)
    return {
      "embedding": encoder.init(encoder_key),
      "head": head.init(head_key, jnp.zeros((1, 2 * size))),
    }

  def embed(params: Any, observation: jax.Array) -> jax.Array:
    return encoder.apply(params["embedding"], observation)

  def loss_of(params: Any, embedded: jax.Array, trajectory: Trajectory) -> jax.Array:
    predicted = head.apply(params["head"], jnp.concatenate([embedded[:-1], embedded[1:]], axis=-1))
    return masked_mean(policy.error(predicted, trajectory.action[:-1]), trajectory.mask)

  def loss(params: Any, trajectory: Trajectory) -> jax.Array:
    return loss_of(params, embed(params, trajectory.observation), trajectory)

  return InverseDynamics(init, embed, loss, loss_of)
