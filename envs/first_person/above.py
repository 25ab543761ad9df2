"""A scene from above, for people: walls, floors, boxes, things, the body and where it looks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import columns
from envs.first_person.scene import TEXELS, Atlas, Camera, N, Scene, channels

PIXELS = 15
"""Of a cell."""
AGENT, GOAL = (40, 90, 255), (230, 30, 30)


def draw(scene: Scene, camera: Camera, atlas: Atlas, goal: jax.Array) -> jax.Array:
  """Draws the map: the body is a blue triangle, and a red ring is around the goal.

  Args:
    scene, camera, atlas: as in `caster.render`.
    goal: place (x, y, ...) of what the episode is about, float32; NaN for none.

  Returns:
    uint8 [255, 255, 3].
  """
  at = (np.arange(N * PIXELS, dtype=np.float32) + 0.5) / PIXELS
  x, y = jnp.asarray(at)[None, :], jnp.asarray(at)[:, None]
  bits = np.arange(N, dtype=np.uint32)

  def cells(rows: jax.Array) -> jax.Array:
    return (rows[:, None] << bits).astype(jnp.int32) < 0

  def enlarged(of_cells: jax.Array) -> jax.Array:
    return of_cells.repeat(PIXELS, axis=0).repeat(PIXELS, axis=1)

  hatched = ((jnp.arange(N * PIXELS)[:, None] + jnp.arange(N * PIXELS)) // 3 % 2)[..., None] == 0
  image = enlarged(channels(columns.darken(scene.floor, jnp.uint32(200))))
  image = jnp.where(enlarged(cells(scene.void))[..., None] & hatched, jnp.uint8(20), image)
  image = jnp.where(enlarged(cells(scene.solid))[..., None], enlarged(channels(scene.wall)), image)
  boxes = scene.boxes
  for k in range(boxes.on.shape[0]):
    (west, north, _), (east, south, _) = boxes.low[k], boxes.high[k]
    on = boxes.on[k] & (x >= west) & (x < east) & (y >= north) & (y < south)
    image = jnp.where(on[..., None], channels(boxes.colour[k]), image)
  cards = scene.billboards
  for k in range(cards.on.shape[0]):
    across = (x - cards.foot[k, 0]) / cards.size[k] + 0.5
    down = (y - cards.foot[k, 1]) / cards.size[k] + 0.5
    column, row = (jnp.floor(part * TEXELS).astype(jnp.int32) for part in (across, down))
    inside = cards.on[k] & (column >= 0) & (column < TEXELS) & (row >= 0) & (row < TEXELS)
    word = jnp.asarray(atlas.shapes)[cards.shape[k], jnp.clip(column, 0, TEXELS - 1)]
    texel = jnp.where(inside, word >> (2 * jnp.clip(row, 0, TEXELS - 1)).astype(jnp.uint32) & 3, 0)
    colour = jnp.where(texel == 3, cards.second[k], cards.colour[k])
    image = jnp.where((texel > 0)[..., None], channels(colour), image)
  ring = jnp.abs(jnp.hypot(x - goal[0], y - goal[1]) - 0.5) < 0.07
  image = jnp.where(ring[..., None], jnp.array(GOAL, jnp.uint8), image)
  ahead = (x - camera.x) * camera.cos + (y - camera.y) * camera.sin
  aside = (y - camera.y) * camera.cos - (x - camera.x) * camera.sin
  agent = (ahead > -0.3) & (ahead < 0.4) & (jnp.abs(aside) < (0.4 - ahead) * 0.45)
  return jnp.where(agent[..., None], jnp.array(AGENT, jnp.uint8), image)
