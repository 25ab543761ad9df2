"""Encoders of observations: one torso for one array, or one for each leaf, joined."""

from __future__ import annotations

from collections.abc import Callable
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


def encoder(
  torsos: dict[str, Choice], spec: Spec, size: int, name: str
) -> Callable[..., jax.Array]:
  """A Haiku module: observations [N, *O] that an agent sees -> latents [N, size].

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

  As in rl-starter-files' network for BabyAI (Willems), which joins picture and mission so.
  """

  def __init__(self, torsos: dict[str, Choice], spec: dict[str, Any], size: int, name: str):
    """As `encoder`."""
    super().__init__(name=name)
    self.torsos, self.spec, self.size = torsos, spec, size

  def __call__(self, observation: dict[str, jax.Array]) -> jax.Array:
    latents = [
      registry.build(self.torsos[name], leaf, self.size, name=f"leaf_{i}")(observation[name])
      for i, (name, leaf) in enumerate(leaves(self.spec).items())
    ]
    joined = jax.nn.relu(jnp.concatenate(latents, axis=-1))
    return hk.Linear(self.size, name="fused")(joined)
