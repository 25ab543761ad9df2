"""Torsos: from one observation to one latent vector. No torso keeps batch statistics.

Batch statistics would let examples of one batch see each other, which changes what BYOL learns and
breaks acting with batch size one; GroupNorm and weight standardisation take their place
(Richemond et al. 2020, arXiv 2010.10241: 73.9% against 74.3% with batch norm on ImageNet).

A torso maps one leaf of observations [N, ...] to tokens [N, P, D], features at P places, and pools
them into latents [N, size], float32; agents/torsos/pools.py has the ways to pool that every torso
with places shares. agents/torsos/fuse.py joins those of several leaves.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.torsos import pools
from agents.torsos.tokens import placed
from envs.observation import GOAL, VIEW, Cells, Spec, Tokens, one_line, shapes
from envs.registry import Registry

registry = Registry("torso", "agents.torsos")
"""Builders: (own settings, spec, size, name=...) -> Torso."""


def preprocess(spec: Spec, observation: Any) -> Any:
  """Turns an observation batch [N, ...] into float32 features.

  Pixels (uint8) go to [0, 1]; bounded integers are categories and become one-hot along a new last
  axis, merged into the previous one; of text it is counted how often each word occurs; floats pass
  unchanged. Of a dict of leaves, each by itself.
  """
  if isinstance(spec, dict):
    return {name: preprocess(leaf, observation[name]) for name, leaf in spec.items()}
  if isinstance(spec, Tokens):  # 0, which is no word, has no place
    return jax.nn.one_hot(observation - 1, spec.size - 1, dtype=jnp.float32).sum(-2)
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


def preprocessed(spec: Spec) -> Spec:
  """The spec of what `preprocess` makes of one observation; raises what it raises."""
  if isinstance(spec, dict):
    return {name: preprocessed(leaf) for name, leaf in spec.items()}
  made = jax.eval_shape(functools.partial(preprocess, spec), shapes(spec, (1,)))
  if isinstance(spec, Cells):
    return Cells(made.shape[1:], np.float32, -np.inf, np.inf, spec.side, spec.name)
  return specs.Array(made.shape[1:], np.float32, spec.name)


def width(spec: Spec) -> int:
  """How many numbers `preprocess` makes of one observation; raises what it raises."""
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(preprocessed(spec)))


class Torso(hk.Module):
  """The contract; most have `features` alone.

  Attributes:
    settings: the torso's own, of the class that it is registered with; None where it has none.
    spec: of a leaf of observations; of both, of a torso that `reads_goals`.
    size: of the latent.
    reads_goals: whether it reads the two leaves of environments with goals together.
    grid: rows and columns of places, of its last call; None where they are no grid.
    weights: of its last call what its pool weighed tokens with, [N, P]; None without attention.
    has_positions: whether its tokens tell where they lie; where not, a shared pool adds it.
  """

  reads_goals = False
  grid: tuple[int, int] | None = None
  weights: jax.Array | None = None
  has_positions = False

  @classmethod
  def attends(cls, settings: Any) -> bool:
    """Whether a torso with these settings pools by attention."""
    return getattr(settings, "pool", "default") == "attention"

  def __init__(self, settings: Any, spec: Any, size: int, name: str = "torso"):
    super().__init__(name=name)
    self.settings = settings
    self.spec = spec
    self.size = size

  def __call__(
    self, observation: Any, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    """Latents [N, size] of observations [N, *O]."""
    return self.pooled(self.tokens(observation, key, training))

  @property
  def attention(self) -> dict[str, jax.Array]:
    """Of its last call what its pool looked at, where it attends to places of a grid: weights
    [N, h, w] that add up to 1, by the name of the leaf, here ""."""
    if self.weights is None or self.grid is None:
      return {}
    return {"": self.weights.reshape(-1, *self.grid)}

  def tokens(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    """Features at P places, [N, P, D]; one place where they have none.

    Args:
      observation: [N, *O].
      key: for what is random in training, such as stochastic depth; None for none.
      training: whether it is.
    """
    del key, training
    return self.flat(self.features(preprocess(self.spec, observation)))

  @hk.transparent
  def flat(self, features: jax.Array) -> jax.Array:
    """Features [N, ..., D] as tokens [N, P, D]; keeps the grid that they lie in."""
    self.grid = (features.shape[1], features.shape[2]) if features.ndim == 4 else None
    n = len(features)
    return features.reshape(n, -1, features.shape[-1]) if features.ndim > 2 else features[:, None]

  # Transparent, so that layers are named as if they were made in __call__.
  @hk.transparent
  def pooled(self, tokens: jax.Array) -> jax.Array:
    """The latent [N, size] of tokens [N, P, D], by the pool that was chosen; keeps its weights."""
    kind = getattr(self.settings, "pool", "default")
    if kind == "default":
      return self.pool(tokens)
    if self.grid is not None and not self.has_positions:
      tokens = placed(tokens.reshape(len(tokens), *self.grid, -1)).reshape(tokens.shape)
    if kind == "mean":
      return hk.Linear(self.size, name="latent")(pools.mean(tokens))
    return self.by_attention(tokens, pools.Attention())

  @hk.transparent
  def by_attention(self, tokens: jax.Array, pool: pools.Attention) -> jax.Array:
    """The latent [N, size] of tokens [N, P, D], by an attention whose weights are kept."""
    vector, self.weights = pool(tokens)
    return hk.Linear(self.size, name="latent")(vector)

  @hk.transparent
  def pool(self, tokens: jax.Array) -> jax.Array:
    """The latent [N, size] of tokens [N, P, D], where no other pool was chosen."""
    return hk.Linear(self.size, name="latent")(tokens.reshape(len(tokens), -1))

  def features(self, x: jax.Array) -> jax.Array:
    """Features [N, ..., D] of preprocessed observations."""
    raise NotImplementedError

  def require_image(self, x: jax.Array) -> None:
    """Raises ValueError unless features are pictures [N, H, W, C]."""
    if x.ndim != 4:
      raise ValueError(
        f"this torso reads images [H, W, C]; the observation is {self.spec.shape}. Use --torso mlp."
      )


def check_goals(torso: str, spec: Any, size: int) -> None:
  """Raises ValueError unless observations are of a view and a goal, and latents of even size."""
  if not isinstance(spec, dict) or set(spec) != {VIEW, GOAL} or size % 2:
    raise ValueError(
      f"the {torso} torso reads a {VIEW!r} and a {GOAL!r}, which environments with goals show, into"
      f" latents of even size; the observation is {one_line(spec)}, the latent {size}."
    )


def automatic(spec: specs.Array) -> str:
  """The torso that fits a leaf: `patch` for grids of cells, `resnet` for other images, `words` for
  text."""
  if isinstance(spec, Cells | Tokens):
    return "patch" if isinstance(spec, Cells) else "words"
  return "resnet" if spec.dtype == np.uint8 and len(spec.shape) == 3 else "mlp"
