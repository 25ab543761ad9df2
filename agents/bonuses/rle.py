"""RLE: random latent exploration, which pays for going where a vector that is drawn anew points.

Formula: r_t = z_t . f(o_{t+1}) / ||f(o_{t+1})||, f a random network's features, less their running
mean, over their running deviation; z uniform on the unit sphere, drawn at the first step of each
episode and every `interval` steps. Policy and value read z beside the belief.
Source: Mahankali et al. 2024 (arXiv 2407.13755), section 4; the cosine, the whitening, the interval
and the division by the deviation of returns as in the authors' code. There f's network follows the
policy's encoder, a share of .005 a gradient step, beneath a fixed random layer; here the whole
network is fixed, or f is a random layer on the world model's latents. There z passes two layers of
its own before it is added to the encoding, and the intrinsic return ends where z changes; here z is
what the heads read with the belief, and returns go on by the value under the new z.
Good at: going far in one direction without having to find out what is new; dense where other
bonuses fade, and as cheap as noise.
Bad at: remembering: what is known is paid as well as what is not. Heads without a hidden layer
cannot tell what z means where.
Cost: a torso of its own, forward; none with `of` latent.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from agents import running_moments
from agents.bonuses import embedding
from agents.bonuses.bonus import Bonus, Condition, Context, Outputs, no_loss, registry
from agents.bonuses.rnd import arrived
from agents.running_moments import RunningMoments
from agents.trajectory import Trajectory

EPSILON = 1e-5
"""What the deviation of features is added to (the authors' code)."""


@dataclasses.dataclass(frozen=True)
class RLEConfig:
  """Random latent exploration. Sources name the authors' code."""

  of: Literal["observation", "latent"] = "observation"
  """What the features are of: the observation, or the world model's latent."""
  size: int = 16
  """Size of z (16)."""
  interval: int = 500
  """Steps after which z is drawn anew within an episode (500); 0 for never."""

  def __post_init__(self) -> None:
    if self.size < 2:
      raise ValueError(f"size is {self.size}; it must be at least 2.")
    if self.interval < 0:
      raise ValueError(f"interval is {self.interval}; it must be at least 0.")


class Direction(NamedTuple):
  """What is pursued: z float32 [B, S], and for how many steps it has been, int32 [B]."""

  z: jax.Array
  age: jax.Array


class Statistics(NamedTuple):
  """The random network's parameters, or those of the layer, and the features' moments."""

  network: Any
  moments: RunningMoments


def cosine(z: jax.Array, features: jax.Array) -> jax.Array:
  """z . f / ||f||, [...], of z and features [..., S]; 0 where the features are."""
  length = jnp.linalg.norm(features, axis=-1)
  return jnp.sum(z * features, axis=-1) / jnp.maximum(length, 1e-8)


def condition(size: int, interval: int) -> Condition:
  """Directions of this size, each for `interval` steps or, with 0, an episode."""

  def draw(memory: Direction, first: jax.Array, key: jax.Array) -> tuple[jax.Array, Direction]:
    new = jax.random.normal(key, memory.z.shape, jnp.float32)
    new = new / jnp.linalg.norm(new, axis=-1, keepdims=True)
    over = first | (memory.age >= interval) & (interval > 0)
    z = jnp.where(over[:, None], new, memory.z)
    return z, Direction(z, jnp.where(over, 0, memory.age) + 1)

  return Condition(size, draw)


@registry.register("rle", RLEConfig, summary="a direction of random features, drawn anew at times")
def build(settings: RLEConfig, context: Context) -> Bonus:
  encoder = embedding.build(context, settings.size)
  latent = settings.of == "latent"

  def init(key: jax.Array) -> tuple[Any, Statistics]:
    shape = (context.latent_size, settings.size)
    network = jax.random.normal(key, shape, jnp.float32) if latent else encoder.init(key)
    return (), Statistics(network, running_moments.init((settings.size,)))

  def initial_memory(batch: int) -> Direction:
    shape = (batch, settings.size)
    return Direction(jnp.zeros(shape, jnp.float32), jnp.zeros((batch,), jnp.int32))

  def reward(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del params, key
    if latent:
      features = jax.lax.stop_gradient(outputs.latents[1:]) @ statistics.network
    else:
      features = encoder.apply(statistics.network, arrived(trajectory))
    moments = running_moments.update(statistics.moments, features)
    whitened = running_moments.whiten(moments, features, jnp.inf, EPSILON)
    paid = cosine(trajectory.extras["condition"][:-1], whitened)
    return paid, statistics._replace(moments=moments), {}

  return Bonus(
    init,
    reward,
    no_loss,
    scaling="return_std",
    initial_memory=initial_memory,
    condition=condition(settings.size, settings.interval),
  )
