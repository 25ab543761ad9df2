"""How a body moves through a scene, what it sees and touches; of one scene, vmapped by the caller.

A body is a disc of radius .25 with an eye .5 above its ground. It slides: a move is tried on x,
then on y, and of each the whole or nothing is done.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import columns
from envs.first_person.crossing import crossings, edges
from envs.first_person.scene import Boxes, Camera, N, Scene

RADIUS, EYE, HEIGHT = 0.25, 0.5, 0.9
"""Of a body, cells; what begins above its height is no obstacle."""
CLIMB = 0.2
"""Cells that a body steps up by without noticing."""
TOUCH = 0.5
"""Things are touched whose middle is nearer than this, cells."""
SPEED = 0.3
"""Cells that a body walks in a step."""
HEADINGS = 30
"""Directions of a body that turns by steps, 12 degrees apart."""
_TURN = np.arange(HEADINGS) * (2 * np.pi / HEADINGS)
COSINES, SINES = np.cos(_TURN).astype(np.float32), np.sin(_TURN).astype(np.float32)

ACTIONS = (
  "forward",
  "back",
  "strafe left",
  "strafe right",
  "turn left",
  "turn right",
  "turn left by 36",
  "turn right by 36",
  "forward and turn left",
  "forward and turn right",
  "use",
)
USE = ACTIONS.index("use")
_AHEAD = np.array([1, -1, 0, 0, 0, 0, 0, 0, 1, 1, 0], np.float32) * np.float32(SPEED)
_RIGHT = np.array([0, 0, -1, 1, 0, 0, 0, 0, 0, 0, 0], np.float32) * np.float32(SPEED)
_TURNS = np.array([0, 0, 0, 0, -1, 1, -3, 3, -1, 1, 0], np.int32)


class Pose(NamedTuple):
  """Where a body is.

  Attributes:
    x, y: of its middle, float32.
    ground: height that it stands at, float32.
    heading: in steps of 12 degrees, from east towards south, int32 0 to 29.
  """

  x: jax.Array
  y: jax.Array
  ground: jax.Array
  heading: jax.Array


def camera_of(pose: Pose) -> Camera:
  """The eye of a body, which looks straight ahead."""
  cos, sin = jnp.asarray(COSINES)[pose.heading], jnp.asarray(SINES)[pose.heading]
  return Camera(pose.x, pose.y, pose.ground + EYE, cos, sin, jnp.zeros_like(pose.x))


def _cells_around(scene: Scene, row: jax.Array, column: jax.Array) -> tuple[jax.Array, ...]:
  """The nine cells around one: which block bodies, bool [3, 3], their rows [3] and columns [3]."""
  blocked = scene.solid | scene.void
  around = jnp.arange(-1, 2)
  rows = jnp.clip(row + around, 0, N - 1)
  beside = jnp.clip(column + around, 0, N - 1)
  bits = blocked[rows][:, None] << beside.astype(jnp.uint32)
  return bits.astype(jnp.int32) < 0, rows, beside


def _gap(x: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
  return jnp.maximum(jnp.maximum(low - x, x - high), 0)


def _box_gaps(boxes: Boxes, x: jax.Array, y: jax.Array) -> jax.Array:
  """Squared distance from a place to each box, seen from above, [K]."""
  gap_x = _gap(x, boxes.low[:, 0], boxes.high[:, 0])
  gap_y = _gap(y, boxes.low[:, 1], boxes.high[:, 1])
  return gap_x**2 + gap_y**2


def fits(
  scene: Scene, x: jax.Array, y: jax.Array, ground: jax.Array, radius: float = RADIUS
) -> jax.Array:
  """Whether a disc at a place, on a ground, is clear of walls, chasms and boxes, bool."""
  return ~_blocked(scene, jnp.float32(jnp.inf), jnp.float32(jnp.inf), x, y, ground, radius)


def _blocked(
  scene: Scene,
  from_x: jax.Array,
  from_y: jax.Array,
  x: jax.Array,
  y: jax.Array,
  ground: jax.Array,
  radius: float,
) -> jax.Array:
  """Whether something would be within the radius, and nearer than it was before."""
  column, row = jnp.floor(x).astype(jnp.int32), jnp.floor(y).astype(jnp.int32)
  cells, rows, beside = _cells_around(scene, row, column)

  def cell_gaps(x: jax.Array, y: jax.Array) -> jax.Array:
    return _gap(y, rows, rows + 1)[:, None] ** 2 + _gap(x, beside, beside + 1) ** 2

  def collides(before: jax.Array, after: jax.Array) -> jax.Array:
    return (after < radius**2) & (after < before)

  boxes = scene.boxes
  in_way = boxes.on & (boxes.low[:, 2] < ground + HEIGHT)
  in_way &= boxes.high[:, 2] > ground + CLIMB + 1e-4
  in_way &= collides(_box_gaps(boxes, from_x, from_y), _box_gaps(boxes, x, y))
  in_cells = cells & collides(cell_gaps(from_x, from_y), cell_gaps(x, y))
  return in_cells.any() | in_way.any()


def ground_at(scene: Scene, x: jax.Array, y: jax.Array, ground: jax.Array) -> jax.Array:
  """Height of the highest box below a place that is no higher than a step up, else 0."""
  boxes = scene.boxes
  under = boxes.on & (_box_gaps(boxes, x, y) == 0)
  under &= boxes.high[:, 2] <= ground + CLIMB + 1e-4
  return jnp.max(jnp.where(under, boxes.high[:, 2], 0), initial=0.0)


def move(
  scene: Scene,
  x: jax.Array,
  y: jax.Array,
  ground: jax.Array,
  by_x: jax.Array,
  by_y: jax.Array,
  radius: float = RADIUS,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Moves a disc by less than its width: on x if nothing is in the way, then on y.

  Who is in the way of a thing that has come over it, as a door that shuts, may move out of it.

  Returns:
    Its new place (x, y) and ground.
  """
  x = jnp.where(_blocked(scene, x, y, x + by_x, y, ground, radius), x, x + by_x)
  ground = ground_at(scene, x, y, ground)
  y = jnp.where(_blocked(scene, x, y, x, y + by_y, ground, radius), y, y + by_y)
  return x, y, ground_at(scene, x, y, ground)


def walk(scene: Scene, pose: Pose, action: jax.Array) -> Pose:
  """Turns, then moves a body by one of the `ACTIONS`; what `use` does is for the world to say."""
  heading = (pose.heading + jnp.asarray(_TURNS)[action]) % HEADINGS
  cos, sin = jnp.asarray(COSINES)[heading], jnp.asarray(SINES)[heading]
  ahead, right = jnp.asarray(_AHEAD)[action], jnp.asarray(_RIGHT)[action]
  by_x, by_y = ahead * cos - right * sin, ahead * sin + right * cos
  return Pose(*move(scene, pose.x, pose.y, pose.ground, by_x, by_y), heading)


def sees(scene: Scene, eye: Camera, points: jax.Array, but: jax.Array | None = None) -> jax.Array:
  """Whether nothing is between an eye and points: the walls as the picture has them, and boxes.

  Args:
    scene: whose billboards hide nothing.
    eye: its place counts, not where it looks.
    points: (x, y, z), float32 [P, 3].
    but: boxes that hide nothing, bool [K], such as one that holds the point.

  Returns:
    bool [P].
  """
  return clear_to(scene, eye, points - jnp.stack([eye.x, eye.y, eye.z]), but) >= 1


def clear_to(scene: Scene, eye: Camera, rays: jax.Array, but: jax.Array | None = None) -> jax.Array:
  """How far rays from an eye go until they meet a wall or a box, in lengths of the ray.

  Args:
    scene: whose floor and ceiling are no obstacles here.
    eye: where the rays begin.
    rays: (x, y, z), float32 [P, 3].
    but: boxes that do not count, bool [K].

  Returns:
    float32 [P].
  """
  rays = jnp.where(jnp.abs(rays) < 1e-6, 1e-6, rays)
  hits = crossings(edges(scene.solid), eye.x, eye.y, rays[:, 0], rays[:, 1])
  wall = columns.wall_depth(*hits)
  boxes = scene.boxes
  enter, leave, _ = columns.slab(boxes, eye.x, eye.y, rays[:, 0], rays[:, 1])
  down, up = (boxes.low[:, 2:] - eye.z) / rays[:, 2], (boxes.high[:, 2:] - eye.z) / rays[:, 2]
  enter = jnp.maximum(jnp.maximum(enter, jnp.minimum(down, up)), 0)
  leave = jnp.minimum(leave, jnp.maximum(down, up))
  hides = boxes.on if but is None else boxes.on & ~but
  meets = (enter < leave) & hides[:, None]
  return jnp.minimum(wall, jnp.where(meets, enter, jnp.inf).min(0, initial=jnp.inf))


def distances(x: jax.Array, y: jax.Array, points: jax.Array) -> jax.Array:
  """How far points [P, 2 or 3] are from a place, seen from above, [P]."""
  return jnp.hypot(points[:, 0] - x, points[:, 1] - y)


def touches(x: jax.Array, y: jax.Array, points: jax.Array, within: float = TOUCH) -> jax.Array:
  """Whether a body at a place touches things whose middles are points [P, 2 or 3], bool [P]."""
  return distances(x, y, points) < within


def aims_at(eye: Camera, points: jax.Array, within: float, degrees: float) -> jax.Array:
  """Whether points [P, 2 or 3] are within a distance and an angle of where an eye looks, [P]."""
  away_x, away_y = points[:, 0] - eye.x, points[:, 1] - eye.y
  ahead = away_x * eye.cos + away_y * eye.sin
  far = jnp.hypot(away_x, away_y)
  return (far <= within) & (ahead >= far * np.cos(np.deg2rad(degrees)).astype(np.float32))
