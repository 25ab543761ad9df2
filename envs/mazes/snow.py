"""Noise that covers the whole view: a frame of random pixels, as of a television without a signal.

Each pixel of such a frame is dark or bright with probability 1/2, drawn anew for each frame, so
that all 2^25 frames are equally likely and none tells anything of the world.

Three regimes of BYOL-Hindsight's test (arXiv 2211.10515) are of this kind: no snow; a frame of it
with probability .25 at each step, whatever the agent does ("pixel"); and one whenever the agent
chooses the action that does nothing else ("on_demand"). That pixels have two values, and symbols
of their own, is ours.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from envs.mazes.maps import STAY, VIEW

REGIMES = ("pixel", "on_demand")
"""When snow falls; in any other regime it never does."""
PROBABILITY = 0.25
"""Of a frame of snow at each step, in the regime "pixel"."""
PIXELS = VIEW * VIEW


class Snow(NamedTuple):
  """The snow of one frame.

  Attributes:
    falls: whether the agent sees it in place of the world, bool.
    bits: its pixels, in the low 25 bits of a uint32.
  """

  falls: jax.Array
  bits: jax.Array

  def pixels(self) -> jax.Array:
    """Returns which pixels are bright, bool [5, 5]."""
    bits = self.bits >> jnp.arange(PIXELS, dtype=jnp.uint32) & 1
    return bits.astype(bool).reshape(VIEW, VIEW)


def draw(regime: str, key: jax.Array, action: jax.Array | None = None) -> Snow:
  """Draws the snow of the frame that follows `action`, or of the first one of an episode."""
  if regime not in REGIMES:
    return Snow(jnp.bool_(False), jnp.uint32(0))
  chance, bits = jax.random.bits(key, (2,), jnp.uint32)
  if regime == "pixel":
    falls = chance < jnp.uint32(PROBABILITY * 2**32)
  else:
    falls = jnp.asarray(False if action is None else action == STAY)
  return Snow(falls, bits)
