"""Reacher: an arm of two links is to take a pose.

Its physics are those of dm_control's reacher (Tassa et al. 2018, arXiv 1801.00690), the limit of
the wrist included: in the plane MuJoCo's step has a closed form, because the solver's answer for
one limit is one division. The pose is the goal, and not the fingertip alone, which two poses can
put in the same place. Velocities are not seen: a view is what can be asked for.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.classic.picture import BODY, EFFECTOR, LINE, TARGET, Rod, draw
from envs.classic.point_mass import limit_acceleration
from envs.environment import registry
from envs.goals import rejection, two_points
from envs.goals.goal_environment import FAR_SHARE, GoalEnvironment, GoalState

STEP_SECONDS, DAMPING, GEAR, DENSITY = 0.02, 0.01, 0.05, 1000.0
LINK, THICKNESS = 0.12, 0.01
"""Length of either link and radius of its rods, metres; the second rod is 2 cm shorter."""
HAND_ROD = 0.1
WRIST_LIMIT = math.radians(160)
RADIUS = 0.05
"""Of success, metres: the size of dm_control's easy target."""
START = np.zeros(2, np.float32)
"""Angles of the pose in which episodes begin: stretched out along x."""
ROWS, COLUMNS = 16, 18
"""Places: 20 degrees of the wrist by 20 degrees of the shoulder."""
WINDOW = two_points.Window((-0.27, -0.27), (0.27, 0.27))
_BOX = np.array([math.pi, WRIST_LIMIT], np.float32)


def _capsule(length: float) -> tuple[float, float]:
  """Mass, kg, and moment of inertia about its first end, kg m^2, of a rod with round ends."""
  bar = DENSITY * math.pi * THICKNESS**2 * length
  ends = DENSITY * 4 / 3 * math.pi * THICKNESS**3
  about_middle = bar * (THICKNESS**2 / 4 + length**2 / 12) + ends * (
    2 / 5 * THICKNESS**2 + length**2 / 4 + 3 / 8 * length * THICKNESS
  )
  return bar + ends, about_middle + (bar + ends) * (length / 2) ** 2


_UPPER_INERTIA = _capsule(LINK)[1]
_HAND_MASS, _HAND_INERTIA = _capsule(HAND_ROD)
_FINGER_MASS = DENSITY * 4 / 3 * math.pi * THICKNESS**3
LOWER_INERTIA = _HAND_INERTIA + _FINGER_MASS * (2 / 5 * THICKNESS**2 + LINK**2)
"""Of hand and finger about the wrist, kg m^2."""
INERTIA = _UPPER_INERTIA + (_HAND_MASS + _FINGER_MASS) * LINK**2 + LOWER_INERTIA
"""Of the arm about the shoulder but for twice `COUPLING` times the wrist's cosine, kg m^2."""
COUPLING = LINK * (_HAND_MASS * HAND_ROD / 2 + _FINGER_MASS * LINK)
_STRETCHED = LOWER_INERTIA + COUPLING
_COMPLIANCE = (INERTIA + 2 * COUPLING) / ((INERTIA + 2 * COUPLING) * LOWER_INERTIA - _STRETCHED**2)
"""Of the wrist where the arm is stretched out, by which MuJoCo scales how soft its limit is."""


class Arm(NamedTuple):
  """Angles, rad, and velocities, rad/s, of shoulder and wrist, float32 [2] each."""

  angles: jax.Array
  velocities: jax.Array


class Reacher(GoalEnvironment[Arm]):
  """An arm in the plane, turned by motors at shoulder and wrist.

  An action, float32 [2], is the torques in units of `GEAR` N m. A view is the cosines and then the
  sines of both angles, float32 [4]; or, in pixels, uint8 [54, 54, 3], with the wrist in red and the
  fingertip in blue. The distance of two poses is the length of the shortest way between them in
  radians of both joints: the shoulder turns all round, the wrist does not (in pixels, within .005).
  A goal is reached where no point of the arm is farther than `RADIUS` from where it is to be.
  """

  def __init__(
    self,
    max_episode_steps: int = 100,
    free: bool = False,
    goals: str = "uniform",
    random_start: bool = False,
    pixels: bool = False,
  ):
    """Builds the environment.

    Args:
      max_episode_steps: length of an episode.
      free: no reward, and no end but time.
      goals: which are drawn, `uniform` or `far`.
      random_start: begin at rest in any pose.
      pixels: see pictures, and not angles.

    Raises:
      ValueError: one line, for no steps or unknown goals.
    """
    self.random_start, self.pixels = random_start, pixels
    axes = (half * (2 * np.arange(300) + 1 - 300) / 300 for half in _BOX)
    self._far = float(np.quantile(np.hypot(*np.meshgrid(*axes)), 1 - FAR_SHARE))
    super().__init__(max_episode_steps, free, goals)

  def start(self, key: jax.Array) -> Arm:
    return self.anywhere(key) if self.random_start else _at_rest(jnp.asarray(START))

  def move(self, body: Arm, action: jax.Array) -> Arm:
    angles, velocities = body
    coupled = COUPLING * jnp.cos(angles[1])
    inertia = _matrix(INERTIA + 2 * coupled, LOWER_INERTIA + coupled, LOWER_INERTIA)
    turning = COUPLING * jnp.sin(angles[1])
    shoulder, wrist = velocities
    whirl = jnp.stack([turning * wrist * (2 * shoulder + wrist), -turning * shoulder**2])
    torque = GEAR * jnp.clip(action, -1.0, 1.0) - DAMPING * velocities + whirl
    torque += _limit(angles[1], wrist, inertia, torque)
    damped = inertia + STEP_SECONDS * DAMPING * jnp.eye(2, dtype=jnp.float32)
    velocities = velocities + STEP_SECONDS * _solve(damped, torque)
    return Arm(angles + STEP_SECONDS * velocities, velocities)

  def view(self, body: Arm) -> jax.Array:
    if self.pixels:
      return two_points.view(_joints(body.angles), WINDOW)
    return jnp.concatenate([jnp.cos(body.angles), jnp.sin(body.angles)])

  def pose(self, view: jax.Array) -> jax.Array:
    """The angles of shoulder and wrist, float32 [2], from -pi to pi, that are seen in a view."""
    if not self.pixels:
      return jnp.arctan2(view[2:], view[:2])
    wrist, tip = two_points.points(view, WINDOW)
    upper, lower = (jnp.arctan2(rod[1], rod[0]) for rod in (wrist, tip - wrist))
    return jnp.stack([upper, _wrap(lower - upper)])

  def view_spec(self) -> specs.BoundedArray:
    if self.pixels:
      return specs.BoundedArray(WINDOW.shape, np.uint8, 0, 255, "view")
    return specs.BoundedArray((4,), np.float32, -1.0, 1.0, "view")

  def action_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((2,), np.float32, -1.0, 1.0, "torque")

  def anywhere(self, key: jax.Array, far: bool = False) -> Arm:
    """An arm at rest, its angles uniform over all poses or the third farthest from `START`."""

    def accept(angles: jax.Array) -> jax.Array:
      return jnp.linalg.norm(angles - START) >= (self._far if far else 0.0)

    return _at_rest(rejection.sample(key, START - _BOX, START + _BOX, accept))

  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    shoulder, wrist = self.pose(a) - self.pose(b)
    return jnp.hypot(_wrap(shoulder), wrist)

  def reached(self, view: jax.Array, goal: jax.Array) -> jax.Array:
    # Between the ends of a link all points are nearer than the farther end.
    apart = _joints(self.pose(view)) - _joints(self.pose(goal))
    return (jnp.linalg.norm(apart, axis=-1) < RADIUS).all()

  def places(self) -> Places:
    """The poses, on a grid of the shoulder's angle (columns) and the wrist's; without rooms."""
    cells = ROWS * COLUMNS
    return Places(ROWS, COLUMNS, np.ones(cells, bool), np.full(cells, -1, np.int32))

  def oracle(self, state: GoalState) -> Oracle:
    """The cell that the pose is in; there are no objects and no noise."""
    shoulder, wrist = state.body.angles
    share = (jnp.stack([wrist, _wrap(shoulder)]) / _BOX[::-1] + 1) / 2
    size = np.array([ROWS, COLUMNS], np.int32)
    row, column = jnp.clip((share * size).astype(jnp.int32), 0, size - 1)
    return Oracle(row * COLUMNS + column, jnp.zeros(0, jnp.int32), jnp.bool_(False))

  def render(self, state: GoalState) -> jax.Array:
    """The arm, its fingertip in red, over the pose that is its goal, in green."""
    rods = []
    poses = ((self.pose(state.goal), TARGET, TARGET), (state.body.angles, BODY, EFFECTOR))
    for angles, colour, tip_colour in poses:
      (wrist_x, wrist_y), (x, y) = _joints(angles)
      rods += [
        Rod((0, 0), (wrist_x, wrist_y), THICKNESS, colour),
        Rod((wrist_x, wrist_y), (x, y), THICKNESS, colour),
        Rod((x, y), (x, y), 1.4 * THICKNESS, tip_colour),
      ]
    return draw([*rods, Rod((0, 0), (0, 0), 0.006, LINE)], WINDOW.low, WINDOW.high, 0.0025)


def _at_rest(angles: jax.Array) -> Arm:
  return Arm(angles, jnp.zeros(2, jnp.float32))


def _joints(angles: jax.Array) -> jax.Array:
  """Where wrist and fingertip are, (x, y) in metres from the shoulder, float32 [2, 2]."""
  directions = jnp.cumsum(angles)
  rods = LINK * jnp.stack([jnp.cos(directions), jnp.sin(directions)], -1)
  return jnp.cumsum(rods, axis=0)


def _wrap(angle: jax.Array) -> jax.Array:
  """The same angle from -pi to pi."""
  return jnp.mod(angle + np.float32(math.pi), np.float32(2 * math.pi)) - np.float32(math.pi)


def _matrix(first: jax.Array, off: jax.Array, second: float) -> jax.Array:
  return jnp.stack([jnp.stack([first, off]), jnp.stack([off, jnp.full_like(off, second)])])


def _solve(matrix: jax.Array, right: jax.Array) -> jax.Array:
  """`matrix`^-1 `right`, by Cramer's rule, for a symmetric matrix [2, 2]."""
  (a, b), (_, c) = matrix
  return jnp.stack([c * right[0] - b * right[1], a * right[1] - b * right[0]]) / (a * c - b * b)


def _limit(
  angle: jax.Array, velocity: jax.Array, inertia: jax.Array, torque: jax.Array
) -> jax.Array:
  """Torque [2] by which the wrist's limit answers `torque`, as MuJoCo's solver does."""
  beyond = jnp.abs(angle) - WRIST_LIMIT
  impedance, wanted = limit_acceleration(angle, velocity, beyond)
  side = jnp.sign(angle)
  free = _solve(inertia, torque)[1]
  give = _solve(inertia, jnp.array([0.0, 1.0], jnp.float32))[1]
  force = side * (wanted - free) / (give + _COMPLIANCE * (1 - impedance) / impedance)
  # A limit only pushes, and inwards.
  pushes = (beyond > 0) & (force < 0)
  return jnp.stack([jnp.zeros_like(force), jnp.where(pushes, side * force, 0.0)])


registry.register(
  "goals/reacher",
  summary="An arm of two links is to take any pose, with dm_control's physics.",
)(Reacher)
