"""The same pictures, drawn slowly: each pixel's ray goes ahead in small steps until it is inside of
something, and the place where it entered is then found by halving. Of the renderer it shares the
scene's encoding and none of its geometry.
"""

from typing import NamedTuple

import numpy as np

from envs.first_person.scene import N

STEP = 0.003
AT_ONCE = 32
"""Steps that are looked at together."""
HALVINGS = 24
FARTHEST = 26.0
NEAREST = 0.125


class Marched(NamedTuple):
  """thing int [H, W] as in `caster.Picture`, depth float [H, W], colour uint8 [H, W, 3], and
  whether a pixel is of the top or bottom of a box, whose light the renderer takes elsewhere."""

  thing: np.ndarray
  depth: np.ndarray
  colour: np.ndarray
  cap: np.ndarray


def _bytes(colour):
  return np.stack([np.asarray(colour) >> shift & 255 for shift in (0, 8, 16)], -1)


def _lit(colour, depth, sixteenths=16):
  """A colour as it looks at a depth: 32 steps of light an octave, from 1/8 cell on."""
  octave = np.floor(np.log2(depth))
  steps = 32 * (octave + 3) + np.floor((depth / 2.0**octave - 1) * 32)
  light = np.minimum(300 - np.clip(steps, 0, 253), 255).astype(int) * sixteenths >> 4
  return _bytes(colour) * np.asarray(light)[..., None] >> 8


class _World:
  """A scene as NumPy has it, with the questions that a ray asks of it."""

  def __init__(self, scene, camera, atlas):
    self.scene, self.atlas = scene, atlas
    rows = np.asarray(scene.solid)
    self.solid = (rows[:, None] >> (31 - np.arange(N)).astype(np.uint32) & 1).astype(bool)
    self.eye = np.array([camera.x, camera.y, camera.z], np.float64)
    self.forward = np.array([camera.cos, camera.sin], np.float64)
    self.right = np.array([-camera.sin, camera.cos], np.float64)
    self.low, self.high = np.asarray(scene.boxes.low), np.asarray(scene.boxes.high)
    self.boxes_on = np.asarray(scene.boxes.on)
    cards = scene.billboards
    away = np.asarray(cards.foot, np.float64)[:, :2] - self.eye[:2]
    self.card_depth, self.card_right = away @ self.forward, away @ self.right

  def inside(self, points):
    """The thing that each point [..., 3] is inside of: a wall (2), a box, or none (-1)."""
    thing = np.full(points.shape[:-1], -1)
    first = 3 + len(self.card_depth)
    for k in np.flatnonzero(self.boxes_on):
      within = ((points >= self.low[k]) & (points <= self.high[k])).all(-1)
      thing[within] = first + k
    column, row = np.moveaxis(np.floor(points[..., :2]).astype(int).clip(0, N - 1), -1, 0)
    thing[self.solid[row, column] & (points[..., 2] >= 0) & (points[..., 2] <= 1)] = 2
    return thing

  def card(self, k, rays):
    """Where rays [P, 3] meet billboard k: the texel there, 0 for nothing; int [P]."""
    cards = self.scene.billboards
    depth, size, foot = self.card_depth[k], float(cards.size[k]), float(cards.foot[k, 2])
    if not cards.on[k] or depth <= NEAREST:
      return np.zeros(len(rays), int)
    across = depth * (rays[:, :2] @ self.right) - self.card_right[k]
    height = self.eye[2] + depth * rays[:, 2] - foot
    column = np.floor((across / size + 0.5) * 16).astype(int)
    row = np.floor((1 - height / size) * 16).astype(int)
    on = (column >= 0) & (column < 16) & (row >= 0) & (row < 16)
    word = np.asarray(self.atlas.shapes)[int(cards.shape[k]), column.clip(0, 15)]
    return np.where(on, word >> (2 * row.clip(0, 15)).astype(np.uint32) & 3, 0)

  def wall_colour(self, before, after, depth):
    """Of walls that were entered between points [P, 3], uint8 [P, 3]."""
    column, row = np.floor(after[:, :2]).astype(int).T
    crossed_x = column != np.floor(before[:, 0])
    along = np.where(crossed_x, after[:, 1], after[:, 0])
    look = np.asarray(self.scene.wall)[row, column]
    word = self.atlas.walls[look >> 24, (along % 1 * 16).astype(int)]
    level = ((1 - after[:, 2]) * 16).astype(int).clip(0, 15)
    second = (word >> (2 * level).astype(np.uint32) & 3) == 3
    face = np.where(crossed_x, 16, 13)
    return _lit(look & 0xFFFFFF, depth, np.where(second, face * 12 >> 4, face))

  def box_colour(self, k, before, depth):
    """Of boxes k [P] that were entered from points [P, 3], and whether through top or bottom."""
    cap = (before[:, 2] > self.high[k, 2]) | (before[:, 2] < self.low[k, 2])
    by_x = (before[:, 0] < self.low[k, 0]) | (before[:, 0] > self.high[k, 0])
    colour = np.asarray(self.scene.boxes.colour)[k]
    return _lit(colour, depth, np.where(cap | by_x, 16, 13)), cap


def march(scene, camera, atlas, height=64, width=64, step=STEP):
  world = _World(scene, camera, atlas)
  focal, horizon = width / 2, height / 2 + width / 2 * float(camera.pitch)
  column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
  flat = world.forward + ((column - width / 2) / focal)[..., None] * world.right
  rays = np.concatenate([flat, ((horizon - row) / focal)[..., None]], -1).reshape(-1, 3)
  # Floor and ceiling.
  down = rays[:, 2] < 0
  end = np.where(down, -world.eye[2], 1 - world.eye[2]) / np.where(rays[:, 2], rays[:, 2], 1e-9)
  thing, depth = np.where(down, 1, 0), np.where(np.abs(rays[:, 2]) < 1e-9, 1e9, end)
  place = np.floor(world.eye[:2] + depth.clip(0, 99)[:, None] * rays[:, :2])
  x, y = place.astype(int).clip(0, N - 1).T
  ground = np.where(down, np.asarray(scene.floor)[y, x], int(scene.ceiling))
  colour = _lit(ground, depth.clip(NEAREST, 31.9))
  cap = np.zeros(len(rays), bool)
  # Walls and boxes: where each ray has entered one, and the step before.
  entered, near = np.full(len(rays), -1), np.zeros(len(rays))
  active, end = np.arange(len(rays)), depth.copy()
  for start in np.arange(NEAREST, FARTHEST, step * AT_ONCE):
    steps = np.minimum(start + step * np.arange(AT_ONCE)[:, None], end[active])
    things = world.inside(world.eye + steps[..., None] * rays[active])
    hit, first = (things >= 0).any(0), (things >= 0).argmax(0)
    beyond, which = active[hit], first[hit]
    entered[beyond] = things[which, np.flatnonzero(hit)]
    depth[beyond] = steps[which, np.flatnonzero(hit)]
    near[beyond] = depth[beyond] - step
    active = active[~hit & (start + step * AT_ONCE < end[active])]
  hits = np.flatnonzero(entered >= 0)
  for _ in range(HALVINGS):
    middle = (near[hits] + depth[hits]) / 2
    free = world.inside(world.eye + middle[:, None] * rays[hits]) < 0
    near[hits] = np.where(free, middle, near[hits])
    depth[hits] = np.where(free, depth[hits], middle)
  before, after = (world.eye + t[:, None] * rays for t in (near, depth))
  thing[hits] = entered[hits]
  walls, boxes = np.flatnonzero(entered == 2), np.flatnonzero(entered > 2)
  colour[walls] = world.wall_colour(before[walls], after[walls], depth[walls])
  k = entered[boxes] - 3 - len(world.card_depth)
  colour[boxes], cap[boxes] = world.box_colour(k, before[boxes], depth[boxes])
  # Billboards, the farthest first.
  for k in np.argsort(-world.card_depth):
    texel = world.card(k, rays)
    seen = (texel > 0) & (world.card_depth[k] < depth)
    cards = scene.billboards
    for tone, paint in ((1, cards.colour[k]), (3, cards.second[k])):
      colour[seen & (texel == tone)] = _lit(paint, np.float64(world.card_depth[k].clip(NEAREST)))
    thing[seen], depth[seen], cap[seen] = 3 + k, world.card_depth[k], False
  shape = (height, width)
  return Marched(
    thing.reshape(shape),
    depth.reshape(shape),
    colour.astype(np.uint8).reshape(*shape, 3),
    cap.reshape(shape),
  )
