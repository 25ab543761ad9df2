"""What the classes of sequences look like: vectors, or characters in different fonts."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.sequences import glyphs

KINDS = ("vectors", "glyphs", "pictures")
NORMAL = 6.0
"""No float32 draw of a standard normal is larger."""


class Items:
  """Items of `classes` classes; constants only.

  vectors   mu_k ~ N(0, I/D); an item is (mu_k + eps xi) / sqrt(1 + eps^2) with xi ~ N(0, I/D), so
            that two of a class have a mean product of 1 / (1 + eps^2), and of two classes 0
            (Reddy, arXiv 2312.03002, section 2)
  glyphs    a character in a font drawn at random, as D whitened components
  pictures  the same as it is drawn, uint8 [28, 28, 1]
  """

  def __init__(
    self, kind: str, classes: int, fitted: int, size: int, variation: float, fonts: int, seed: int
  ):
    """Draws the classes.

    Args:
      kind: one of `KINDS`.
      classes: how many.
      fitted: of how many, the first ones, glyphs' components are those of.
      size: D of vectors and glyphs.
      variation: eps of vectors.
      fonts: of glyphs and pictures, that an item may be drawn in.
      seed: of vectors, and of the order of glyphs.

    Raises:
      ValueError: one line, if a number is out of range, or there are not so many glyphs.
    """
    if kind not in KINDS:
      raise ValueError(f"items is {kind!r}; expected one of {', '.join(KINDS)}.")
    if size < 1:
      raise ValueError(f"size is {size}; expected at least 1.")
    if variation < 0.0:
      raise ValueError(f"variation is {variation}; expected at least 0.")
    count = len(glyphs.font_files()) if kind != "vectors" else fonts
    if not 1 <= fonts <= count:
      raise ValueError(f"fonts is {fonts}; expected 1 to {count}.")
    self.kind, self.size, self.variation, self.fonts = kind, size, variation, fonts
    self.table = _table(kind, classes, fitted, size, seed)
    largest = float(np.abs(self.table).max())
    if kind == "vectors":
      largest = (largest + variation * NORMAL / size**0.5) / (1.0 + variation**2) ** 0.5
    self.largest = largest

  def spec(self) -> specs.Array:
    """Of one item."""
    if self.kind == "pictures":
      side = glyphs.SIDE
      return specs.BoundedArray((side, side, 1), np.uint8, 0, 255, "item")
    largest = np.float32(self.largest)
    return specs.BoundedArray((self.size,), np.float32, -largest, largest, "item")

  def draw(self, key: jax.Array, index: jax.Array) -> jax.Array:
    """An item of class `index`, int32."""
    if self.kind == "vectors":
      noise = jax.random.normal(key, (self.size,)) / self.size**0.5
      mean = jnp.asarray(self.table)[index]
      return (mean + self.variation * noise) / (1.0 + self.variation**2) ** 0.5
    item = jnp.asarray(self.table)[index, jax.random.randint(key, (), 0, self.fonts)]
    return item[..., None] if self.kind == "pictures" else item


@functools.lru_cache(maxsize=8)
def _table(kind: str, classes: int, fitted: int, size: int, seed: int) -> np.ndarray:
  """Constants of the classes: means [C, D], vectors [C, F, D] or pictures [C, F, H, W]."""
  draws = np.random.default_rng(seed)
  if kind == "vectors":
    return (draws.normal(size=(classes, size)) / size**0.5).astype(np.float32)
  known = glyphs.glyphs()
  if classes > len(known):
    raise ValueError(f"classes and held_out are {classes} together; there are {len(known)} glyphs.")
  chosen = known[draws.permutation(len(known))[:classes]]
  if kind == "pictures":
    return chosen
  most = min(fitted * chosen.shape[1] - 1, glyphs.SIDE**2)
  if size > most:
    raise ValueError(f"size is {size}; glyphs have at most {most} components.")
  return glyphs.whitened(chosen, fitted, size)
