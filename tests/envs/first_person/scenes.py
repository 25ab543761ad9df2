"""Random scenes for the tests of the renderer: crowded, of every height and pitch."""

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import patterns
from envs.first_person.scene import (
  Atlas,
  Billboards,
  Boxes,
  Camera,
  N,
  Scene,
  bit_rows,
  no_billboards,
  no_boxes,
  rgb,
  texel_columns,
  wall_look,
)

SHAPES = np.random.default_rng(3).integers(0, 3, (8, 16, 16))
SHAPES = np.concatenate([SHAPES, SHAPES[..., ::-1]])
ATLAS = Atlas(patterns.WALLS, texel_columns(SHAPES))
"""Shape k + 8 is the mirror image of shape k."""


def camera(x, y, heading, z=0.5, pitch=0.0):
  return Camera(*map(jnp.float32, (x, y, z, np.cos(heading), np.sin(heading), np.tan(pitch))))


def hall(billboards=None, boxes=None):
  """A map that is open but for its border, with floors and walls of one colour."""
  cells = np.ones((N, N), bool)
  cells[1:-1, 1:-1] = False
  return Scene(
    bit_rows(cells),
    bit_rows(np.zeros((N, N), bool)),
    jnp.full((N, N), 0x404040, jnp.uint32),
    jnp.uint32(0xC0C0C0),
    wall_look(np.zeros((N, N)), np.full((N, N), 0x8080FF)),
    no_billboards() if billboards is None else billboards,
    no_boxes() if boxes is None else boxes,
  )


def random_scene(seed, cards=6, boxes=6):
  """A scene of walls in a sixth of its cells and of things in view, with a camera in the open.

  Boxes stand apart, some in the air; billboards stand on one or beside all. Nothing is above the
  walls, where it would be seen before the ceiling.
  """
  rng = np.random.default_rng(seed)
  cells = rng.random((N, N)) < 0.16
  cells[0] = cells[-1] = cells[:, 0] = cells[:, -1] = True
  open_cells = np.argwhere(~cells)[:, ::-1] + 0.5
  eye = open_cells[rng.integers(len(open_cells))] + rng.uniform(-0.25, 0.25, 2)
  heading = rng.uniform(0, 2 * np.pi)
  ahead = (open_cells - eye) @ (np.cos(heading), np.sin(heading))
  nearest = np.argsort(np.where(ahead > 0.3, np.hypot(*(open_cells - eye).T), np.inf))[:14]
  near = open_cells[nearest]

  # One quarter of a cell each.
  quarters = (near[:, None] + np.array([[-0.5, -0.5], [0, -0.5], [-0.5, 0], [0, 0]])).reshape(-1, 2)
  corner = quarters[rng.permutation(len(quarters))[:boxes]] + rng.uniform(0, 0.2, (boxes, 2))
  raised = rng.uniform(0.3, 0.6, (boxes, 1)) * (rng.random((boxes, 1)) < 0.3)
  low = np.concatenate([corner, raised], 1)
  high = low + rng.uniform([0.1, 0.1, 0.05], [0.3, 0.3, 0.4], (boxes, 3))
  low[0], high[0] = [*near[-1] - 0.5, 0], [*near[-1] + 0.5, 1]
  boxes_on = rng.random(boxes) < 0.9
  boxes_on &= _gaps(eye[None], low, high)[0] > 0.15

  place = near[rng.integers(len(near), size=cards)] + rng.uniform(-0.4, 0.4, (cards, 2))
  place[0] = (low[1] + high[1])[:2] / 2
  size = rng.uniform(0.3, 0.5, cards)
  under = _gaps(place, low, high) < size[:, None] / 2
  foot = np.where(under, high[:, 2], 0).max(1) + rng.uniform(0, 0.2, cards) * ~under.any(1)

  def colours(*shape):
    return rgb(rng.integers(0, 256, (*shape, 3)))

  scene = Scene(
    bit_rows(cells),
    bit_rows(np.zeros((N, N), bool)),
    colours(N, N),
    colours(),
    wall_look(rng.integers(0, len(patterns.NAMES), (N, N)), colours(N, N)),
    Billboards(
      jnp.float32(np.concatenate([place, foot[:, None]], 1)),
      jnp.float32(size),
      jnp.int32(rng.integers(0, len(SHAPES), cards)),
      colours(cards),
      colours(cards),
      jnp.asarray((rng.random(cards) < 0.9) & (foot + size < 1)),
    ),
    Boxes(jnp.float32(low), jnp.float32(high), colours(boxes), jnp.asarray(boxes_on)),
  )
  return scene, camera(*eye, heading, rng.choice([0.5, 0.7]), rng.choice([-0.4, 0.0, 0.3]))


def _gaps(places, low, high):
  """Distance from places [P, 2] to boxes [K], seen from above, [P, K]."""
  places = places[:, None]
  apart = np.maximum(np.maximum(low[:, :2] - places, places - high[:, :2]), 0)
  return np.hypot(apart[..., 0], apart[..., 1])


def stack(pairs):
  """Scenes and cameras as one batch."""
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *pairs)
