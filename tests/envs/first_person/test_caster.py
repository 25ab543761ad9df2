"""What a first-person picture shows, and that how many are drawn at once changes nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.first_person import caster
from tests.envs.first_person import marcher, scenes


@functools.cache
def drawn(height=64, width=64):
  return jax.jit(lambda s, c: caster.render(s, c, scenes.ATLAS, height, width))


@functools.cache
def probed(height=64, width=64):
  return jax.jit(lambda s, c: caster.probe(s, c, scenes.ATLAS, height, width))


def test_many_pictures_are_each_the_same_to_the_bit_as_alone():
  pairs = [scenes.random_scene(seed) for seed in range(5)]
  together = jax.jit(jax.vmap(drawn()))(*scenes.stack(pairs))
  for (scene, camera), picture in zip(pairs, together, strict=True):
    np.testing.assert_array_equal(picture, drawn()(scene, camera))


def test_a_large_batch_drawn_in_chunks_is_the_same_to_the_bit():
  scene, cameras = scenes.hall(), [scenes.camera(8, 8, 0.1 * k) for k in range(caster.AT_ONCE + 3)]
  many = jax.tree.map(lambda *leaves: jnp.stack(leaves), *cameras)
  together = jax.jit(jax.vmap(drawn(), (None, 0)))(scene, many)
  assert together.shape == (caster.AT_ONCE + 3, 64, 64, 3)
  for k in (0, caster.AT_ONCE - 1, caster.AT_ONCE + 2):
    np.testing.assert_array_equal(together[k], drawn()(scene, cameras[k]))


def test_two_axes_of_scenes_are_drawn():
  pairs = [scenes.random_scene(seed) for seed in range(6)]
  batch = scenes.stack(pairs)
  grid = jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), batch)
  np.testing.assert_array_equal(
    jax.jit(jax.vmap(jax.vmap(drawn())))(*grid).reshape(6, 64, 64, 3), jax.vmap(drawn())(*batch)
  )


@pytest.mark.parametrize("distance", [1.0, 2.5, 6.0])
def test_a_walls_height_and_depth_follow_its_distance(distance):
  picture = probed()(scenes.hall(), scenes.camera(16 - distance, 8.3, 0.0))
  ahead = picture.thing[:, 32] == 2
  rows = np.flatnonzero(ahead)
  assert abs(rows[0] - (32 - 16 / distance)) <= 1
  assert abs(rows[-1] + 1 - (32 + 16 / distance)) <= 1
  np.testing.assert_allclose(picture.depth[32, 16:48], distance, rtol=1 / 32)


def compared(seed):
  """Shares of pixels that show another thing than those that were marched to, and another colour,
  which the caps of boxes take elsewhere."""
  scene, camera = jax.tree.map(np.asarray, scenes.random_scene(seed))
  marched = marcher.march(scene, camera, scenes.ATLAS)
  other = np.asarray(probed()(scene, camera).thing) != marched.thing
  picture = np.asarray(drawn()(scene, camera))
  differs = (picture != marched.colour).any(-1) & ~marched.cap
  return other.mean(), (other | differs).mean()


@pytest.mark.parametrize("seed", range(24))
def test_pictures_equal_those_of_a_ray_marcher(seed):
  other, differs = compared(seed)
  assert other <= 0.005
  assert differs <= 0.005


@pytest.mark.parametrize(("height", "width"), [(72, 96), (128, 128), (33, 20)])
def test_other_sizes_are_drawn(height, width):
  scene, camera = scenes.random_scene(0)
  picture = drawn(height, width)(scene, camera)
  assert picture.shape == (height, width, 3)
  assert picture.dtype == np.uint8
