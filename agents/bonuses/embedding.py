"""An encoder of observations of a bonus's own, made of the torsos that the world model uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
from dm_env import specs

from agents.bonuses.bonus import Context
from agents.torsos import torso as torsos


class Embedding(NamedTuple):
  """Pure functions of an encoder's parameters.

  Attributes:
    size: E of what it returns.
    init: key -> params.
    apply: (params, observation [..., *O]) -> float32 [..., E].
  """

  size: int
  init: Callable[[jax.Array], Any]
  apply: Callable[[Any, jax.Array], jax.Array]


def build(context: Context, size: int, spec: specs.Array | None = None) -> Embedding:
  """The encoder `context.torso`, for its environment's observations.

  Args:
    context: whose torso may be `auto`.
    size: E.
    spec: of what is encoded, if that is not the environment's observation as it is.
  """
  seen = context.env.observation_spec()
  cell_pixels = context.env.cell_pixels
  torso = torsos.resolve(context.torso, seen, cell_pixels)
  spec = seen if spec is None else spec

  def encode(observation: jax.Array) -> jax.Array:
    return torsos.registry.build(torso, spec, size, cell_pixels, name="embedding")(observation)

  network = hk.without_apply_rng(hk.transform(encode))

  def init(key: jax.Array) -> Any:
    return network.init(key, jnp.zeros((1, *spec.shape), spec.dtype))

  def apply(params: Any, observation: jax.Array) -> jax.Array:
    lead = observation.shape[: observation.ndim - len(spec.shape)]
    return network.apply(params, observation.reshape(-1, *spec.shape)).reshape(*lead, size)

  return Embedding(size, init, apply)
