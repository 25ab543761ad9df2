"""How often the episode has shown an observation: hashes, and a bounded memory of their counts.

Integers, so pixels and symbols too, are hashed exactly: each entry is mixed with its place, as
Zobrist's hash does, by the mixing function of MurmurHash3 (`fmix32`), so that two observations that
differ have the same 32 bits once in 4e9 pairs. Floats hardly ever repeat to the bit, and have
SimHash, the signs of A x with a fixed A of standard normals (Tang et al. 2017, arXiv 1611.04717,
equation 2): what lies within a small angle counts as one. Of a dict, the floats together and each
other leaf by itself.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.bonuses.episodic import Episodic
from envs.observation import Spec, lead, leaves, rows


@dataclasses.dataclass(frozen=True)
class EpisodicCountsConfig:
  """What bonuses that count within the episode have in common."""

  capacity: int = 512
  """Different observations of an episode that are counted; a longer one forgets its oldest (ours;
  RIDE's and NovelD's code: all)."""
  bits: int = 16
  """Bits of the hash of floats (ours, as the bonus `counts`); all else is hashed exactly."""

  def __post_init__(self) -> None:
    if self.capacity < 1:
      raise ValueError(f"capacity is {self.capacity}; it must be at least 1.")
    if not 1 <= self.bits <= 32:
      raise ValueError(f"bits is {self.bits}; it must lie in 1 to 32.")


def mix(x: jax.Array) -> jax.Array:
  """uint32 [...] to uint32 [...], one to one, each bit of the result of all bits of `x`."""
  x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
  return x ^ (x >> 16)


def exact_hash(values: jax.Array) -> jax.Array:
  """The hash, uint32 [N], of integers or bools [N, X]."""
  place = jnp.arange(1, values.shape[-1] + 1, dtype=jnp.uint32) * jnp.uint32(0x9E3779B9)
  return mix(jnp.sum(mix(values.astype(jnp.uint32) + mix(place)), axis=-1, dtype=jnp.uint32))


def simhash(projection: jax.Array, features: jax.Array) -> jax.Array:
  """The hash of features [..., X] by a projection [X, bits]: uint32 [...], below 2^bits."""
  signs = jnp.matmul(features, projection, precision=jax.lax.Precision.HIGHEST) > 0.0
  shifted = signs.astype(jnp.uint32) << jnp.arange(projection.shape[1], dtype=jnp.uint32)
  return jnp.sum(shifted, axis=-1, dtype=jnp.uint32)


class Hash(NamedTuple):
  """A hash of observations.

  Attributes:
    init: key -> what it keeps, float32 [X, bits], X the number of floats in an observation.
    apply: (what it keeps, observation [..., *O]) -> uint32 [...].
  """

  init: Callable[[jax.Array], jax.Array]
  apply: Callable[[jax.Array, Any], jax.Array]


def build(spec: Spec, bits: int) -> Hash:
  """The hash of observations of this spec, floats by `bits` bits."""
  parts = leaves(spec)
  floats = [name for name, leaf in parts.items() if np.issubdtype(leaf.dtype, np.floating)]
  width = sum(math.prod(parts[name].shape) for name in floats)

  def init(key: jax.Array) -> jax.Array:
    return jax.random.normal(key, (width, bits), jnp.float32)

  def apply(projection: jax.Array, observation: Any) -> jax.Array:
    flat = {name: x.reshape(len(x), -1) for name, x in leaves(rows(spec, observation)).items()}
    hashes = [exact_hash(x) for name, x in flat.items() if name not in floats]
    if floats:
      joined = jnp.concatenate([flat[name] for name in floats], axis=-1)
      hashes.append(simhash(projection, joined.astype(jnp.float32)))
    whole = hashes[0] if len(hashes) == 1 else exact_hash(jnp.stack(hashes, axis=-1))
    return whole.reshape(lead(spec, observation))

  return Hash(init, apply)


class Visits(NamedTuple):
  """The memory of an episode.

  Attributes:
    hashes: uint32 [B, M]; only the newest min(held, M) are of this episode.
    counts: int32 [B, M], how often each was shown.
    held: int32 [B], different ones so far.
  """

  hashes: jax.Array
  counts: jax.Array
  held: jax.Array


def visits(capacity: int) -> Episodic:
  """Memories of the counts of `capacity` hashes; what they hold are hashes uint32 [B].

  Their novelty is n, how often the episode has shown a hash, this time included, int32 [B]. It is
  exact for an episode of at most `capacity` different ones, however long.
  """

  def initial(batch: int) -> Visits:
    return Visits(
      jnp.zeros((batch, capacity), jnp.uint32),
      jnp.zeros((batch, capacity), jnp.int32),
      jnp.zeros((batch,), jnp.int32),
    )

  def restart(memory: Visits, first: jax.Array) -> Visits:
    return memory._replace(held=jnp.where(first, 0, memory.held))

  def found(memory: Visits, hashed: jax.Array) -> jax.Array:
    held = jnp.arange(capacity) < memory.held[:, None]
    return held & (memory.hashes == hashed[:, None])

  def novelty(memory: Visits, hashed: jax.Array) -> jax.Array:
    return 1 + jnp.sum(jnp.where(found(memory, hashed), memory.counts, 0), axis=-1)

  def insert(memory: Visits, hashed: jax.Array) -> Visits:
    here = found(memory, hashed)
    new = ~jnp.any(here, axis=-1)
    slot = (jnp.arange(capacity) == (memory.held % capacity)[:, None]) & new[:, None]
    return Visits(
      jnp.where(slot, hashed[:, None], memory.hashes),
      jnp.where(slot, 1, memory.counts + here),
      memory.held + new,
    )

  return Episodic(initial, restart, novelty, insert)
