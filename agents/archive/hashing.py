"""Hashes of arrays: 32 bits of what lies in them, the same on every device."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def mix(x: jax.Array) -> jax.Array:
  """Scrambles uint32 one to one: the finaliser of MurmurHash3 (Appleby, public domain)."""
  x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
  return x ^ (x >> 16)


def words(x: jax.Array, lead: int) -> jax.Array:
  """The bits of an array, uint32 [*B, X], B its first `lead` axes; a small entry is a word too."""
  if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
    x = jax.random.key_data(x)
  x = x.reshape(*x.shape[:lead], -1)
  if x.dtype == jnp.bool_ or x.dtype.itemsize < 4:
    x = x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.uint32)
  return x if x.dtype == jnp.uint32 else jax.lax.bitcast_convert_type(x, jnp.uint32)


def of(tree: Any, lead: int) -> jax.Array:
  """The hash uint32 [*B] of all that lies in a tree of arrays [*B, ...], B their first `lead` axes.

  Each word is scrambled with its place, and the sum of all is scrambled once more.
  """
  flat = jnp.concatenate([words(x, lead) for x in jax.tree.leaves(tree)], axis=-1)
  salt = mix(jnp.arange(1, flat.shape[-1] + 1, dtype=jnp.uint32))
  return mix(jnp.sum(mix(flat + salt), axis=-1, dtype=jnp.uint32))


def joined(*codes: jax.Array) -> jax.Array:
  """One hash of several, uint32 of the same shape; their order counts."""
  out = jnp.zeros_like(codes[0])
  for code in codes:
    out = mix(out * jnp.uint32(31) + code + jnp.uint32(0x9E3779B9))
  return out
