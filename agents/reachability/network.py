"""The reachability network: can one state be reached from another within a few steps?

  r(a, b) = c([f(a), f(b)]),   P(b follows a by 0 to w steps | a, b a training pair) = sigmoid(r)
with an encoder f and a comparator c that reads its two arguments in their order, so r(a, b) may
say yes where r(b, a) says no: what falls does not climb.
Source: Mezghani et al. 2023, GO-FRESH (arXiv 2301.02099), and its code; Mezghani et al. 2022, Walk
the Random Walk (arXiv 2206.11733). Ours: no normalisation where theirs takes a batch's
statistics, which would make a logit depend on what else is asked (layer normalisation was no
better in four rooms, and worse with coordinates far from 0), and decoupled weight decay.

A logit is relative to the mix of pairs that trained it (agents/reachability/pairs.py). With half of
them negative, 0 says that a pair is as likely among the positives as among the negatives, not that
the way is taken every other time; calibration, too, holds for that mix alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

Metrics = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class ReachabilityConfig:
  """The reachability network and its pairs. Sources name GO-FRESH, arXiv 2301.02099."""

  reach_features: int = 16
  """F, outputs of the encoder, and units of the comparator's hidden layers (16)."""
  reach_hidden: int = 64
  """Units of the encoder's hidden layers (64)."""
  reach_layers: int = 3
  """Layers of the encoder, its last included (3)."""
  reach_comparator_layers: int = 2
  """Layers of the comparator, its last included (2)."""
  reach_window: int = 5
  """w, steps within which a later state counts as reachable (5 in mazes, 10 for a pusher, 2 for a
  walker)."""
  reach_learning_rate: float = 1e-3
  """Adam's step size (1e-3)."""
  reach_weight_decay: float = 1e-5
  """Decoupled weight decay, times the step size (1e-5, there as a penalty in the loss)."""
  reach_negative_share: float = 0.5
  """Share of the pairs that are negative (.5)."""
  reach_same_share: float = 0.5
  """Share of the negatives whose states are of one episode, outside the window (.5)."""

  def __post_init__(self) -> None:
    lowest = {
      "reach_features": 1,
      "reach_hidden": 1,
      "reach_layers": 1,
      "reach_comparator_layers": 2,
      "reach_window": 0,
    }
    for name, low in lowest.items():
      if getattr(self, name) < low:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {low}.")
    for name in ("reach_negative_share", "reach_same_share"):
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")
    if not self.reach_learning_rate > 0.0:
      raise ValueError(f"reach_learning_rate is {self.reach_learning_rate}; it must be above 0.")
    if self.reach_weight_decay < 0.0:
      raise ValueError(f"reach_weight_decay is {self.reach_weight_decay}; it must not be negative.")


class Reachability(NamedTuple):
  """Pure functions of the network's parameters.

  Attributes:
    init: key -> params.
    features: (params, x [..., N]) -> f(x), float32 [..., F].
    logits: (params, source [..., F], target [..., F]) -> r, float32 [...], of a way from source to
      target; both are features, and their leading axes broadcast.
    all_logits: (params, sources [S, F], targets [M, F]) -> float32 [S, M], of all pairs; the first
      layer of the comparator costs S + M, not S M.
  """

  init: Callable[[jax.Array], Any]
  features: Callable[[Any, jax.Array], jax.Array]
  logits: Callable[[Any, jax.Array, jax.Array], jax.Array]
  all_logits: Callable[[Any, jax.Array, jax.Array], jax.Array]


def build(config: ReachabilityConfig, size: int) -> Reachability:
  """The network that reads vectors [N] of `size` N: latents of a world model, or what is seen."""
  width = config.reach_features

  def module() -> Any:
    sizes = [*[config.reach_hidden] * (config.reach_layers - 1), width]
    encoder = hk.nets.MLP(sizes, activation=jnp.tanh, name="encoder")
    # One layer over both, written as the sum of its halves, so that each is computed once for each
    # state and not for each pair. Its fan-in is 2 F.
    half = hk.initializers.VarianceScaling(0.5)
    from_source = hk.Linear(width, w_init=half, name="from_source")
    from_target = hk.Linear(width, with_bias=False, w_init=half, name="from_target")
    rest = hk.nets.MLP([*[width] * (config.reach_comparator_layers - 2), 1], name="comparator")

    def logits(source: jax.Array, target: jax.Array) -> jax.Array:
      return rest(jax.nn.relu(from_source(source) + from_target(target)))[..., 0]

    def init(x: jax.Array) -> None:
      logits(encoder(x), encoder(x))

    return init, (encoder, logits)

  network = hk.without_apply_rng(hk.multi_transform(module))
  features, logits = network.apply

  def init(key: jax.Array) -> Any:
    return network.init(key, jnp.zeros((1, size)))

  def all_logits(params: Any, sources: jax.Array, targets: jax.Array) -> jax.Array:
    return logits(params, sources[:, None], targets[None])

  return Reachability(init, features, logits, all_logits)


def optimiser(config: ReachabilityConfig) -> optax.GradientTransformation:
  """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101)."""
  return optax.adamw(config.reach_learning_rate, weight_decay=config.reach_weight_decay)


def loss(logits: jax.Array, labels: jax.Array, weights: jax.Array) -> tuple[jax.Array, Metrics]:
  """Binary cross entropy, nats a pair.

  Labels say what one walk did: a positive is certain, but a negative may be a way that was not
  taken, or a place that was left and met again. So the loss does not go to 0, and the logit of a
  way that is seldom taken is low.

  Args:
    logits: float32 [P].
    labels: bool [P], whether the target followed within the window.
    weights: float32 [P], 0 for what is no pair.

  Returns:
    The weighted mean, and scalars: `reach_loss`; `reach_accuracy`, the share of pairs on the right
    side of 0; `reach_found`, that of the positives; `reach_false`, the share of the negatives above
    0, from which teleports come.
  """

  def mean(values: jax.Array, weights: jax.Array) -> jax.Array:
    return jnp.sum(values * weights) / jnp.maximum(jnp.sum(weights), 1e-8)

  entropy = optax.sigmoid_binary_cross_entropy(logits, labels.astype(jnp.float32))
  value, near = mean(entropy, weights), logits > 0.0
  metrics = {
    "reach_loss": value,
    "reach_accuracy": mean(near == labels, weights),
    "reach_found": mean(near, weights * labels),
    "reach_false": mean(near, weights * ~labels),
  }
  return value, metrics


LOG_TEMPERATURES = (-4.0, 4.0)
"""Bounds of log T: logits that are never wrong would have it go to minus infinity."""


def fit_temperature(
  logits: jax.Array, labels: jax.Array, weights: jax.Array | float = 1.0
) -> jax.Array:
  """The T that makes sigmoid(logit / T) most likely: temperature scaling.

  By bisection, as the slope of the likelihood by 1 / T is monotone. Fit it on pairs that did not
  train the network; it holds for their mix.
  Source: Guo et al. 2017 (arXiv 1706.04599), section 4.2.

  Args:
    logits: float32 [P].
    labels: bool [P].
    weights: float32 [P], 0 for what is no pair.

  Returns:
    T, float32, within exp of `LOG_TEMPERATURES`.
  """

  def halve(bounds: tuple[jax.Array, jax.Array], _: None) -> tuple[Any, None]:
    low, high = bounds
    middle = 0.5 * (low + high)
    error = jax.nn.sigmoid(logits * jnp.exp(-middle)) - labels
    warmer = jnp.sum(weights * logits * error) > 0.0
    return (jnp.where(warmer, middle, low), jnp.where(warmer, high, middle)), None

  low, high = (jnp.float32(x) for x in LOG_TEMPERATURES)
  (low, high), _ = jax.lax.scan(halve, (low, high), None, length=24)
  return jnp.exp(0.5 * (low + high))


def calibration_error(
  probabilities: jax.Array, labels: jax.Array, bins: int = 15, weights: jax.Array | float = 1.0
) -> jax.Array:
  """Expected calibration error: how far probabilities lie from frequencies, on average.

  Source: Guo et al. 2017 (arXiv 1706.04599), equation 3, of the probability of the positive class.

  Args:
    probabilities: float32 [P], that a pair is positive.
    labels: bool [P].
    bins: of equal width, into which the probabilities are sorted.
    weights: float32 [P], 0 for what is no pair.

  Returns:
    float32 in [0, 1].
  """
  weights = jnp.broadcast_to(jnp.asarray(weights, jnp.float32), probabilities.shape)
  place = jnp.clip((probabilities * bins).astype(jnp.int32), 0, bins - 1)
  excess = jax.ops.segment_sum(weights * (probabilities - labels), place, bins)
  return jnp.sum(jnp.abs(excess)) / jnp.maximum(jnp.sum(weights), 1e-8)
