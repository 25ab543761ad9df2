"""Counts: pays for what was seen seldom, by counting hashes of what is seen.

Formula: r_t = 1 / sqrt(n(h(o_{t+1}))), n the number of visits with this one, of all environments
and episodes; within a batch they are counted in the order of time (agents/bonuses/visits.py). The
hash is SimHash, h(x) = the signs of A x, with a fixed A [bits, X] of standard normals; x is the
observation as networks read it (pixels in [0, 1], categories one-hot) or the latent of the world
model. What lies within a small angle has the same hash.
Source: Tang et al. 2017, #Exploration (arXiv 1611.04717), section 2.2, equations 1 and 2. There the
codes of all lengths go into one hash table; here a code is the index of a table of 2^bits.
Good at: small worlds and vectors of symbols; never wrong about what it has paid for already.
Bad at: images, where a small thing that matters turns the vector by a small angle, and noise, where
every observation is new. Hashes of latents move as the encoder learns.
Cost: a product of the observations with A and one sort of T B integers; 4 * 2^bits bytes.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from agents.bonuses import visits
from agents.bonuses.bonus import Bonus, Context, Outputs, no_loss, registry
from agents.bonuses.episodic_counts import simhash
from agents.torsos import torso as torsos
from agents.trajectory import Trajectory
from envs.observation import lead, rows


@dataclasses.dataclass(frozen=True)
class CountsConfig:
  """Counts of hashes. Sources name the paper, arXiv 1611.04717."""

  of: Literal["observation", "latent"] = "observation"
  """What is hashed: the observation, or the world model's latent of it (section 2.3: a learned
  code)."""
  bits: int = 16
  """Bits of the hash; the table has 2^bits entries (section 3: 16 to 512, in a hash table)."""

  def __post_init__(self) -> None:
    if not 1 <= self.bits <= 24:
      raise ValueError(f"bits is {self.bits}; it must lie in 1 to 24.")


class State(NamedTuple):
  """The fixed projection [X, bits] and the visits of each hash, int32 [2^bits]."""

  projection: jax.Array
  table: jax.Array


@registry.register(
  "counts", CountsConfig, summary="1 / sqrt(visits) of a hash of the observation or the latent"
)
def build(settings: CountsConfig, context: Context) -> Bonus:
  spec = context.env.observation_spec()
  latent = settings.of == "latent"

  def flatten(observation: Any) -> jax.Array:
    read = jax.tree.leaves(torsos.preprocess(spec, rows(spec, observation)))
    flat = jnp.concatenate([x.reshape(len(x), math.prod(x.shape[1:])) for x in read], axis=-1)
    return flat.reshape(*lead(spec, observation), flat.shape[-1])

  width = context.latent_size if latent else torsos.width(spec)

  def init(key: jax.Array) -> tuple[Any, State]:
    projection = jax.random.normal(key, (width, settings.bits), jnp.float32)
    return (), State(projection, jnp.zeros(2**settings.bits, jnp.int32))

  def reward(params, statistics: State, trajectory: Trajectory, outputs: Outputs, key: jax.Array):
    del params, key
    arrived = jax.tree.map(lambda x: x[1:], trajectory.observation)
    features = outputs.latents[1:] if latent else flatten(arrived)
    place = simhash(statistics.projection, jax.lax.stop_gradient(features)).astype(jnp.int32)
    n, table = visits.count(statistics.table, place, trajectory.mask)
    seen = jnp.mean((table > 0).astype(jnp.float32))
    return (
      jax.lax.rsqrt(n.astype(jnp.float32)),
      State(statistics.projection, table),
      {"counts_table_used": seen},
    )

  return Bonus(init, reward, no_loss, scaling="none")
