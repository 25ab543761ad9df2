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
  """A scene of walls in a fifth of its cells and of things nearby, with a camera in the open."""
  rng = np.random.default_rng(seed)
  cells = rng.random((N, N)) < 0.2
  cells[0] = cells[-1] = cells[:, 0] = cells[:, -1] = True
  open_cells = np.argwhere(~cells)
  row, column = open_cells[rng.integers(len(open_cells))]
  near = open_cells[np.abs(open_cells - (row, column)).max(1) <= 4]

  def middles(count):
    return near[rng.integers(len(near), size=count)][:, ::-1] + 0.5

  def colours(*shape):
    return rgb(rng.integers(0, 256, (*shape, 3)))

  place = middles(cards) + rng.uniform(-0.4, 0.4, (cards, 2))
  foot = np.concatenate([place, rng.uniform(0, 0.5, (cards, 1))], 1)
  corner = middles(boxes) + rng.uniform(-0.5, 0, (boxes, 2))
  raised = rng.uniform(0, 0.6, (boxes, 1)) * (rng.random((boxes, 1)) < 0.5)
  low = np.concatenate([corner, raised], 1)
  high = low + rng.uniform([0.1, 0.1, 0.05], [0.6, 0.6, 0.5], (boxes, 3))
  x, y = column + rng.uniform(0.25, 0.75), row + rng.uniform(0.25, 0.75)
  inside = ((low[:, :2] < (x + 0.15, y + 0.15)) & (high[:, :2] > (x - 0.15, y - 0.15))).all(1)
  scene = Scene(
    bit_rows(cells),
    bit_rows(np.zeros((N, N), bool)),
    colours(N, N),
    colours(),
    wall_look(rng.integers(0, len(patterns.NAMES), (N, N)), colours(N, N)),
    Billboards(
      jnp.float32(foot),
      jnp.float32(rng.uniform(0.3, 0.9, cards)),
      jnp.int32(rng.integers(0, 16, cards)),
      colours(cards),
      colours(cards),
      jnp.asarray(rng.random(cards) < 0.9),
    ),
    Boxes(jnp.float32(low), jnp.float32(high), colours(boxes), jnp.asarray(~inside)),
  )
  pitch, eye = rng.choice([-0.4, 0.0, 0.3]), rng.choice([0.5, 0.7])
  return scene, camera(x, y, rng.uniform(0, 2 * np.pi), eye, pitch)


def stack(pairs):
  """Scenes and cameras as one batch."""
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *pairs)
