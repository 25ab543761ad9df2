"""BYOL-Hindsight: BYOL-Explore that is told in hindsight what nobody could have foreseen.

Formula: a generator draws z_{p,q} ~ p(. | b_{p,q}, w_{p+q}, noise) from the outcome w itself, and a
reconstructor forecasts with it; a critic tells whose z it was.
  reconstruction  R(p, q) = ||n(r(b_{p,q}, z_{p,q})) - n(w_{p+q})||^2
  invariance      V(p, q) = log exp c(b, z) / mean over the z' of the batch of exp c(b, z')
V is InfoNCE's estimate of the information that z has about the belief and the actions: minimised by
the generator, maximised by the critic, it leaves in z what is random. Without it z would tell the
whole outcome. The error R + weight V is read as BYOL-Explore's is: l_t is its mean over
p + q = t + 1, and paid is max((l_t - mu) / sigma, 0) with running mu and sigma.
Source: Jarrett et al. 2022 (arXiv 2211.10515), section 3; networks, their inputs and the weights
recalled. The belief b_{p,q} of the open loop, which has read the action, stands for the paper's
(b_{p,q-1}, a_{p+q-1}); the critic is an inner product of two networks, which compares a whole batch
in one matrix product, and compares the environments at the same (p, q), as far as they are valid;
the forecasts of one outcome share their noise.
In the paper R takes the place of the world model's own loss; here that loss stays, and no gradient
of R or V reaches the world model.
Good at: noise that an action calls, on which BYOL-Explore stalls.
Bad at: small batches (V is at most the logarithm of their size, and with one environment nothing
keeps z from telling all: then nothing is paid); it is adversarial, so slow to settle.
Cost: the world model's loss, and several times its predictor's work for the four networks.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.trajectory import Trajectory
from agents.world_model import table
from agents.world_model.forecasts import Forecasts

HIDDEN = 64
"""Units of each network's hidden layer (the paper's are larger, recalled)."""


@dataclasses.dataclass(frozen=True)
class BYOLHindsightConfig:
  """BYOL-Hindsight, arXiv 2211.10515."""

  size: int = 32
  """Size of z, and of the noise that it is drawn with (256, recalled)."""
  invariance: float = 1.0
  """Weight of the invariance error beside the reconstruction error (1, recalled)."""


class Networks(NamedTuple):
  """Haiku functions over one set of parameters.

  Attributes:
    outcome: (target, noise) -> the generator's first layer's share of them.
    generate: (belief, outcome) -> z.
    reconstruct: (belief, z) -> target.
    read_belief, read_z: the critic's two networks.
  """

  outcome: Any
  generate: Any
  reconstruct: Any
  read_belief: Any
  read_z: Any


def invariance(beliefs: jax.Array, z: jax.Array, valid: jax.Array) -> jax.Array:
  """InfoNCE's estimate, entry by entry, of the information that z has about the belief.

  Args:
    beliefs: [..., B, D], what the critic makes of the beliefs.
    z: [..., B, D], what it makes of the z.
    valid: bool [..., B].

  Returns:
    [..., B], the log of exp(c_ii) over the mean of exp(c_ij) over all valid j; 0 where not valid.
  """
  scores = jnp.einsum("...id,...jd->...ij", beliefs, z) / jnp.sqrt(jnp.float32(z.shape[-1]))
  own = jnp.diagonal(scores, axis1=-2, axis2=-1)
  # Finite rather than -inf, for the gradients where nothing is valid.
  others = jax.nn.logsumexp(jnp.where(valid[..., None, :], scores, -1e9), axis=-1)
  count = jnp.maximum(jnp.sum(valid, axis=-1, keepdims=True), 1)
  return jnp.where(valid, own - others + jnp.log(count), 0.0)


def _modules(size: int, latent_size: int) -> tuple[Callable[..., None], Networks]:
  """The networks, and what runs each of them once, for Haiku."""

  def two(name: str, project: Callable[..., jax.Array], output: int) -> Callable[..., jax.Array]:
    """A hidden layer that reads a belief and something else, which `project` takes to it."""
    belief_layer = hk.Linear(HIDDEN, name=f"{name}_belief")
    last = hk.Linear(output, name=name)
    return lambda belief, other: last(jax.nn.relu(belief_layer(belief) + project(other)))

  outcome = hk.Linear(HIDDEN, with_bias=False, name="outcome")
  z_layer = hk.Linear(HIDDEN, with_bias=False, name="z")
  networks = Networks(
    lambda target, noise: outcome(jnp.concatenate([target, noise], axis=-1)),
    two("generator", lambda projected: projected, size),
    two("reconstructor", z_layer, latent_size),
    hk.nets.MLP([HIDDEN, size], name="critic_belief"),
    hk.nets.MLP([HIDDEN, size], name="critic_z"),
  )

  def init(belief: jax.Array, target: jax.Array, noise: jax.Array) -> None:
    z = networks.generate(belief, networks.outcome(target, noise))
    networks.reconstruct(belief, z)
    networks.read_belief(belief)
    networks.read_z(z)

  return init, networks


def hindsight(
  networks: Networks, size: int, params: Any, forecasts: Forecasts, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """z [T, K, B, size] of every forecast, and the error R [T, K, B] of reconstructing with it."""
  beliefs = jax.lax.stop_gradient(forecasts.imagined)
  length, horizon = beliefs.shape[:2]
  targets = table.normalise(jax.lax.stop_gradient(forecasts.targets))
  noise = jax.random.normal(key, (*targets.shape[:2], size), jnp.float32)
  outcomes = networks.outcome(params, targets, noise)
  # Slices rather than an index, whose gradient would be a slow scatter.
  padded = jnp.pad(outcomes, ((0, horizon), (0, 0), (0, 0)))
  ahead = [padded[k : k + length] for k in range(1, horizon + 1)]
  z = networks.generate(params, beliefs, jnp.stack(ahead, axis=1))
  return z, table.prediction_errors(networks.reconstruct(params, beliefs, z), targets)


def criticise(networks: Networks, params: Any, forecasts: Forecasts, z: jax.Array) -> jax.Array:
  """V [T, K, B]."""
  beliefs = jax.lax.stop_gradient(forecasts.imagined)
  return invariance(
    networks.read_belief(params, beliefs), networks.read_z(params, z), forecasts.valid
  )


@registry.register(
  "byol_hindsight",
  BYOLHindsightConfig,
  summary="BYOL-Explore's errors, given in hindsight what was random",
)
def build(settings: BYOLHindsightConfig, context: Context) -> Bonus:
  size, weight = settings.size, settings.invariance
  transformed = hk.multi_transform(functools.partial(_modules, size, context.latent_size))

  def applied(index: int) -> Callable[..., jax.Array]:
    def apply(params: Any, *inputs: jax.Array) -> jax.Array:
      # In rows, of which XLA's CPU compiler makes better products than of [T, K, B].
      rows = (x.reshape(-1, x.shape[-1]) for x in inputs)
      output = transformed.apply[index](params, None, *rows)
      return output.reshape(*inputs[0].shape[:-1], -1)

    return apply

  networks = Networks(*(applied(index) for index in range(len(Networks._fields))))

  def init(key: jax.Array) -> tuple[Any, Any]:
    widths = (context.belief_size, context.latent_size, size)
    return transformed.init(key, *(jnp.zeros((1, width)) for width in widths)), ()

  def reward(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del trajectory
    forecasts = outputs.forecasts
    assert forecasts is not None
    z, errors = hindsight(networks, size, params, forecasts, key)
    leaks = criticise(networks, params, forecasts, z)
    metrics = {
      "reconstruction": table.loss(errors, forecasts.valid),
      "invariance": table.loss(leaks, forecasts.valid),
    }
    return table.uncertainty(errors + weight * leaks, forecasts.valid), statistics, metrics

  def loss(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del statistics, trajectory
    forecasts = outputs.forecasts
    assert forecasts is not None
    z, errors = hindsight(networks, size, params, forecasts, key)
    # One pass for two players: the critic's gradient is that of -V, and z's, turned round here,
    # that of weight V.
    opposed = (1.0 + weight) * jax.lax.stop_gradient(z) - weight * z
    return table.loss(errors - criticise(networks, params, forecasts, opposed), forecasts.valid)

  return Bonus(init, reward, loss, scaling="surprise", needs=("byol",))
