"""What a first-person picture shows, and that how many are drawn at once changes nothing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person import caster
from envs.first_person.scene import Billboards, Boxes, N, bit_rows, texel_columns
from tests.envs.first_person import scenes
from tests.envs.first_person.many_scenes import ALLOWED, compared, drawn, probed


def test_pictures_under_two_vmaps_are_each_the_same_to_the_bit_as_alone():
  pairs = [scenes.random_scene(seed) for seed in range(6)]
  grid = jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), scenes.stack(pairs))
  together = jax.jit(jax.vmap(jax.vmap(drawn())))(*grid).reshape(6, 64, 64, 3)
  for (scene, camera), picture in zip(pairs, together, strict=True):
    np.testing.assert_array_equal(picture, drawn()(scene, camera))


def test_a_large_batch_drawn_in_chunks_is_the_same_to_the_bit():
  scene, cameras = scenes.hall(), [scenes.camera(8, 8, 0.1 * k) for k in range(caster.AT_ONCE + 3)]
  many = jax.tree.map(lambda *leaves: jnp.stack(leaves), *cameras)
  together = jax.jit(jax.vmap(drawn(), (None, 0)))(scene, many)
  assert together.shape == (caster.AT_ONCE + 3, 64, 64, 3)
  for k in (0, caster.AT_ONCE - 1, caster.AT_ONCE + 2):
    np.testing.assert_array_equal(together[k], drawn()(scene, cameras[k]))


@pytest.mark.parametrize("distance", [1.0, 2.5, 6.0])
def test_a_walls_height_and_depth_follow_its_distance(distance):
  picture = probed()(scenes.hall(), scenes.camera(16 - distance, 8.3, 0.0))
  ahead = picture.thing[:, 32] == 2
  rows = np.flatnonzero(ahead)
  assert abs(rows[0] - (32 - 16 / distance)) <= 1
  assert abs(rows[-1] + 1 - (32 + 16 / distance)) <= 1
  np.testing.assert_allclose(picture.depth[32, 16:48], distance, rtol=1 / 32)


@pytest.mark.parametrize("seed", range(12))
def test_pictures_equal_those_of_a_ray_marcher(seed):
  assert max(compared(seed)) <= ALLOWED


def mirrored(scene, camera):
  """The world and the camera as a mirror shows them that stands along the map's columns."""
  rows = np.asarray(scene.solid)
  cells = rows[:, None] >> (31 - np.arange(N)).astype(np.uint32) & 1
  cards, boxes = scene.billboards, scene.boxes
  across = jnp.float32([-1, 1, 1])
  low, high = (corner * across + jnp.float32([N, 0, 0]) for corner in (boxes.low, boxes.high))
  scene = scene._replace(
    solid=bit_rows(cells[:, ::-1]),
    floor=scene.floor[:, ::-1],
    wall=scene.wall[:, ::-1],
    billboards=cards._replace(
      foot=cards.foot * across + jnp.float32([N, 0, 0]), shape=(cards.shape + 8) % 16
    ),
    boxes=boxes._replace(low=low.at[:, 0].set(high[:, 0]), high=high.at[:, 0].set(low[:, 0])),
  )
  return scene, camera._replace(x=N - camera.x, cos=-camera.cos)


@pytest.mark.parametrize("seed", range(4))
def test_a_mirrored_world_gives_the_mirrored_picture(seed):
  pair = scenes.random_scene(seed)
  picture, mirror = drawn()(*pair), drawn()(*mirrored(*pair))
  assert (picture != mirror[:, ::-1]).any(-1).mean() <= ALLOWED


def test_of_two_boxes_the_nearer_one_hides_the_other_in_either_order():
  low, high = jnp.float32([[9, 7, 0], [11, 6, 0]]), jnp.float32([[10, 9, 1], [12, 10, 1]])
  colour, camera = jnp.uint32([0xFF, 0xFF00]), scenes.camera(6, 8, 0.0)
  for order in ([0, 1], [1, 0]):
    boxes = Boxes(low, high, colour, jnp.ones(2, bool))
    scene = scenes.hall(boxes=jax.tree.map(lambda x, order=order: x[jnp.array(order)], boxes))
    thing = np.asarray(probed()(scene, camera).thing)
    first = 3 + order.index(0)
    assert (thing[32, 28:36] == first).all()
    assert {3, 4} <= set(np.unique(thing))


def test_what_is_behind_a_wall_is_hidden_and_what_stands_close_before_it_is_not():
  solid = np.zeros((N, N), bool)
  solid[:, 10] = True
  boxes = Boxes(
    jnp.float32([[9.98, 7, 0.2], [11, 7, 0.2]]),
    jnp.float32([[10, 9, 0.8], [12, 9, 0.8]]),
    jnp.uint32([0xFFFFFF, 0]),
    jnp.ones(2, bool),
  )
  scene = scenes.hall(boxes=boxes)
  scene = scene._replace(solid=scene.solid | bit_rows(solid))
  for x in (2.0, 5.0, 8.0):
    thing = np.asarray(probed()(scene, scenes.camera(x, 8, 0.0)).thing)
    assert thing[32, 32] == 3
    assert 4 not in thing


def test_a_billboard_stands_on_a_table_and_hides_the_wall_behind():
  table = Boxes(
    jnp.float32([[9, 7, 0]]), jnp.float32([[11, 9, 0.4]]), jnp.uint32([0xFF]), jnp.ones(1, bool)
  )
  card = Billboards(
    jnp.float32([[10, 8, 0.4]]),
    jnp.float32([0.3]),
    jnp.int32([0]),
    jnp.uint32([0xFF00]),
    jnp.uint32([0xFF00]),
    jnp.ones(1, bool),
  )
  atlas = dataclasses.replace(scenes.ATLAS, shapes=texel_columns(np.ones((1, 16, 16), int)))
  picture = caster.probe(scenes.hall(card, table), scenes.camera(7, 8, 0.0), atlas)
  rows, columns = np.nonzero(np.asarray(picture.thing) == 3)
  # Three cells away, 32 pixels a cell at one cell: .3 cells are 3.2 pixels.
  assert 9 <= len(rows) <= 16
  assert abs(rows.max() + 1 - (32 + 0.1 * 32 / 3)) <= 1
  assert abs(columns.mean() - 31.5) <= 0.5


@pytest.mark.parametrize(("height", "width"), [(72, 96), (33, 20)])
def test_other_sizes_are_drawn(height, width):
  scene, camera = scenes.random_scene(0)
  picture = drawn(height, width)(scene, camera)
  assert picture.shape == (height, width, 3)
  assert picture.dtype == np.uint8
