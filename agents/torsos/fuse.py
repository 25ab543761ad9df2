"""Encoders of observations: one torso for one array, or one for each leaf, joined."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from agents.torsos.torso import automatic, registry
from envs.observation import Cells, Spec, Tokens, leaves
from envs.registry import AUTO, Choice


def torsos_of(torso: Choice, spec: Spec) -> dict[str, Choice]:
  """The torso of each leaf that an agent sees, by the leaf's name; of one array the name is "".

  `auto` takes what fits each. Any other is that of the pictures; where there are none, that of all
  leaves but text. What it does not read is read by what fits it.
  """
  if torso.name != AUTO and getattr(registry.get(torso.name), "reads_goals", False):
    return {"": torso}
  parts = leaves(spec)
  chosen = [name for name, leaf in parts.items() if is_picture(leaf)]
  chosen = chosen or [name for name, leaf in parts.items() if not isinstance(leaf, Tokens)]
  return {
    name: torso
    if torso.name != AUTO and (name in chosen or len(parts) == 1)
    else registry.choice(automatic(leaf))
    for name, leaf in parts.items()
  }


def is_picture(spec: Any) -> bool:
  """Whether a leaf is a picture or a grid of cells."""
  return len(spec.shape) == 3 and (spec.dtype == np.uint8 or isinstance(spec, Cells))


def stochastic_depth(torsos: dict[str, Choice]) -> float:
  """The largest chance with which one of these leaves out a branch; 0 where none has branches, or
  none of them is left out."""
  settings = (registry.settings_of(torso) for torso in torsos.values())
  return max(getattr(own, "stochastic_depth", 0.0) for own in settings)


def attends(torsos: dict[str, Choice]) -> bool:
  """Whether one of these leaves is pooled by attention to its places."""
  asked = (
    (getattr(registry.get(torso.name), "attends", None), registry.settings_of(torso))
    for torso in torsos.values()
  )
  return any(ask is not None and ask(settings) for ask, settings in asked)


def encoder(torsos: dict[str, Choice], spec: Spec, size: int, name: str) -> Any:
  """A Haiku module: observations [N, *O] that an agent sees -> latents [N, size].

  A key, and whether it is training, may come after the observations; see `Torso.tokens`. Its
  `attention` tells what it looked at; see `Torso.attention`.

  Args:
    torsos: as `torsos_of` has them; that of the name "" reads all.
    spec: of an observation, without masks.
    size: of the latent.
    name: of the module.
  """
  if "" in torsos:
    return registry.build(torsos[""], spec, size, name=name)
  return Fuse(torsos, spec, size, name)


class Fuse(hk.Module):
  """Leaves, each by its torso; their latents side by side, with ReLU, then one linear layer.

  As in rl-starter-files' network for BabyAI (Willems), which joins picture and mission so. Where
  there is text, it also says what is looked for in pictures: their features x at each place become
  relu((1 + gamma) x + beta), gamma and beta linear in the texts' latents. Side by side alone, a
  network has to learn each pair of word and thing for itself. Source: FiLM (Perez et al. 2018,
  arXiv 1709.07871), equations 1 and 2, and BabyAI's use of it (arXiv 1810.08272, section 4.1).

  Attributes:
    attention: of its last call what each leaf's pool looked at; see `Torso.attention`.
  """

  def __init__(self, torsos: dict[str, Choice], spec: dict[str, Any], size: int, name: str):
    """As `encoder`."""
    super().__init__(name=name)
    self.attention: dict[str, jax.Array] = {}
    self.torsos, self.spec, self.size = torsos, spec, size

  def __call__(
    self, observation: dict[str, jax.Array], key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    parts = leaves(self.spec)
    random: dict[str, tuple[Any, ...]] = dict.fromkeys(parts, ())
    if key is not None:
      random = {name: (jax.random.fold_in(key, i), training) for i, name in enumerate(parts)}
    built = {
      name: registry.build(self.torsos[name], leaf, self.size, name=f"leaf_{i}")
      for i, (name, leaf) in enumerate(parts.items())
    }
    latents = {
      name: built[name](observation[name], *random[name])
      for name, leaf in parts.items()
      if not is_picture(leaf)
    }
    texts = [latents[name] for name, leaf in parts.items() if isinstance(leaf, Tokens)]
    for i, (name, leaf) in enumerate(parts.items()):
      if is_picture(leaf):
        tokens = built[name].tokens(observation[name], *random[name])
        if texts:
          tokens = modulated(tokens, jnp.concatenate(texts, axis=-1), f"film_{i}")
        latents[name] = built[name].pooled(tokens)
    self.attention = {name: weights for name in parts for weights in built[name].attention.values()}
    joined = jax.nn.relu(jnp.concatenate([latents[name] for name in parts], axis=-1))
    return hk.Linear(self.size, name="fused")(joined)


def modulated(tokens: jax.Array, text: jax.Array, name: str) -> jax.Array:
  """FiLM: tokens [N, P, D], scaled and moved by linear functions of latents [N, M]."""
  scale, offset = jnp.split(hk.Linear(2 * tokens.shape[-1], name=name)(text), 2, axis=-1)
  return jax.nn.relu((1.0 + scale[:, None]) * tokens + offset[:, None])
