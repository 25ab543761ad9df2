"""Projectors and predictors of auxiliary losses, and the moving averages of them.

None keeps batch statistics: a batch's examples would see one another. Where a loss wants more than
a plain network, group normalisation and weight standardisation stand in for them (Richemond et al.
2020, arXiv 2010.10241).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from agents.auxiliaries.auxiliary import AuxiliaryConfig, check_at_least
from agents.heads import heads
from agents.heads.heads import Heads
from agents.precision import Compute, product
from agents.torsos.resnet_ws import standardised


@dataclasses.dataclass(frozen=True)
class ProjectorConfig(AuxiliaryConfig):
  """A projector."""

  projector_hidden: int = 128
  """Units of the projector's hidden layer (ours; SimCLR, arXiv 2002.05709: 2048)."""
  projector_size: int = 64
  """D, size of what it projects to (ours; SimCLR: 128)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 1, "projector_hidden", "projector_size")


class StandardisedLinear(hk.Module):
  """A linear layer with standardised weights, as agents/torsos/resnet_ws.py has of convolutions."""

  def __init__(self, size: int, name: str | None = None):
    super().__init__(name=name)
    self.size = size

  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (x.shape[-1], self.size)
    w = hk.get_parameter("w", shape, init=hk.initializers.VarianceScaling())
    gain = hk.get_parameter("gain", (self.size,), init=jnp.ones)
    bias = hk.get_parameter("bias", (self.size,), init=jnp.zeros)
    return product(x, standardised(w) * gain) + bias


class GroupNorm(hk.Module):
  """Rows [..., D] less the mean of each group of entries, over its deviation; scale and offset."""

  def __init__(self, groups: int, name: str | None = None):
    super().__init__(name=name)
    self.groups = groups

  def __call__(self, x: jax.Array) -> jax.Array:
    size = x.shape[-1]
    # As many of one size as there may be, of two entries at least: one less its mean is 0.
    most = min(self.groups, max(size // 2, 1))
    groups = max(count for count in range(1, most + 1) if size % count == 0)
    parts = x.reshape(*x.shape[:-1], groups, -1)
    mean, var = jnp.mean(parts, -1, keepdims=True), jnp.var(parts, -1, keepdims=True)
    x = ((parts - mean) * jax.lax.rsqrt(var + 1e-5)).reshape(x.shape)
    scale = hk.get_parameter("scale", (size,), init=jnp.ones)
    return x * scale + hk.get_parameter("offset", (size,), init=jnp.zeros)


def mlp(hidden: int, size: int, groups: int, x: jax.Array) -> jax.Array:
  """A Haiku module: rows [..., N] -> [..., D], by one hidden layer with ReLU.

  Args:
    hidden: units of it.
    size: D.
    groups: of its normalisation, with standardised weights; 0 for neither.
    x: rows.
  """
  if groups:
    x = GroupNorm(groups, name="norm")(StandardisedLinear(hidden, name="hidden")(x))
  else:
    x = hk.Linear(hidden, name="hidden")(x)
  return hk.Linear(size, name="out")(jax.nn.relu(x))


def build(hidden: int, size: int, compute: Compute, groups: int = 0) -> Heads:
  """A projector or a predictor; see `mlp`."""

  def module() -> Callable[[jax.Array], jax.Array]:
    return lambda x: mlp(hidden, size, groups, x)

  return heads.build(module, compute)


def projector(settings: ProjectorConfig, compute: Compute, groups: int = 0) -> Heads:
  """The projector of a method's settings."""
  return build(settings.projector_hidden, settings.projector_size, compute, groups)


def moved(average: Any, online: Any, decay: float | jax.Array) -> Any:
  """decay * average + (1 - decay) * online."""
  return optax.incremental_update(online, average, 1.0 - decay)


def cosine_decay(start: float, share: jax.Array) -> jax.Array:
  """BYOL's decay after this share of the run, from `start` to 1 (arXiv 2006.07733, section 3.2)."""
  return 1.0 - (1.0 - start) * (jnp.cos(jnp.pi * share) + 1.0) / 2.0
