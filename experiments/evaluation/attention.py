"""What an agent's encoder looks at: weights of places, and how they are drawn over a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from agents.agent import Agent, HasSpecs
from envs.observation import leaves
from experiments.settings.errors import UserError

PIXELS = 320
"""Rough height of the drawing."""
WARM = np.array([255.0, 150.0, 0.0])
"""Colour of what is looked at."""
FRAME = np.array([255, 255, 255], np.uint8)
"""Colour of the frame round the place that is looked at most."""
SHADE, TINT = 0.5, 0.75
"""How bright a picture is beneath, and how much of a place the colour covers at most."""
CLEAR = 4.0
"""The colour is at its strongest where a place has so many times its even share, or more."""

Watch = Callable[[Any, Any], tuple[Any, jax.Array]]
"""(what acting reads, observation [B, ...]) -> the picture that is looked at [B, *O], None where it
is no picture, and weights [B, h, w] of its places."""


def watch(env: HasSpecs, agent: Agent) -> Watch:
  """What the encoder looks at in the first leaf that it attends to, of pictures before others.

  Raises:
    UserError: one line, if the encoder does not attend.
  """
  attention = None if agent.probe is None else agent.probe.attention
  if attention is None:
    raise UserError(
      "this run's encoder has no attention to show; train one with --torso xcit or patch_convnet,"
      " or with --torso.pool attention."
    )
  spec = env.observation_spec()
  parts = leaves(spec)

  def is_pixels(name: str) -> bool:
    return parts[name].dtype == np.uint8

  def look(variables: Any, observation: Any) -> tuple[Any, jax.Array]:
    maps = attention(variables, observation)
    name = min(maps, key=lambda leaf: (not is_pixels(leaf), leaf))
    leaf = observation[name] if isinstance(spec, dict) else observation
    return leaf if is_pixels(name) else None, maps[name]

  return look


def drawn(seen: np.ndarray | None, weights: np.ndarray) -> np.ndarray:
  """Pictures, darkened, the places warm that are looked at, the one most of all in a frame.

  A place with its even share of the weights, or less, has no colour; that of the others grows with
  what they have beyond it, up to the largest of the step.

  Args:
    seen: uint8 [F, H, W, 3]; None to draw the places alone.
    weights: [F, h, w].

  Returns:
    uint8 [F, PIXELS, ..., 3], about.
  """
  count, h, w = weights.shape
  if seen is None:
    seen = np.zeros((count, h, w, 3), np.uint8)
  height, width = seen.shape[1:3]
  enlarged = max(1, round(PIXELS / height))
  rows = np.arange(height * enlarged) * h // (height * enlarged)
  columns = np.arange(width * enlarged) * w // (width * enlarged)
  beyond = np.maximum(weights * h * w - 1.0, 0.0)
  strength = beyond / np.maximum(beyond.max((1, 2), keepdims=True), CLEAR - 1.0)
  cover = TINT * strength[:, rows][:, :, columns, None]
  picture = SHADE * seen.repeat(enlarged, 1).repeat(enlarged, 2)
  out = ((1 - cover) * picture + cover * WARM).astype(np.uint8)
  for frame, most in zip(out, weights.reshape(count, -1).argmax(-1), strict=True):
    inside = np.outer(rows == most // w, columns == most % w)
    edge = inside & ~(_inner(inside, 0) & _inner(inside, 1))
    frame[edge] = FRAME
  return out


def _inner(inside: np.ndarray, axis: int, thick: int = 2) -> np.ndarray:
  """Which points have none outside near them along an axis."""
  padded = np.pad(inside, [(thick, thick) if i == axis else (0, 0) for i in range(2)])
  before, after = (np.roll(padded, shift, axis) for shift in (thick, -thick))
  kept = slice(thick, -thick)
  return (before & after)[(kept, slice(None)) if axis == 0 else (slice(None), kept)]


def told(weights: np.ndarray) -> str:
  """The largest of a step's weights [h, w], beside what each would be if all were even."""
  return f"framed: {weights.max():.0%} of its attention (even: {1 / weights.size:.1%})"
