"""Pusher: a hand pushes a puck over a table to where it is to be.

Sizes, step and starts are those of multiworld's SawyerPushNIPSEasy (Nair et al. 2018, arXiv
1807.04742; Pong et al. 2020, arXiv 1903.03698); horizon and success are GO-FRESH's (arXiv
2301.02099): 50 steps, and the puck, wherever the hand, within 1.5 cm. There an arm is simulated,
the hand keeps to the middle of the table, and a puck that it has lost lies beyond it for good. Here
pushing is geometry, a rim holds the puck where its goals are there, and the hand can go round it:
from anywhere the puck can be pushed anywhere, in a straight line.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.classic.picture import BODY, EFFECTOR, LINE, TARGET, Rod, draw
from envs.environment import registry
from envs.goals import rejection, two_points
from envs.goals.goal_environment import FAR_SHARE, GoalEnvironment, GoalState

SPEED = 0.02
"""Most metres a step along each axis."""
RADIUS = 0.015
"""Of success, metres, for the puck alone."""
HAND, PUCK = 0.015, 0.04
"""Radii, metres."""
TOUCH = HAND + PUCK
MIDDLE = np.array([0.0, 0.6], np.float32)
"""Of the table, and where the puck starts, (x, y) in metres."""
REACH = np.array([[0.21, 0.16], [0.15, 0.1]], np.float32)
"""How far from the middle the centres of hand and puck come, metres."""
START = np.stack([MIDDLE - np.array([0.0, 0.1], np.float32), MIDDLE])
"""Where hand and puck start."""
SUBSTEPS = 4
"""Parts of a step, in each of which the hand moves by 7 mm at most, and then the puck."""
ROWS, COLUMNS = 10, 15
"""Places of the puck, 2 cm a side."""
_MARGIN = 0.03
_LOW, _HIGH = MIDDLE - REACH[0] - _MARGIN, MIDDLE + REACH[0] + _MARGIN
WINDOW = two_points.Window((float(_LOW[0]), float(_LOW[1])), (float(_HIGH[0]), float(_HIGH[1])))


class Pusher(GoalEnvironment[jax.Array]):
  """A hand that moves over a table, and a puck that moves only when it is pushed.

  The body is the centres of hand and puck, (x, y) in metres, float32 [2, 2]. An action, float32
  [2], is the hand's displacement, in units of `SPEED`. A view is the body scaled to [-1, 1] over
  what the hand can reach, float32 [4]; or, in pixels, uint8 [38, 48, 3], with the hand in red and
  the puck in blue. Only the puck counts: distances are metres that it has to travel (in pixels,
  within .0002), and a goal is reached where it is within `RADIUS`.
  """

  def __init__(
    self,
    max_episode_steps: int = 50,
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
      random_start: begin with hand and puck anywhere.
      pixels: see pictures, and not positions.

    Raises:
      ValueError: one line, for no steps or unknown goals.
    """
    self.random_start, self.pixels = random_start, pixels
    axes = (reach * (2 * np.arange(300) + 1 - 300) / 300 for reach in REACH[1])
    lengths = np.hypot(*np.meshgrid(*axes))
    self._far = float(np.quantile(lengths, 1 - FAR_SHARE))
    super().__init__(max_episode_steps, free, goals)

  def start(self, key: jax.Array) -> jax.Array:
    return self.anywhere(key) if self.random_start else jnp.asarray(START)

  def move(self, body: jax.Array, action: jax.Array) -> jax.Array:
    """The body after a step: a puck that is touched is pushed along the line of centres.

    The rim takes from the puck's way what leads over it, and the hand stops where the puck is.
    """
    part = SPEED / SUBSTEPS * jnp.clip(action, -1.0, 1.0)

    def push(_: int, body: jax.Array) -> jax.Array:
      hand, puck = body
      hand = _within(hand + part, 0)
      pushed = hand + _apart(puck - hand)
      touched = jnp.linalg.norm(puck - hand) < TOUCH
      puck = jnp.where(touched, _within(pushed, 1), puck)
      return jnp.stack([jnp.where(touched, puck - _apart(puck - hand), hand), puck])

    return jax.lax.fori_loop(0, SUBSTEPS, push, body)

  def view(self, body: jax.Array) -> jax.Array:
    if self.pixels:
      return two_points.view(body, WINDOW)
    return ((body - MIDDLE) / REACH[0]).reshape(4)

  def positions(self, view: jax.Array) -> jax.Array:
    """The body, float32 [2, 2], that is seen in a view."""
    if self.pixels:
      return two_points.points(view, WINDOW)
    return view.reshape(2, 2) * REACH[0] + MIDDLE

  def view_spec(self) -> specs.BoundedArray:
    if self.pixels:
      return specs.BoundedArray(WINDOW.shape, np.uint8, 0, 255, "view")
    return specs.BoundedArray((4,), np.float32, -1.0, 1.0, "view")

  def action_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray((2,), np.float32, -1.0, 1.0, "displacement")

  def anywhere(self, key: jax.Array, far: bool = False) -> jax.Array:
    """A hand and a puck drawn uniformly from where they do not overlap.

    Far is a puck in the third of its places that is farthest from its start.
    """

    def accept(body: jax.Array) -> jax.Array:
      apart = jnp.linalg.norm(body[0] - body[1]) >= TOUCH
      return apart & (jnp.linalg.norm(body[1] - START[1]) >= (self._far if far else 0.0))

    return rejection.sample(key, MIDDLE - REACH, MIDDLE + REACH, accept)

  def distance(self, a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.linalg.norm(self.positions(a)[1] - self.positions(b)[1])

  def reached(self, view: jax.Array, goal: jax.Array) -> jax.Array:
    return self.distance(view, goal) < RADIUS

  def places(self) -> Places:
    """Where the puck is, on a grid with y up; there are no rooms."""
    cells = ROWS * COLUMNS
    return Places(ROWS, COLUMNS, np.ones(cells, bool), np.full(cells, -1, np.int32))

  def oracle(self, state: GoalState) -> Oracle:
    """The cell that the puck is in; there are no objects and no noise."""
    x, y = (state.body[1] - MIDDLE) / REACH[1]
    share = jnp.stack([1 - y, 1 + x]) / 2
    size = np.array([ROWS, COLUMNS], np.int32)
    row, column = jnp.clip((share * size).astype(jnp.int32), 0, size - 1)
    return Oracle(row * COLUMNS + column, jnp.zeros(0, jnp.int32), jnp.bool_(False))

  def render(self, state: GoalState) -> jax.Array:
    """Table and rim, the puck's goal in green, the puck in blue and the hand in red."""
    rim = [
      MIDDLE + (REACH[1] + PUCK) * np.array(corner, np.float32)
      for corner in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    ]
    rods = [Rod((a[0], a[1]), (b[0], b[1]), 0.002, LINE) for a, b in itertools.pairwise(rim)]
    hand, puck = state.body
    discs = ((self.positions(state.goal)[1], PUCK, TARGET), (puck, PUCK, BODY))
    for (x, y), radius, colour in (*discs, (hand, HAND, EFFECTOR)):
      rods.append(Rod((x, y), (x, y), radius, colour))
    return draw(rods, WINDOW.low, WINDOW.high, 0.002)


def _within(position: jax.Array, which: int) -> jax.Array:
  """The position nearest to this one to which the hand (0) or the puck (1) can come."""
  return jnp.clip(position, MIDDLE - REACH[which], MIDDLE + REACH[which])


def _apart(line: jax.Array) -> jax.Array:
  """This line of centres, [2], at the length at which discs touch."""
  return TOUCH * line / jnp.linalg.norm(line)


registry.register(
  "goals/pusher", summary="A hand is to push a puck anywhere on a table, GO-FRESH's task."
)(Pusher)
