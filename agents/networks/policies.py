"""What the kind of action decides: the policy's distribution, and how networks read an action.

Discrete actions have a categorical policy. Continuous actions have a diagonal Gaussian over actions
scaled to [-1, 1], in the convention of MPO (Abdolmaleki et al. 2018, arXiv 1806.06920; Acme's): the
Gaussian is not squashed; a sample is clipped to [-1, 1] and scaled to the bounds for the
environment, and what is stored and learned from is the sample before that, so that its log
probability is the Gaussian's own. Soft actor-critic squashes its Gaussian instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs


class Policy(NamedTuple):
  """A family of distributions over actions, of parameters `p` [..., size] put out by a head.

  Attributes:
    size: how many parameters a distribution has.
    no_action: batch -> [batch, *A], what stands for an action where none was taken.
    sample: (key, p) -> sample [...] of discrete, [..., D] of continuous actions.
    mode: p -> the likeliest sample.
    action: sample -> what the environment is given, int32 [...] or float32 [..., *A].
    features: action [..., *A] -> float32 [..., F], how networks read it: one-hot, or in [-1, 1].
    log_prob: (p, sample) -> [...].
    entropy: p -> [...], nats.
    kl: (p, q) -> the parts of KL(p || q) by name, [...] each, nats; see `gaussian`.
  """

  size: int
  no_action: Callable[[int], jax.Array]
  sample: Callable[[jax.Array, jax.Array], jax.Array]
  mode: Callable[[jax.Array], jax.Array]
  action: Callable[[jax.Array], jax.Array]
  features: Callable[[jax.Array], jax.Array]
  log_prob: Callable[[jax.Array, jax.Array], jax.Array]
  entropy: Callable[[jax.Array], jax.Array]
  kl: Callable[[jax.Array, jax.Array], dict[str, jax.Array]]


def build(spec: specs.Array) -> Policy:
  """The policy that fits the actions of `spec`.

  Raises:
    ValueError: unless they are a DiscreteArray or a BoundedArray of floats with finite bounds.
  """
  if isinstance(spec, specs.DiscreteArray):
    return categorical(spec)
  if isinstance(spec, specs.BoundedArray) and np.issubdtype(spec.dtype, np.floating):
    return gaussian(spec)
  raise ValueError(f"actions {spec!r}: expected a DiscreteArray or a BoundedArray of floats.")


def categorical(spec: specs.DiscreteArray) -> Policy:
  """A categorical distribution; its parameters are logits, and its samples the actions."""
  count = int(np.asarray(spec.num_values))

  def log_prob(p: jax.Array, sample: jax.Array) -> jax.Array:
    return jnp.take_along_axis(jax.nn.log_softmax(p), sample[..., None], axis=-1)[..., 0]

  def entropy(p: jax.Array) -> jax.Array:
    log_p = jax.nn.log_softmax(p)
    return -jnp.sum(jnp.exp(log_p) * log_p, axis=-1)

  def kl(p: jax.Array, q: jax.Array) -> dict[str, jax.Array]:
    log_p, log_q = jax.nn.log_softmax(p), jax.nn.log_softmax(q)
    return {"kl": jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)}

  return Policy(
    size=count,
    no_action=lambda batch: jnp.zeros((batch,), jnp.int32),
    sample=lambda key, p: jax.random.categorical(key, p).astype(jnp.int32),
    mode=lambda p: jnp.argmax(p, axis=-1).astype(jnp.int32),
    action=lambda sample: sample,
    features=lambda action: jax.nn.one_hot(action, count, dtype=jnp.float32),
    log_prob=log_prob,
    entropy=entropy,
    kl=kl,
  )


INITIAL_SCALE = 0.5
"""Standard deviation of a fresh head's policy, where 1 is half the range of an action."""
SQUASHED_INITIAL_SCALE = 1.0
"""The same before tanh; actions of mean 0 are then nearly uniform."""
MIN_SCALE = 1e-3
"""The least standard deviation."""


def _mean_and_scale(p: jax.Array, initial_scale: float) -> tuple[jax.Array, jax.Array]:
  """Means and standard deviations, [..., D] each, of a Gaussian's parameters [..., 2D]."""
  mean, raw = jnp.split(p, 2, axis=-1)
  return mean, initial_scale * jax.nn.softplus(raw) / np.log(2.0) + MIN_SCALE


def gaussian(spec: specs.BoundedArray, initial_scale: float = INITIAL_SCALE) -> Policy:
  """A diagonal Gaussian; its parameters are D means and D numbers for the standard deviations.

  KL(p || q) comes in two parts, each of which an objective may bound (V-MPO, arXiv 1909.12238,
  section 5): `kl_mean`, in which both have p's covariance, and `kl_covariance`, in which both have
  p's mean.
  """
  low, high = (
    np.broadcast_to(x, spec.shape).astype(np.float32) for x in (spec.minimum, spec.maximum)
  )
  if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
    raise ValueError(f"actions {spec!r}: expected finite bounds, each maximum above its minimum.")
  dimensions = low.size

  def split(p: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _mean_and_scale(p, initial_scale)

  def sample(key: jax.Array, p: jax.Array) -> jax.Array:
    mean, scale = split(p)
    return mean + scale * jax.random.normal(key, mean.shape, jnp.float32)

  def action(sample: jax.Array) -> jax.Array:
    unit = jnp.clip(sample, -1.0, 1.0).reshape(*sample.shape[:-1], *spec.shape)
    # Clipped again, as the scaling may round past a bound.
    return jnp.clip(low + 0.5 * (unit + 1.0) * (high - low), low, high)

  def features(action: jax.Array) -> jax.Array:
    unit = 2.0 * (action - low) / (high - low) - 1.0
    return unit.reshape(*action.shape[: action.ndim - low.ndim], dimensions)

  def log_prob(p: jax.Array, sample: jax.Array) -> jax.Array:
    return jnp.sum(jax.scipy.stats.norm.logpdf(sample, *split(p)), axis=-1)

  def entropy(p: jax.Array) -> jax.Array:
    return jnp.sum(jnp.log(split(p)[1]) + 0.5 * np.log(2.0 * np.pi * np.e), axis=-1)

  def kl(p: jax.Array, q: jax.Array) -> dict[str, jax.Array]:
    (mean_p, scale_p), (mean_q, scale_q) = split(p), split(q)
    ratio = jnp.square(scale_p / scale_q)
    return {
      "kl_mean": 0.5 * jnp.sum(jnp.square((mean_q - mean_p) / scale_p), axis=-1),
      "kl_covariance": 0.5 * jnp.sum(ratio - 1.0 - jnp.log(ratio), axis=-1),
    }

  return Policy(
    size=2 * dimensions,
    no_action=lambda batch: jnp.zeros((batch, *spec.shape), jnp.float32),
    sample=sample,
    mode=lambda p: split(p)[0],
    action=action,
    features=features,
    log_prob=log_prob,
    entropy=entropy,
    kl=kl,
  )


def squashed_gaussian(spec: specs.BoundedArray) -> Policy:
  """The hyperbolic tangent of a diagonal Gaussian, scaled to the bounds.

  A sample is the value before tanh: from a rounded action it could not be had back. Its log
  probability is the density of the action on the scale [-1, 1]. The entropy, of the same, is by
  quadrature: 2e-5 nats off at a standard deviation of 1, 3e-3 at 2, .1 at 5. KL is that of the
  Gaussians, as tanh loses nothing.
  Source: Haarnoja et al. 2018 (arXiv 1812.05905), appendix C.
  """
  base = gaussian(spec, SQUASHED_INITIAL_SCALE)
  nodes, weights = (x.astype(np.float32) for x in np.polynomial.hermite_e.hermegauss(16))
  weights /= weights.sum()

  def log_slope(sample: jax.Array) -> jax.Array:
    # log(1 - tanh^2), which is -inf where tanh rounds to 1, in a form without that difference.
    return 2.0 * (np.log(2.0) - sample - jax.nn.softplus(-2.0 * sample))

  def log_prob(p: jax.Array, sample: jax.Array) -> jax.Array:
    return base.log_prob(p, sample) - jnp.sum(log_slope(sample), axis=-1)

  def entropy(p: jax.Array) -> jax.Array:
    mean, scale = _mean_and_scale(p, SQUASHED_INITIAL_SCALE)
    slopes = log_slope(mean[..., None] + scale[..., None] * nodes) @ weights
    return base.entropy(p) + jnp.sum(slopes, axis=-1)

  return base._replace(
    action=lambda sample: base.action(jnp.tanh(sample)), log_prob=log_prob, entropy=entropy
  )
