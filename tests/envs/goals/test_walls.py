"""The geometry of mazes against slow oracles: many tiny moves, dense samples, a fine grid."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import coo_matrix, csgraph

from envs.goals import layouts, walls

COUNT = 1000
FINE = 10
"""Points of the fine grid along a cell's side."""
WALLED_OFF = """
#######
#000#1#
#000#1#
#######
"""


def blocked(drawing):
  return np.array([[char == "#" for char in line] for line in drawing.split()])


def inside(cells, points):
  """Whether points [..., 2] lie in a wall."""
  column, row = np.moveaxis(np.floor(points).astype(int), -1, 0)
  return cells[row, column]


class Scene:
  """A maze, and its functions compiled once for `COUNT` pairs."""

  def __init__(self, layout, seed):
    world = layout.world
    self.cells = world.walls.reshape(world.rows, world.columns)
    self.walls = walls.build(self.cells)
    rng = np.random.default_rng(seed)
    low = np.argwhere(~self.cells)[:, ::-1][rng.integers((~self.cells).sum(), size=(3, COUNT))]
    offset = rng.uniform(walls.HAIR, 1 - walls.HAIR, (3, COUNT, 2))
    self.a, self.b, self.c = (low + offset).astype(np.float32)
    self.push = rng.uniform(-0.99, 0.99, (COUNT, 2)).astype(np.float32)
    self.slide, self.sees, self.distance = (
      jax.jit(jax.vmap(lambda x, y, f=f: f(self.walls, x, y)))
      for f in (walls.slide, walls.sees, walls.distance)
    )


@pytest.fixture(scope="module", params=["four_rooms", "random"])
def scene(request):
  if request.param == "random":
    return Scene(layouts.random_maze(11, 3, 0.3), 0)
  return Scene(layouts.four_rooms(), 1)


def test_a_slide_ends_where_many_tiny_moves_do(scene):
  parts = 1000
  where = scene.a.astype(np.float64)
  for axis in (0, 1):
    for _ in range(parts):
      ahead = where.copy()
      ahead[:, axis] += scene.push[:, axis] / parts
      free = ~inside(scene.cells, ahead)
      where[free] = ahead[free]
  moved = np.asarray(scene.slide(scene.a, scene.push))
  assert moved.dtype == np.float32
  np.testing.assert_allclose(moved, where, atol=walls.HAIR + 1 / parts)


def test_no_walk_ends_inside_a_wall(scene):
  def step(at, key):
    at = jax.vmap(lambda x, d: walls.slide(scene.walls, x, d))(
      at, jax.random.uniform(key, at.shape, jnp.float32, -0.99, 0.99)
    )
    return at, at

  path = jax.lax.scan(step, jnp.asarray(scene.a), jax.random.split(jax.random.key(0), 300))[1]
  assert not inside(scene.cells, np.asarray(path)).any()


def test_a_point_pressed_into_a_wall_slides_along_it_and_stops_in_the_corner():
  maze = walls.build(blocked("#####\n#000#\n#000#\n#####"))
  at = jnp.array([1.5, 1.5], jnp.float32)
  for _ in range(20):
    at = walls.slide(maze, at, jnp.array([0.25, -0.1], jnp.float32))
  np.testing.assert_allclose(at, [4 - walls.HAIR, 1 + walls.HAIR], atol=1e-6)


def test_sight_is_that_of_dense_samples(scene):
  # Samples lie closer than two grazes, so that none misses a deeper cut.
  share = np.linspace(0, 1, 1500)[:, None, None]
  line = scene.a[:300].astype(np.float64) * (1 - share) + scene.b[:300] * share
  clear = ~inside(scene.cells, line).any(0)
  around = 2 * walls.GRAZE * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])[:, None, None]
  deep = inside(scene.cells, line + around)
  shut = deep.all(0).any(0)
  seen = np.asarray(scene.sees(scene.a, scene.b))[:300]
  assert seen[clear].all()
  assert not seen[shut].any()
  assert (clear | shut).mean() > 0.97
  assert clear.any()
  assert shut.any()


@pytest.mark.parametrize(
  ("a", "b", "seen"),
  [
    ((2, 1.5), (2, 2.5), True),  # between free cells
    ((1.5, 2), (3.5, 2), True),  # along
    ((3, 1), (3, 5), False),  # through the seam of a wall two cells thick
    ((2, 3), (4, 3), True),  # along its face
    ((1.5, 2.5), (1.5, 5.5), True),  # past it
    ((2, 3), (1, 5), True),  # from its corner
    ((2, 3), (4, 5), False),  # from corner to corner across it
    ((1.5, 1.5), (1.5, 1.5), True),  # to itself
  ],
)
def test_lines_along_the_lattice(a, b, seen):
  drawing = "######\n#0000#\n#0000#\n#0##0#\n#0##0#\n#0000#\n######"
  maze = walls.build(blocked(drawing))
  for x, y in ((a, b), (b, a)):
    x, y = np.array(x, np.float32), np.array(y, np.float32)
    assert bool(walls.sees(maze, x, y)) is seen
    assert bool(walls.sees(maze, jnp.asarray(x), jnp.asarray(y))) is seen


def fine_grid(cells):
  """The graph of straight steps between points of a fine grid, none of them through a wall."""
  rows, columns = cells.shape[0] * FINE, cells.shape[1] * FINE
  number = np.arange(rows * columns).reshape(rows, columns)
  points = (np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1) + 0.5) / FINE
  free = ~inside(cells, points)
  offsets = itertools.product(range(-4, 5), range(-4, 5))
  steps = [offset for offset in offsets if np.gcd(*offset) == 1 and offset > (0, 0)]
  edges = []
  for step in steps:
    start = points[free]
    end = start + np.array(step) / FINE
    share = np.linspace(0, 1, 20)[:, None, None]
    clear = ~inside(cells, start * (1 - share) + end * share).any(0)
    column, row = np.floor(end[clear] * FINE).astype(int).T
    ahead = number[row, column]
    edges.append((number[free][clear], ahead, np.full(len(ahead), np.hypot(*step) / FINE)))
  here, ahead, length = map(np.concatenate, zip(*edges, strict=True))
  return points.reshape(-1, 2), coo_matrix((length, (here, ahead)), (number.size,) * 2).tocsr()


def test_distances_are_those_over_a_fine_grid(scene):
  points, graph = fine_grid(scene.cells)
  rng = np.random.default_rng(0)
  free = np.flatnonzero(~inside(scene.cells, points))
  sources = rng.choice(free, 4)
  targets = rng.choice(free, COUNT)
  origins = np.arange(COUNT) % len(sources)
  grid = csgraph.dijkstra(graph, directed=False, indices=sources)[origins, targets]
  exact = scene.distance(
    points[sources[origins]].astype(np.float32), points[targets].astype(np.float32)
  )
  assert (exact <= grid + 1e-3).all()
  assert (grid <= 1.02 * exact + 0.1).all()


def test_distances_are_a_metric_no_shorter_than_the_crow_flies(scene):
  a, b, c = scene.a, scene.b, scene.c
  there, back = scene.distance(a, b), scene.distance(b, a)
  np.testing.assert_allclose(there, back, rtol=1e-5)
  assert (scene.distance(a, c) <= there + scene.distance(b, c) + 1e-3).all()
  assert (there >= np.linalg.norm(a - b, axis=-1) - 1e-5).all()
  np.testing.assert_array_equal(scene.distance(a, a), 0)


def test_compiled_or_not_the_answers_are_the_same(scene):
  a, b = jnp.asarray(scene.a[0]), jnp.asarray(scene.b[0])
  push = jnp.asarray(scene.push[0])
  slid = walls.slide(scene.walls, a, push)
  np.testing.assert_allclose(slid, scene.slide(scene.a, scene.push)[0], atol=1e-6)
  far = walls.distance(scene.walls, a, b)
  np.testing.assert_allclose(far, scene.distance(scene.a, scene.b)[0], rtol=1e-5)


@pytest.mark.parametrize(
  ("a", "b", "length"), [((1.5, 1.5), (5.5, 1.5), np.inf), ((1.5, 1.5), (3.5, 2.5), np.hypot(2, 1))]
)
def test_no_way_leads_out_of_a_closed_room(a, b, length):
  maze = walls.build(blocked(WALLED_OFF))
  found = walls.distance(maze, jnp.array(a, jnp.float32), jnp.array(b, jnp.float32))
  np.testing.assert_allclose(found, length, rtol=1e-6)


@pytest.mark.parametrize(
  ("drawing", "said"),
  [
    ("####\n#000\n####", "edge of the maze is open"),
    ("####\n#0##\n##0#\n####", "touch only at the corner of row 2 and column 2"),
  ],
)
def test_mazes_that_are_not_closed_or_meet_at_points_are_refused(drawing, said):
  with pytest.raises(ValueError, match=said):
    walls.build(blocked(drawing))
