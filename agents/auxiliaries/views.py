"""Views: an observation with something hidden, moved or brighter, and windows of a trajectory.

Each observation of a batch has random numbers of its own. What is seen and the goal, of
environments with goals, are changed alike. Where direction or colour is what counts, mirroring and
recolouring would take it away, so there is neither.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.auxiliaries.auxiliary import AuxiliaryConfig, check_at_least, check_share
from agents.auxiliaries.pairs import episodes
from agents.torsos.fuse import is_picture
from envs.observation import GOAL, VIEW, Cells, Spec, lead, leaves, one_line

PATCH = 8
"""Rows and columns that are hidden together of pictures without cells (MSN, arXiv 2204.07141: 16 of
224)."""
MOST = 192
"""Entries of a batch that are seen in views, drawn at random where there are more: each view is
encoded anew, and so many of a batch of 512 keep an update within 2.5 times the plain agent's."""


@dataclasses.dataclass(frozen=True)
class ViewConfig(AuxiliaryConfig):
  """How a view differs from what was observed."""

  mask: float = 0.5
  """Share of the cells of a picture, the numbers of a vector or the words of a text that are hidden
  (MSN, arXiv 2204.07141: .15 to .7 of the patches)."""
  shift: int = 1
  """Cells by which a picture moves at most, each way; 0 for none (DrQ, arXiv 2004.13649: 4 of 84
  pixels)."""
  brightness: float = 0.4
  """What is added to a picture's pixels at most, of the range from 0 to 1; 0 for none (BYOL's code:
  .4)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_share(self, "mask", "brightness")
    check_at_least(self, 0, "shift")


def masked(spec: Spec, observation: Any, rate: float | jax.Array, key: jax.Array) -> Any:
  """Observations [..., *O] of which cells, numbers or words are 0 with this chance."""

  def hide(spec: specs.Array, x: jax.Array, key: jax.Array) -> jax.Array:
    hidden = jax.random.bernoulli(key, rate, (len(x), *_places(spec)))
    return _shown(spec, x, ~hidden)

  return _by_leaf(spec, observation, hide, key)


def focal(spec: Spec, observation: Any, size: int, key: jax.Array) -> Any:
  """Observations [..., *O] whose pictures show one block of `size` by `size` cells alone."""

  def crop(spec: specs.Array, x: jax.Array, key: jax.Array) -> jax.Array:
    if not is_picture(spec):
      return x
    shown = jnp.ones(())
    for axis, (one, count) in enumerate(zip(jax.random.split(key), _places(spec), strict=True)):
      start = jax.random.randint(one, (len(x), 1), 0, max(count - size, 0) + 1)
      place = jnp.arange(count)
      inside = (place >= start) & (place < start + size)
      shown = shown * jnp.expand_dims(inside, 2 - axis)
    return _shown(spec, x, shown > 0.0)

  return _by_leaf(spec, observation, crop, key)


def shifted(spec: Spec, observation: Any, most: int, key: jax.Array) -> Any:
  """Observations [..., *O] whose pictures are moved by whole cells, at most so many, each way; what
  comes in is 0."""

  def move(spec: specs.Array, x: jax.Array, key: jax.Array) -> jax.Array:
    if not is_picture(spec):
      return x
    side = spec.side if isinstance(spec, Cells) else 1
    offset = side * jax.random.randint(key, (len(x), 2), -most, most + 1)
    edge = side * most
    padded = jnp.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))

    # A slice of each picture, which XLA copies row by row; by indices it takes ten times as long.
    def moved(padded: jax.Array, offset: jax.Array) -> jax.Array:
      return jax.lax.dynamic_slice(padded, (edge + offset[0], edge + offset[1], 0), x.shape[1:])

    return jax.vmap(moved)(padded, offset)

  return _by_leaf(spec, observation, move, key) if most else observation


def brightened(spec: Spec, observation: Any, most: float, key: jax.Array) -> Any:
  """Observations [..., *O] to whose pixels a number from -most to most is added, of the range from
  0 to 1, in which they stay."""

  def add(spec: specs.Array, x: jax.Array, key: jax.Array) -> jax.Array:
    if not is_picture(spec) or spec.dtype != np.uint8:
      return x
    plus = 255.0 * jax.random.uniform(key, (len(x), 1, 1, 1), minval=-most, maxval=most)
    return jnp.clip(jnp.round(x + plus), 0.0, 255.0).astype(x.dtype)

  return _by_leaf(spec, observation, add, key) if most else observation


def augmented(settings: ViewConfig, spec: Spec, observation: Any, key: jax.Array) -> Any:
  """Observations [..., *O] moved, made brighter or darker and masked, as the settings have it."""
  shift_key, brightness_key, mask_key = jax.random.split(key, 3)
  view = shifted(spec, observation, settings.shift, shift_key)
  view = brightened(spec, view, settings.brightness, brightness_key)
  return masked(spec, view, settings.mask, mask_key) if settings.mask else view


def stacked(*views: Any) -> Any:
  """Views side by side, arrays [V, ..., *O], for one pass of the encoder."""
  return jax.tree.map(lambda *x: jnp.stack(x), *views)


def check_cells(method: str, spec: Spec) -> None:
  """Raises ValueError, one line, if observations have no picture, of which cells can be masked."""
  if not any(is_picture(leaf) for leaf in leaves(spec).values()):
    raise ValueError(
      f"auxiliary {method!r} masks cells of pictures, and the observation is {one_line(spec)}; take"
      " another, such as byol_image."
    )


def windows(x: jax.Array, length: int) -> jax.Array:
  """The windows of so many entries that begin at each, [S, length, B, ...] of x [T+1, B, ...], with
  S = T + 2 - length."""
  starts = jnp.arange(x.shape[0] - length + 1)
  return x[starts[:, None] + jnp.arange(length)]


def whole(first: jax.Array, weights: jax.Array, length: int) -> jax.Array:
  """What the window of so many entries that begins at each counts for, float32 [S, B]: its first
  entry's weight, if all are of one episode and count."""
  episode, last = episodes(first), slice(length - 1, None)
  starts = slice(0, first.shape[0] - length + 1)
  counted = jnp.min(windows(weights, length), axis=1) > 0.0
  return weights[starts] * counted * (episode[starts] == episode[last])


def _by_leaf(
  spec: Spec,
  observation: Any,
  change: Callable[[specs.Array, jax.Array, jax.Array], jax.Array],
  key: jax.Array,
) -> Any:
  """Each leaf as rows [n, ...], changed by a key of its own; the goal's is that of the view."""
  ahead = lead(spec, observation)

  def of(name: str, leaf: specs.Array, x: jax.Array) -> jax.Array:
    x = jnp.asarray(x)
    of_leaf = jax.random.fold_in(key, zlib.crc32((VIEW if name == GOAL else name).encode()))
    return change(leaf, x.reshape(-1, *leaf.shape), of_leaf).reshape(*ahead, *leaf.shape)

  if not isinstance(spec, dict):
    return of("", spec, observation)
  return {name: of(name, leaf, observation[name]) for name, leaf in spec.items()}


def _places(spec: specs.Array) -> tuple[int, ...]:
  """Cells of a picture, [rows, columns]; of all else the numbers themselves."""
  if not is_picture(spec):
    return tuple(spec.shape)
  side = spec.side if isinstance(spec, Cells) else PATCH
  return tuple(-(-size // side) for size in spec.shape[:2])


def _shown(spec: specs.Array, x: jax.Array, cells: jax.Array) -> jax.Array:
  """x [n, *O] where its cells, bool [n, rows, columns], are shown, else 0; of what is no picture
  they are its numbers."""
  if not is_picture(spec):
    return jnp.where(cells, x, jnp.zeros_like(x))
  side = spec.side if isinstance(spec, Cells) else PATCH
  (height, width, channels), (n, down, across) = spec.shape, cells.shape
  columns = np.repeat(np.arange(width) // side, channels) == np.arange(across)[:, None]
  # Along a row by a product, which XLA does not fuse: else it draws anew for each number of a cell
  # what is drawn for the cell, which takes ten times as long.
  row = jnp.einsum("nij,jw->niw", cells.astype(jnp.float32), jnp.asarray(columns, jnp.float32))
  lines = jnp.pad(x, ((0, 0), (0, down * side - height), (0, 0), (0, 0)))
  lines = lines.reshape(n, down, side, width * channels)
  lines = jnp.where(row[:, :, None] > 0.5, lines, jnp.zeros_like(lines))
  return lines.reshape(n, down * side, width, channels)[:, :height]
