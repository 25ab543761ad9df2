"""Draws a first-person picture inside the compiled program, and many of them at once.

Three stages: where the rays meet walls, what fills each column, the pixels. If the compiler could,
it would fuse all of them, so that every pixel searches for its wall again: fifty times as slow. An
optimisation barrier does not keep it from that on a CPU, where all barriers are dropped before
fusing; a loop does, so the stages between are loops over two halves of the batch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from envs.first_person import columns, pixels
from envs.first_person.crossing import crossings, edges
from envs.first_person.scene import Atlas, Camera, Scene

AT_ONCE = 64
"""Pictures of a chunk of a large batch, on a CPU: their columns and pixels stay in its caches."""


class Picture(NamedTuple):
  """What can be known of each pixel.

  Attributes:
    depth: along the heading, float32 [H, W], cells.
    thing: int32 [H, W]: 0 ceiling, 1 floor, 2 wall, 3 + k billboard k, then the boxes.
  """

  depth: jax.Array
  thing: jax.Array


def render(
  scene: Scene, camera: Camera, atlas: Atlas, height: int = 64, width: int = 64
) -> jax.Array:
  """Draws what a camera sees: uint8 [H, W, 3], over 90 degrees from left to right.

  Written for one picture; under any number of vmaps all are drawn together.
  """

  return _renderer(atlas, height, width)(scene, camera)


def probe(scene: Scene, camera: Camera, atlas: Atlas, height: int = 64, width: int = 64) -> Picture:
  """Depth and thing of each pixel of the same picture, for instruments; no policy may see them."""

  return _prober(atlas, height, width)(scene, camera)


@functools.lru_cache(maxsize=64)
def _renderer(atlas: Atlas, height: int, width: int) -> Callable[[Scene, Camera], jax.Array]:
  def colours(scene: Scene, camera: Camera) -> jax.Array:
    return _fence(jax.vmap(pixels.pack), _image(scene, camera, atlas, height, width, lit=True))

  return jax.jit(_batched(colours))


@functools.lru_cache(maxsize=64)
def _prober(atlas: Atlas, height: int, width: int) -> Callable[[Scene, Camera], Picture]:
  def parts(scene: Scene, camera: Camera) -> Picture:
    image = _image(jax.vmap(_numbered)(scene), camera, atlas, height, width, lit=False)
    return jax.vmap(functools.partial(_parts, height=height, width=width))(scene, camera, image)

  return jax.jit(_batched(parts))


def _numbered(scene: Scene) -> Scene:
  """A scene whose colours are the numbers of its things."""
  cards, boxes = scene.billboards, scene.boxes
  count = cards.shape.shape[0]
  card = 3 + jnp.arange(count, dtype=jnp.uint32)
  return scene._replace(
    floor=jnp.ones_like(scene.floor),
    ceiling=jnp.zeros_like(scene.ceiling),
    wall=jnp.full_like(scene.wall, 2),
    billboards=cards._replace(colour=card, second=card),
    boxes=boxes._replace(
      colour=3 + count + jnp.arange(boxes.on.shape[0], dtype=jnp.uint32),
    ),
  )


def _meet(scene: Scene, camera: Camera, width: int) -> tuple[jax.Array, jax.Array]:
  rays = columns.rays_of(camera, width)
  return crossings(edges(scene.solid), camera.x, camera.y, rays.x, rays.y)


def _parts(scene: Scene, camera: Camera, image: jax.Array, height: int, width: int) -> Picture:
  thing = (image & 0xFFFFFF).astype(jnp.int32)
  wall = columns.wall_depth(*_meet(scene, camera, width))
  bits = ((image >> 24) + columns.NEAR_BITS << 18) + (1 << 17)
  depth = jax.lax.bitcast_convert_type(bits, jnp.float32)
  ground, _ = pixels.row_depth(camera, columns.view_of(camera, height, width, lit=False))
  depth = jnp.where(thing == 2, wall, jnp.where(thing < 2, ground[:, None], depth))
  return Picture(depth, thing)


def _image(
  scene: Scene, camera: Camera, atlas: Atlas, height: int, width: int, lit: bool
) -> jax.Array:
  """A batch of pictures, uint32 [B, H, W], of scenes and cameras whose leaves lead with B."""

  def fill(scene: Scene, camera: Camera, vertical: jax.Array, horizontal: jax.Array) -> Any:
    view, rays = columns.view_of(camera, height, width, lit), columns.rays_of(camera, width)
    depth = columns.wall_depth(vertical, horizontal)
    return (
      pixels.ground(scene, camera, view, rays),
      columns.wall_columns(scene, camera, atlas, view, rays, vertical, horizontal),
      columns.card_columns(scene, camera, atlas, view, rays, depth),
      columns.block_columns(scene, camera, view, rays, depth),
    )

  hits = jax.vmap(functools.partial(_meet, width=width))(scene, camera)
  return jax.vmap(pixels.draw)(*_fence(jax.vmap(fill), scene, camera, *hits))


def _fence(function: Callable[..., Any], *arguments: Any) -> Any:
  """Applies a function to batches in two halves, in a loop, of which nothing is fused with what
  comes before or after; the batch is even."""

  def halves(x: jax.Array) -> jax.Array:
    return x.reshape(2, x.shape[0] // 2, *x.shape[1:])

  def whole(x: jax.Array) -> jax.Array:
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])

  split = jax.tree.map(halves, arguments)
  _, results = jax.lax.scan(lambda _, half: (None, function(*half)), None, split)
  return jax.tree.map(whole, results)


def _batched(function: Callable[[Scene, Camera], Any]) -> Callable[[Scene, Camera], Any]:
  """`function`, of an even batch, for one scene and camera; vmaps hand it all of theirs."""

  @jax.custom_batching.custom_vmap
  def draw(scene: Scene, camera: Camera) -> Any:
    leading = camera.x.shape
    size, axes = math.prod(leading), len(leading)
    flat = jax.tree.map(lambda x: x.reshape(size, *x.shape[axes:]), (scene, camera))
    drawn = jax.lax.platform_dependent(
      *flat, cpu=functools.partial(_in_chunks, function), default=functools.partial(_even, function)
    )
    return jax.tree.map(lambda x: x.reshape(*leading, *x.shape[1:]), drawn)

  @draw.def_vmap
  def _(size: int, batched: Any, scene: Scene, camera: Camera) -> Any:
    def with_axis(x: jax.Array, has_axis: bool) -> jax.Array:
      return x if has_axis else jnp.broadcast_to(x, (size, *x.shape))

    drawn = draw(*jax.tree.map(with_axis, (scene, camera), tuple(batched)))
    return drawn, jax.tree.map(lambda _: True, drawn)

  return draw


def _padded(batch: Any, to: int) -> Any:
  """A batch with its first entry repeated at its end, until its size is a multiple of `to`."""

  def pad(x: jax.Array) -> jax.Array:
    more = -x.shape[0] % to
    return x if not more else jnp.concatenate([x, jnp.repeat(x[:1], more, axis=0)])

  return jax.tree.map(pad, batch)


def _even(function: Callable[..., Any], scene: Scene, camera: Camera) -> Any:
  size = camera.x.shape[0]
  return jax.tree.map(lambda x: x[:size], function(*_padded((scene, camera), 2)))


def _in_chunks(function: Callable[..., Any], scene: Scene, camera: Camera) -> Any:
  size = camera.x.shape[0]
  if size <= AT_ONCE:
    return _even(function, scene, camera)
  chunks = jax.tree.map(
    lambda x: x.reshape(x.shape[0] // AT_ONCE, AT_ONCE, *x.shape[1:]),
    _padded((scene, camera), AT_ONCE),
  )
  drawn = jax.lax.map(lambda chunk: function(*chunk), chunks)
  count = chunks[1].x.size
  return jax.tree.map(lambda x: x.reshape(count, *x.shape[2:])[:size], drawn)
