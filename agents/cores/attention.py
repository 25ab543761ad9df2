"""Causal attention within an episode, over a rolling cache of keys and values.

A window of W holds the W newest steps, the query's own included. The cache is the W - 1 before the
next step, oldest first, so that a chunk attends over cache and chunk side by side, and chunks, one
long sequence and single steps give the same numbers. The key at distance d from a query is seen iff
0 <= d < W and d < held, the steps of the query's episode so far: that one test is window, validity
and boundary of episodes.

Keys are kept unrotated, and rotated by their place in the window: of absolute positions in float32
the error would grow with the episode. Cached keys get no gradient, and are those of the parameters
that acted; a burn-in of the sum of W - 1 over the layers renews them all.

Rotary positions: Su et al. 2021, arXiv 2104.09864. Grouped queries: Ainslie et al. 2023, arXiv
2305.13245.
"""

from __future__ import annotations

from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.cores.core import column
from agents.precision import rounded

BASE = 10_000.0
"""Of the rotary frequencies (RoFormer, section 3.3)."""
MASKED = -2.38e38
"""A logit that is not seen (Gemma's code): finite, so that no softmax is of nothing but -inf."""


class Cache(NamedTuple):
  """Of one layer, oldest first: keys, unrotated, and values, [B, W - 1, K, D] each."""

  keys: jax.Array
  values: jax.Array


class State(NamedTuple):
  """Of a core of attention layers.

  Attributes:
    caches: of each layer.
    held: int32 [B], steps of this episode so far, at most the largest window.
  """

  caches: tuple[Cache, ...]
  held: jax.Array


def empty(batch: int, windows: tuple[int, ...], heads: int, head_size: int) -> State:
  """The state at the start of an episode, of a layer a window, with K heads of keys."""

  def zeros(window: int) -> jax.Array:
    return jnp.zeros((batch, window - 1, heads, head_size), jnp.float32)

  caches = tuple(Cache(zeros(window), zeros(window)) for window in windows)
  return State(caches, jnp.zeros((batch,), jnp.int32))


def held(first: jax.Array, before: jax.Array) -> jax.Array:
  """Steps of the episode so far, the step's own included, int32 [T, B].

  Args:
    first: bool [T, B].
    before: int32 [B], as many before the first step.
  """
  time = jnp.arange(first.shape[0], dtype=jnp.int32)[:, None]
  began = jax.lax.cummax(jnp.where(first, time, -1), axis=0)
  return jnp.where(began >= 0, time - began, before + time) + 1


def attend(
  query: jax.Array,
  key: jax.Array,
  value: jax.Array,
  cache: Cache,
  held: jax.Array,
  cap: float = 0.0,
) -> tuple[jax.Array, Cache]:
  """What each step's query reads, [T, B, H, D], and the cache after the last step.

  Args:
    query: [T, B, H, D], of H heads.
    key, value: [T, B, K, D], of K heads, each shared by H / K queries.
    cache: before the first step, of W - 1 steps.
    held: int32 [T, B], see `held`.
    cap: logits l become cap tanh(l / cap) before they are masked; 0 for as they are.
  """
  length, batch, heads, size = query.shape
  kept = cache.keys.shape[1]
  keys, values = (
    jnp.concatenate([old, jnp.moveaxis(new, 0, 1)], axis=1)
    for old, new in zip(cache, (key, value), strict=True)
  )
  after = Cache(*(x[:, length:] for x in (keys, values)))
  distance = (kept + jnp.arange(length))[:, None] - jnp.arange(kept + length)  # [T, S]
  seen = (distance >= 0) & (distance <= kept) & (distance < held.T[..., None])  # [B, T, S]
  # What no query sees may be anything, and 0 times NaN is NaN, in gradients too.
  usable = jnp.any(seen, axis=1)
  keys, values = (jnp.where(column(usable, x), x, 0.0) for x in (keys, values))
  shared = key.shape[2]
  query = rotate(query, (kept + jnp.arange(length))[:, None, None])
  query = query.reshape(length, batch, shared, heads // shared, size) * size**-0.5
  keys = rotate(keys, jnp.arange(kept + length)[:, None])
  logits = jnp.einsum("tbkgd,bskd->bkgts", *rounded(query, keys)).astype(jnp.float32)
  if cap:
    logits = cap * jnp.tanh(logits / cap)
  weights = jax.nn.softmax(jnp.where(seen[:, None, None], logits, MASKED))
  read = jnp.einsum("bkgts,bskd->tbkgd", *rounded(weights, values)).astype(jnp.float32)
  return read.reshape(length, batch, heads, size), after


def rotate(x: jax.Array, position: jax.Array) -> jax.Array:
  """`x`, [..., D], turned by its position, broadcast against [...]: two halves, not interleaved."""
  half = x.shape[-1] // 2
  angle = position[..., None] * BASE ** (-jnp.arange(half) / half)
  sin, cos = jnp.sin(angle), jnp.cos(angle)
  one, other = x[..., :half], x[..., half:]
  return jnp.concatenate([one * cos - other * sin, other * cos + one * sin], axis=-1)


def layer(
  x: jax.Array,
  cache: Cache,
  held: jax.Array,
  heads: int,
  shared: int,
  head_size: int,
  cap: float,
  name: str,
) -> tuple[jax.Array, Cache]:
  """A layer of attention without biases, in a Haiku module: what it adds to `x`, and its cache.

  Args:
    x: [T, B, N].
    cache, held, cap: see `attend`.
    heads: H, of queries.
    shared: K, of keys and values.
    head_size: D.
    name: what its parameters begin with.
  """

  def linear(what: str, heads: int) -> jax.Array:
    y = hk.Linear(heads * head_size, with_bias=False, name=f"{name}_{what}")(x)
    return y.reshape(*x.shape[:-1], heads, head_size)

  query, key, value = linear("query", heads), linear("key", shared), linear("value", shared)
  read, cache = attend(query, key, value, cache, held, cap)
  out = hk.Linear(x.shape[-1], with_bias=False, name=f"{name}_out")
  return out(read.reshape(*x.shape[:-1], heads * head_size)), cache


def check(window: int, layers: int, heads: int, shared: int, head_size: int) -> None:
  """Raises ValueError, one line, for numbers that no attention has."""
  if window < 1:
    raise ValueError(f"core.window is {window}; it counts the steps seen, so at least 1.")
  for name, number in (("layers", layers), ("heads", heads), ("kv_heads", shared)):
    if number < 1:
      raise ValueError(f"core.{name} is {number}; it must be at least 1.")
  if heads % shared:
    fits = ", ".join(str(n) for n in range(1, heads + 1) if heads % n == 0)
    raise ValueError(
      f"core.kv_heads is {shared}, which does not divide the {heads} heads; give one of {fits}."
    )
  if head_size < 2 or head_size % 2:
    raise ValueError(f"core.head_size is {head_size}; rotary positions take an even number.")
