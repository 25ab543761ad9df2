"""Words and scalars as pixels: eight tiles below a view, for agents that read one array."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

TILE, TILES, WORDS = 8, 8, 64
"""Pixels a side of a tile, tiles of a panel, words that have a pattern."""
APART = 20
"""Pixels in which the patterns of two words differ at least."""


@functools.cache
def patterns() -> np.ndarray:
  """The tiles of all words, bool [64, 8, 8], drawn by `default_rng(99)`; none is word 0."""
  rng, found = np.random.default_rng(99), [np.zeros((TILE, TILE), bool)]
  while len(found) < WORDS:
    drawn = rng.random((TILE, TILE)) < 0.5
    if all((drawn != other).sum() >= APART for other in found):
      found.append(drawn)
  return np.stack(found)


def panel(words: jax.Array, scalars: jax.Array) -> jax.Array:
  """Words int32 [W] and scalars of [0, 1] float32 [S], eight at most, as uint8 [8, 64, 3]."""
  tiles = jnp.where(jnp.asarray(patterns())[words], 255, 0)
  grey = jnp.round(255 * scalars).astype(jnp.int32)
  greys = jnp.broadcast_to(grey[:, None, None], (*grey.shape, TILE, TILE))
  tiles = jnp.concatenate([tiles, greys])
  tiles = jnp.pad(tiles, ((0, TILES - tiles.shape[0]), (0, 0), (0, 0)))
  row = jnp.moveaxis(tiles, 0, 1).reshape(TILE, TILES * TILE)
  return jnp.broadcast_to(row[..., None], (*row.shape, 3)).astype(jnp.uint8)


def below(view: jax.Array, words: jax.Array, scalars: jax.Array) -> jax.Array:
  """A view with its panel, uint8 [H + 8, 64, 3]."""
  return jnp.concatenate([view, panel(words, scalars)])


def read_panel(observation: np.ndarray, words: int, scalars: int) -> tuple[np.ndarray, np.ndarray]:
  """The words int32 [W] and scalars float32 [S], to 1 in 255, of an observation with a panel."""
  row = np.asarray(observation)[-TILE:, :, 0]
  tiles = np.moveaxis(row.reshape(TILE, TILES, TILE), 1, 0)
  differ = ((tiles[:words, None] > 127) != patterns()).sum((-2, -1))
  greys = tiles[words : words + scalars, 0, 0]
  return differ.argmin(-1).astype(np.int32), (greys / 255).astype(np.float32)
