"""What the kind of action decides: the policy's distribution, and how networks read an action.

Discrete actions have a categorical policy, and factored ones an independent categorical for each
entry. Continuous actions have a diagonal Gaussian over actions scaled to [-1, 1], in the convention
of MPO (Abdolmaleki et al. 2018, arXiv 1806.06920; Acme's): the Gaussian is not squashed; a sample
is scaled to the bounds and clipped there for the environment, and what is stored and learned from
is the sample before that, so that its log probability is the Gaussian's own. Soft actor-critic
squashes its Gaussian instead. Entries of an action without bounds are neither scaled nor clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs import action_specs
from envs.random_action import random_action


class Policy(NamedTuple):
  """A family of distributions over actions, of parameters `p` [..., size] put out by a head.

  Attributes:
    size: how many parameters a distribution has.
    no_action: batch -> [batch, *A], what stands for an action where none was taken.
    sample: (key, p) -> sample [...] of discrete, [..., D] of other actions.
    mode: p -> the likeliest sample.
    action: sample -> what the environment is given, int32 or float32 [..., *A].
    features: action [..., *A] -> float32 [..., F], how networks read it: one-hot, of each entry one
      after another; or in [-1, 1], but as large as they are where actions have no bounds.
    error: (prediction of the features [..., F], action [..., *A]) -> [...], how wrong it is: the
      cross entropy of logits, summed over the entries; of floats, the squared distance.
    log_prob: (p, sample) -> [...].
    entropy: p -> [...], nats.
    kl: (p, q) -> the parts of KL(p || q) by name, [...] each, nats; see `gaussian`.
    mask: (p, legal bool [..., size]) -> p, in which what is not allowed is `IMPOSSIBLE`; where none
      of the values of an entry is allowed, as may be at the end of an episode, all are. None of
      continuous actions. A gradient goes to what is allowed alone, and is finite.
    moments: p -> means and standard deviations of the samples, [..., D] each, of continuous
      actions (before tanh of squashed ones); None of others.
    from_moments: (means, standard deviations) -> p, the reverse.
  """

  size: int
  no_action: Callable[[int], jax.Array]
  sample: Callable[[jax.Array, jax.Array], jax.Array]
  mode: Callable[[jax.Array], jax.Array]
  action: Callable[[jax.Array], jax.Array]
  features: Callable[[jax.Array], jax.Array]
  error: Callable[[jax.Array, jax.Array], jax.Array]
  log_prob: Callable[[jax.Array, jax.Array], jax.Array]
  entropy: Callable[[jax.Array], jax.Array]
  kl: Callable[[jax.Array, jax.Array], dict[str, jax.Array]]
  mask: Callable[[jax.Array, jax.Array], jax.Array] | None = None
  moments: Callable[[jax.Array], tuple[jax.Array, jax.Array]] | None = None
  from_moments: Callable[[jax.Array, jax.Array], jax.Array] | None = None


def build(spec: specs.Array) -> Policy:
  """The policy that fits the actions of `spec`.

  Raises:
    ValueError: if they are of none of the kinds of `envs.action_specs`.
  """
  kind = action_specs.kind(spec)
  if kind == "discrete":
    return categorical(int(action_specs.bounds(spec)[1]) + 1)
  return factored(spec) if kind == "factored" else gaussian(spec)


IMPOSSIBLE = -1e15
"""The logit, or the value, of what cannot be chosen. It is finite, so that 0 times it, or times its
square, is 0 (ours); it is chosen with a probability that is 0 in float32."""


def masked(values: jax.Array, legal: jax.Array) -> jax.Array:
  """Logits or values [..., A], `IMPOSSIBLE` where not `legal`; themselves where none is."""
  return jnp.where(legal | ~jnp.any(legal, axis=-1, keepdims=True), values, IMPOSSIBLE)


def possible(values: jax.Array) -> jax.Array:
  """Which of values that were `masked` are allowed, bool [..., A]."""
  return values > 0.5 * IMPOSSIBLE


def categorical(count: int) -> Policy:
  """A categorical distribution of `count` actions; its parameters are logits, its samples they."""

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
    error=lambda predicted, action: -log_prob(predicted, action),
    log_prob=log_prob,
    entropy=entropy,
    kl=kl,
    mask=masked,
  )


def factored(spec: specs.Array) -> Policy:
  """An independent categorical distribution for each of D integers.

  Its parameters are the logits of one entry after another; a sample is int32 [..., D]. Log
  probability, entropy and KL are the sums over the entries, which are those of the joint.
  Source: one branch of outputs for each entry is Tavakoli et al. 2018 (arXiv 1711.08946), there of
  action values; as a policy it is Stable-Baselines3's `MultiCategoricalDistribution`.
  """
  counts = action_specs.counts(spec).reshape(-1)
  one = categorical(int(counts.max()))
  # Entries of unlike counts are one array [D, N] of logits, of which some do not exist.
  exists = np.arange(one.size) < counts[:, None]
  place = np.where(exists, np.cumsum(exists).reshape(exists.shape) - 1, 0)

  def logits(p: jax.Array) -> jax.Array:
    return jnp.where(exists, p[..., place], IMPOSSIBLE)

  def flat(action: jax.Array) -> jax.Array:
    return action.reshape(*action.shape[: action.ndim - len(spec.shape)], len(counts))

  def log_prob(p: jax.Array, sample: jax.Array) -> jax.Array:
    return jnp.sum(one.log_prob(logits(p), sample), axis=-1)

  def kl(p: jax.Array, q: jax.Array) -> dict[str, jax.Array]:
    parts = one.kl(logits(p), logits(q))
    return {name: jnp.sum(part, axis=-1) for name, part in parts.items()}

  def mask(p: jax.Array, legal: jax.Array) -> jax.Array:
    some = jnp.any(exists & legal[..., place], axis=-1)
    return jnp.where(legal | ~some[..., np.nonzero(exists)[0]], p, IMPOSSIBLE)

  return Policy(
    size=int(counts.sum()),
    no_action=lambda batch: jnp.zeros((batch, *spec.shape), jnp.int32),
    sample=lambda key, p: one.sample(key, logits(p)),
    mode=lambda p: one.mode(logits(p)),
    action=lambda sample: sample.reshape(*sample.shape[:-1], *spec.shape),
    features=lambda action: one.features(flat(action))[..., exists],
    error=lambda predicted, action: -log_prob(predicted, flat(action)),
    log_prob=log_prob,
    entropy=lambda p: jnp.sum(one.entropy(logits(p)), axis=-1),
    kl=kl,
    mask=mask,
  )


INITIAL_SCALE = 0.5
"""Standard deviation of a fresh head's policy, where 1 is half the range of an action."""
UNBOUNDED_INITIAL_SCALE = 1.0
"""The same of an entry without two bounds, in the action's own units."""
SQUASHED_INITIAL_SCALE = 1.0
"""The same before tanh; actions of mean 0 are then nearly uniform."""
MIN_SCALE = 1e-3
"""The least standard deviation."""
NORMAL = 0.5 * float(np.log(2.0 * np.pi * np.e))
"""Entropy of a standard normal, nats."""


def _mean_and_scale(p: jax.Array, initial_scale: Any) -> tuple[jax.Array, jax.Array]:
  """Means and standard deviations, [..., D] each, of a Gaussian's parameters [..., 2D]."""
  mean, raw = jnp.split(p, 2, axis=-1)
  return mean, initial_scale * jax.nn.softplus(raw) / np.log(2.0) + MIN_SCALE


def gaussian(spec: specs.Array, initial_scale: float = INITIAL_SCALE) -> Policy:
  """A diagonal Gaussian; its parameters are D means and D numbers for the standard deviations.

  An entry with two bounds is scaled so that they are -1 and 1, and clipped there. One without any
  is the sample itself, never clipped: nothing says how large an action is large, so its features
  are as large as the environment's own unit makes them. One with a single bound is counted from one
  unit within it, which is where a fresh policy aims, and clipped at the bound alone.

  KL(p || q) comes in two parts, each of which an objective may bound (V-MPO, arXiv 1909.12238,
  section 5): `kl_mean`, in which both have p's covariance, and `kl_covariance`, in which both have
  p's mean.
  """
  low, high = action_specs.bounds(spec)
  above, below = np.isfinite(low), np.isfinite(high)
  bounded = above & below
  # In float64 and with 0 for infinity, so that what is not chosen below is finite too.
  least, most = np.where(above, low, np.float64(0.0)), np.where(below, high, np.float64(0.0))
  unit = np.where(bounded, 0.5 * (most - least), 1.0).astype(np.float32)
  centre = np.select(
    [bounded, above, below], [0.5 * (least + most), least + 1.0, most - 1.0], 0.0
  ).astype(np.float32)
  dimensions = low.size
  scales = np.where(bounded, initial_scale, UNBOUNDED_INITIAL_SCALE).astype(np.float32).reshape(-1)

  def split(p: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _mean_and_scale(p, scales)

  def joined(mean: jax.Array, scale: jax.Array) -> jax.Array:
    # softplus, reversed in a form that no large scale overflows.
    x = jnp.maximum(scale - MIN_SCALE, 1e-6) * np.log(2.0) / scales
    return jnp.concatenate([mean, x + jnp.log(-jnp.expm1(-x))], axis=-1)

  def sample(key: jax.Array, p: jax.Array) -> jax.Array:
    mean, scale = split(p)
    return mean + scale * jax.random.normal(key, mean.shape, jnp.float32)

  def action(sample: jax.Array) -> jax.Array:
    shaped = sample.reshape(*sample.shape[:-1], *spec.shape)
    return jnp.clip(centre + unit * shaped, low, high)

  def features(action: jax.Array) -> jax.Array:
    scaled = (action - centre) / unit
    return scaled.reshape(*action.shape[: action.ndim - low.ndim], dimensions)

  def log_prob(p: jax.Array, sample: jax.Array) -> jax.Array:
    return jnp.sum(jax.scipy.stats.norm.logpdf(sample, *split(p)), axis=-1)

  def entropy(p: jax.Array) -> jax.Array:
    return jnp.sum(jnp.log(split(p)[1]) + NORMAL, axis=-1)

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
    error=lambda predicted, action: jnp.sum(jnp.square(predicted - features(action)), axis=-1),
    log_prob=log_prob,
    entropy=entropy,
    kl=kl,
    moments=split,
    from_moments=joined,
  )


def uniform(spec: specs.Array) -> Policy:
  """Random play, `envs.random_action`, whatever the parameters; masks are obeyed.

  Discrete actions are the categorical policy of equal logits, so parameters must be 0 where no mask
  has changed them. A sample of continuous ones is the action itself.
  """
  base = build(spec)
  if action_specs.kind(spec) != "continuous":
    return base
  low, high = (x.astype(np.float64).reshape(-1) for x in action_specs.bounds(spec))
  above, below = np.isfinite(low), np.isfinite(high)
  kinds = [above & below, above, below]
  width = np.where(kinds[0], high - low, 1.0)
  least, most = np.where(above, low, 0.0), np.where(below, high, 0.0)

  def sample(key: jax.Array, p: jax.Array) -> jax.Array:
    drawn = random_action(spec, key, p.shape[:-1])
    return drawn.reshape(*p.shape[:-1], -1).astype(jnp.float32)

  def log_prob(p: jax.Array, sample: jax.Array) -> jax.Array:
    del p
    normal = jax.scipy.stats.norm.logpdf(sample)
    return jnp.sum(
      jnp.select(kinds, [-np.log(width), least - sample, sample - most], normal), axis=-1
    )

  def entropy(p: jax.Array) -> jax.Array:
    each = np.select(kinds, [np.log(width), np.ones_like(width), np.ones_like(width)], NORMAL)
    return jnp.full(p.shape[:-1], each.sum(), jnp.float32)

  return base._replace(
    sample=sample,
    mode=lambda p: base.action(base.mode(jnp.zeros_like(p))).reshape(*p.shape[:-1], -1),
    action=lambda sample: sample.reshape(*sample.shape[:-1], *spec.shape),
    log_prob=log_prob,
    entropy=entropy,
    kl=lambda p, q: {"kl": jnp.zeros(p.shape[:-1])},
  )


def squashed_gaussian(spec: specs.Array) -> Policy:
  """The hyperbolic tangent of a diagonal Gaussian, scaled to the bounds.

  A sample is the value before tanh: from a rounded action it could not be had back. Its log
  probability is the density of the action on the scale [-1, 1]. The entropy, of the same, is by
  quadrature: 2e-5 nats off at a standard deviation of 1, 3e-3 at 2, .1 at 5. KL is that of the
  Gaussians, as tanh loses nothing.
  Source: Haarnoja et al. 2018 (arXiv 1812.05905), appendix C.

  Raises:
    ValueError: one line, for actions without bounds.
  """
  if not np.isfinite(action_specs.bounds(spec)).all():
    raise ValueError(
      f"actions {action_specs.one_line(spec)}: a squashed policy needs finite bounds: take"
      " --objective vmpo, ppo or vtrace, or give them by gymnasium.wrappers.TransformAction and a"
      " bounded Box (RescaleAction cannot, and ClipAction takes them away)."
    )
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
