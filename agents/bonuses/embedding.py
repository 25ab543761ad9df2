"""An encoder of observations of a bonus's own, made of the torsos that the world model uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.bonuses.bonus import Context
from agents.torsos import fuse
from agents.torsos.torso import registry
from envs.observation import Spec, Tokens, lead, leaves, rows, zeros


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


def build(context: Context, size: int, spec: Spec | None = None) -> Embedding:
  """The encoder `context.torso`, for its environment's observations.

  Args:
    context: whose torso may be `auto`.
    size: E.
    spec: of what is encoded, if that is not the environment's observation as it is, but what
      `agents.torsos.torso.preprocess` makes of it.
  """
  seen = context.env.observation_spec()
  torsos = fuse.torsos_of(context.torso, seen)
  if spec is not None:  # of text there are numbers now
    parts, mlp = leaves(seen), registry.choice("mlp")
    torsos = {n: mlp if isinstance(parts[n], Tokens) else torso for n, torso in torsos.items()}
  spec = seen if spec is None else spec

  def encode(observation: Any) -> jax.Array:
    return fuse.encoder(torsos, spec, size, "embedding")(observation)

  network = hk.without_apply_rng(hk.transform(encode))

  def init(key: jax.Array) -> Any:
    return network.init(key, jax.tree.map(jnp.asarray, zeros(spec, (1,))))

  def apply(params: Any, observation: Any) -> jax.Array:
    flat = network.apply(params, rows(spec, observation))
    return flat.reshape(*lead(spec, observation), size)

  return Embedding(size, init, apply)
