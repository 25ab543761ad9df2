"""How a body moves among walls, chasms and boxes, and what it sees from where it stands."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person import body
from envs.first_person.scene import Boxes, N, bit_rows, cell_at
from tests.envs.first_person import scenes

FORWARD = body.ACTIONS.index("forward")


def boxes(*corners):
  low, high = (jnp.float32([c[k] for c in corners]) for k in (0, 1))
  count = len(corners)
  return Boxes(low, high, jnp.zeros(count, jnp.uint32), jnp.ones(count, bool))


def pose(x, y, heading=0, ground=0.0):
  return body.Pose(jnp.float32(x), jnp.float32(y), jnp.float32(ground), jnp.int32(heading))


def walked(scene, start, *actions):
  step = jax.jit(body.walk)
  for action in actions:
    start = step(scene, start, jnp.int32(action))
  return start


def test_a_body_walks_three_tenths_of_a_cell_ahead():
  end = walked(scenes.hall(), pose(8, 8), FORWARD)
  np.testing.assert_allclose((end.x, end.y), (8.3, 8.0), atol=1e-6)


def test_a_body_stops_short_of_a_wall_and_slides_along_it():
  start = pose(15.7, 8, heading=3)
  end = walked(scenes.hall(), start, FORWARD)
  assert end.x == start.x
  np.testing.assert_allclose(end.y - start.y, 0.3 * np.sin(np.deg2rad(36)), atol=1e-6)


def test_thirty_turns_bring_the_picture_back():
  start = pose(8, 8)
  turned = walked(scenes.hall(), start, *[body.ACTIONS.index("turn left")] * 30)
  assert jax.tree.all(jax.tree.map(jnp.array_equal, start, turned))


@pytest.mark.parametrize("kind", ["solid", "void"])
def test_walls_and_chasms_stop_a_body(kind):
  cells = np.zeros((N, N), bool)
  cells[:, 9] = True
  scene = scenes.hall()
  scene = scene._replace(**{kind: getattr(scene, kind) | bit_rows(cells)})
  end = walked(scene, pose(8.2, 8), *[FORWARD] * 5)
  assert 8.2 < end.x <= 8.75


def test_a_chasm_does_not_hide_what_is_beyond():
  cells = np.zeros((N, N), bool)
  cells[:, 9] = True
  hall, points = scenes.hall(), jnp.float32([[12, 8, 0.5]])
  eye = body.camera_of(pose(8, 8))
  assert body.sees(hall._replace(void=bit_rows(cells)), eye, points)[0]
  assert not body.sees(hall._replace(solid=hall.solid | bit_rows(cells)), eye, points)[0]


@pytest.mark.parametrize(
  ("low", "high", "passes"),
  [(0.0, 0.5, False), (0.0, 0.2, True), (0.9, 1.0, True), (0.5, 0.8, False)],
)
def test_a_box_stops_a_body_unless_it_is_a_step_or_above_it(low, high, passes):
  scene = scenes.hall(boxes=boxes(([9, 7, low], [9.5, 9, high])))
  end = walked(scene, pose(8.2, 8), *[FORWARD] * 8)
  assert (end.x > 10) == passes


def test_a_body_climbs_two_steps_and_comes_down_again():
  stairs = boxes(([9, 7, 0], [10, 9, 0.2]), ([10, 7, 0], [11, 9, 0.4]))
  scene = scenes.hall(boxes=stairs)
  heights, at = [], pose(8.2, 8)
  for _ in range(12):
    at = walked(scene, at, FORWARD)
    heights.append(round(float(at.ground), 3))
  assert {0.2, 0.4} <= set(heights)
  assert heights[-1] == 0.0
  assert walked(scene, pose(11.6, 8, heading=15), *[FORWARD] * 5).ground == 0


def test_a_body_walks_out_of_a_box_that_has_come_over_it():
  scene = scenes.hall(boxes=boxes(([7.9, 7, 0], [8.4, 9, 1])))
  assert walked(scene, pose(8.3, 8), *[FORWARD] * 4).x > 9


def test_a_body_is_never_inside_a_wall():
  rng = np.random.default_rng(0)
  step = jax.jit(jax.vmap(body.walk, (0, 0, 0)))
  scenes_, cameras = scenes.stack([scenes.random_scene(seed) for seed in range(16)])
  where = jax.vmap(lambda c: pose(0, 0)._replace(x=c.x, y=c.y))(cameras)
  for _ in range(150):
    where = step(scenes_, where, jnp.int32(rng.integers(0, 10, 16)))
    for x, y, solid in zip(where.x, where.y, scenes_.solid, strict=True):
      for by_x, by_y in ((0.24, 0), (-0.24, 0), (0, 0.24), (0, -0.24)):
        assert not cell_at(solid, jnp.int32(y + by_y), jnp.int32(x + by_x))


def test_a_shut_door_hides_what_is_behind_it_but_not_itself():
  scene = scenes.hall(boxes=boxes(([10, 7, 0], [10.5, 9, 1])))
  eye, points = body.camera_of(pose(8, 8)), jnp.float32([[12, 8, 0.3], [9, 8, 0.3], [10.2, 8, 0.3]])
  assert list(body.sees(scene, eye, points)) == [False, True, False]
  assert all(body.sees(scene, eye, points, but=jnp.array([True])))


def test_what_stands_on_a_low_box_is_seen():
  scene = scenes.hall(boxes=boxes(([10, 7, 0], [11, 9, 0.4])))
  eye = body.camera_of(pose(8, 8))
  assert body.sees(scene, eye, jnp.float32([[10.8, 8, 0.5]]))[0]
  assert not body.sees(scene, eye, jnp.float32([[12, 8, 0.1]]))[0]


def test_touch_and_aim_go_by_distance_and_angle():
  points = jnp.float32([[8.4, 8], [8.6, 8], [9, 8.3], [7.6, 8]])
  assert list(body.touches(jnp.float32(8), jnp.float32(8), points)) == [True, False, False, True]
  eye = body.camera_of(pose(8, 8))
  assert list(body.aims_at(eye, points, 1.5, 10.0)) == [True, True, False, False]
  assert list(body.aims_at(eye, points, 0.5, 20.0)) == [True, False, False, False]
