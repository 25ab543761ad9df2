"""Geometry of mazes: how a point of no size moves, what it sees, and the shortest way it has.

A maze is made of square cells of side 1, and its walls are whole cells. A position is (x, y) in
cells: x rises to the right with the columns, y rises downwards with the rows, and the cell in row r
and column c is [c, c + 1) x [r, r + 1).

A shortest way between polygons bends only at their convex corners (de Berg et al., Computational
Geometry, chapter 15), so all ways between corners are found once, on the host.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csgraph, csr_matrix

HAIR = 1e-3
"""How far before the face of a wall a point stops, in cells."""
GRAZE = 5e-3
"""How deep into a wall a line may cut and still be seen along, in cells: lines that touch a corner
are ways, and so is one that a rounded position has pushed into the wall."""


class Walls(NamedTuple):
  """The constants of a maze of R x C cells, in NumPy.

  Attributes:
    blocked: which cells are walls, bool [R, C].
    centre, half: of the N longest straight rows and columns of wall cells, float32 [N, 2]; `half`,
      of their sides, is `GRAZE` short.
    corners: the K convex corners of the walls, float32 [K, 2].
    between: lengths of the shortest ways between corners, float32 [K, K]; infinite where none is.
  """

  blocked: np.ndarray
  centre: np.ndarray
  half: np.ndarray
  corners: np.ndarray
  between: np.ndarray


def build(blocked: np.ndarray) -> Walls:
  """Returns the walls of a maze.

  Args:
    blocked: which cells are walls, bool [R, C].

  Raises:
    ValueError: one line, if the edge of the maze is open, or two walls touch at a corner only.
  """
  if not (blocked[[0, -1]].all() and blocked[:, [0, -1]].all()):
    raise ValueError("the edge of the maze is open; draw walls all around it.")
  here, right = blocked[:-1, :-1], blocked[:-1, 1:]
  below, beyond = blocked[1:, :-1], blocked[1:, 1:]
  pinched = np.argwhere((here == beyond) & (right == below) & (here != right))
  if pinched.size:
    row, column = pinched[0] + 1
    raise ValueError(f"two walls touch only at the corner of row {row} and column {column}.")
  low, high = _bars(blocked)
  corners = np.argwhere(here.astype(int) + right + below + beyond == 1)[:, ::-1] + 1.0
  walls = Walls(
    blocked,
    ((low + high) / 2).astype(np.float32),
    ((high - low) / 2 - GRAZE).astype(np.float32),
    corners.astype(np.float32),
    np.zeros(0, np.float32),
  )
  lengths = np.zeros((len(corners), len(corners)))
  for i, corner in enumerate(corners):
    away = np.linalg.norm(corners[:i] - corner, axis=-1)
    lengths[i, :i] = np.where(sees(walls, corners[:i], corner), away, 0.0)
  # A maze of one plain room has no corners, and scipy refuses a graph without nodes.
  between = csgraph.dijkstra(csr_matrix(lengths), directed=False) if len(corners) else lengths
  return walls._replace(between=between.astype(np.float32))


def _bars(blocked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The longest straight rows and columns of wall cells: their (x, y) corners, [N, 2] each.

  Those across each other overlap, so that no line slips in between two neighbouring cells.
  """

  def along_rows(blocked: np.ndarray) -> np.ndarray:
    change = np.diff(np.pad(blocked, ((0, 0), (1, 1))).astype(int), axis=1)
    begins, ends = np.argwhere(change == 1), np.argwhere(change == -1)
    return np.concatenate([begins[:, ::-1], ends[:, ::-1] + [0, 1]], axis=1)

  both = [along_rows(blocked), along_rows(blocked.T)[:, [1, 0, 3, 2]]]
  bars, count = np.unique(np.concatenate(both), axis=0, return_counts=True)
  size = (bars[:, 2:] - bars[:, :2]).prod(1)
  bars = bars[(size > 1) | (count == 2)]  # a single cell lies in a bar unless it stands alone
  return bars[:, :2], bars[:, 2:]


def slide(walls: Walls, position: jax.Array, displacement: jax.Array) -> jax.Array:
  """Moves a point in x, then in y, each time up to the next wall, so that it slides along walls.

  Args:
    walls: the maze.
    position: float32 [2], in a free cell.
    displacement: float32 [2], each below 1 - `HAIR` in size.

  Returns:
    The new position, float32 [2], in a free cell.
  """
  blocked = jnp.asarray(walls.blocked)
  (x, y), (column, row) = position, jnp.floor(position).astype(jnp.int32)

  def stop(to: jax.Array, cell: jax.Array, before: jax.Array, after: jax.Array) -> jax.Array:
    to = jnp.where(before, jnp.maximum(to, cell + HAIR), to)
    return jnp.where(after, jnp.minimum(to, cell + (1 - HAIR)), to)

  x = stop(x + displacement[0], column, blocked[row, column - 1], blocked[row, column + 1])
  column = jnp.floor(x).astype(jnp.int32)
  y = stop(y + displacement[1], row, blocked[row - 1, column], blocked[row + 1, column])
  return jnp.stack([x, y])


def sees(walls: Walls, a: Any, b: Any) -> Any:
  """Whether the straight lines from `a` to `b`, [..., 2], cross no wall, bool [...].

  Positions are arrays of JAX, or of NumPy on the host, and so is what is returned. By the theorem
  of the separating axis: a line and a bar are apart iff they are so in x, in y, or across the line.
  """
  middle = (a + b)[..., None, :] / 2 - walls.centre
  along = abs(b - a)[..., None, :] / 2
  overlap = (abs(middle) < walls.half + along).all(-1)
  step = (b - a)[..., None, :] / 2
  offset = abs(step[..., 0] * middle[..., 1] - step[..., 1] * middle[..., 0])
  reach = walls.half[..., 0] * along[..., 1] + walls.half[..., 1] * along[..., 0]
  return ~(overlap & (offset < reach)).any(-1)


def distance(walls: Walls, a: jax.Array, b: jax.Array) -> jax.Array:
  """Length in cells of the shortest way from `a` to `b`, float32 [2]; infinite where none is."""

  def to_corners(position: jax.Array) -> jax.Array:
    away = jnp.linalg.norm(position - walls.corners, axis=-1)
    return jnp.where(sees(walls, position, walls.corners), away, jnp.inf)

  around = to_corners(a)[:, None] + walls.between + to_corners(b)
  straight = jnp.linalg.norm(a - b)
  return jnp.where(sees(walls, a, b), straight, around.min(initial=jnp.inf))
