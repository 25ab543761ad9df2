"""Torsos: from one observation to one latent vector. No torso keeps batch statistics.

Batch statistics would let examples of one batch see each other, which changes what BYOL learns and
breaks acting with batch size one; GroupNorm and weight standardisation take their place
(Richemond et al. 2020, arXiv 2010.10241: 73.9% against 74.3% with batch norm on ImageNet).

A torso maps observations [N, ...] to latents [N, size], float32.
"""

from __future__ import annotations

import functools
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.registry import AUTO, Choice, Registry

registry = Registry("torso", "agents.torsos")
"""Builders: (own settings, spec, size, cell_pixels, name=...) -> Torso."""


def preprocess(spec: specs.Array, observation: jax.Array) -> jax.Array:
  """Turns an observation batch [N, ...] into float32 features.

  Pixels (uint8) go to [0, 1]; bounded integers are categories and become one-hot along a new last
  axis, merged into the previous one; floats pass unchanged.
  """
  if spec.dtype == np.uint8:
    return observation.astype(jnp.float32) / 255.0
  if np.issubdtype(spec.dtype, np.integer):
    if not isinstance(spec, specs.BoundedArray) or np.min(spec.minimum) < 0:
      raise ValueError(
        f"integer observation {spec.name!r} needs bounds, from 0 up, to be read as categories."
      )
    encoded = jax.nn.one_hot(observation, int(np.max(spec.maximum)) + 1, dtype=jnp.float32)
    return encoded.reshape(*encoded.shape[:-2], -1) if spec.shape else encoded
  return observation.astype(jnp.float32)


def width(spec: specs.Array) -> int:
  """How many numbers `preprocess` makes of one observation; raises what it raises."""
  batch = jax.ShapeDtypeStruct((1, *spec.shape), spec.dtype)
  return jax.eval_shape(functools.partial(preprocess, spec), batch).size


class Torso(hk.Module):
  """The contract.

  Attributes:
    settings: the torso's own, of the class that it is registered with; None where it has none.
    spec: of an observation.
    size: of the latent.
    cell_pixels: as `Environment.cell_pixels`.
  """

  def __init__(
    self, settings: Any, spec: specs.Array, size: int, cell_pixels: int | None, name: str = "torso"
  ):
    super().__init__(name=name)
    self.settings = settings
    self.spec = spec
    self.size = size
    self.cell_pixels = cell_pixels

  def __call__(self, observation: jax.Array) -> jax.Array:
    features = self.features(preprocess(self.spec, observation))
    return hk.Linear(self.size, name="latent")(features.reshape(features.shape[0], -1))

  def features(self, x: jax.Array) -> jax.Array:
    raise NotImplementedError

  def require_image(self, x: jax.Array) -> None:
    """Raises ValueError unless features are pictures [N, H, W, C]."""
    if x.ndim != 4:
      raise ValueError(
        f"this torso reads images [H, W, C]; the observation is {self.spec.shape}. Use --torso mlp."
      )


def one_view(spec: specs.Array) -> specs.Array:
  """The spec of one of the two views of an observation [2, *O]."""
  if isinstance(spec, specs.BoundedArray):
    low, high = (np.broadcast_to(x, spec.shape)[0] for x in (spec.minimum, spec.maximum))
    return specs.BoundedArray(spec.shape[1:], spec.dtype, low, high, spec.name)
  return specs.Array(spec.shape[1:], spec.dtype, spec.name)


def automatic(spec: specs.Array, cell_pixels: int | None) -> str:
  """The torso that fits an observation: `patch` for grids of cells, `resnet` for other images."""
  if cell_pixels:
    return "patch"
  return "resnet" if spec.dtype == np.uint8 and len(spec.shape) == 3 else "mlp"


def resolve(choice: Choice, spec: specs.Array, cell_pixels: int | None) -> Choice:
  """The choice, or the one that fits an observation where it is `auto`."""
  return registry.choice(automatic(spec, cell_pixels)) if choice.name == AUTO else choice
