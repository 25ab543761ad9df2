"""Point mass: push a small ball on a square table onto the target in its middle.

Numbers and rules are those of dm_control's point_mass `easy` (Tassa et al. 2018, arXiv 1801.00690).
The two axes do not touch each other, so MuJoCo's step has a closed form for each, its soft joint
limits included: the solver's answer for one joint is a mean of two accelerations. Over 1000 steps,
many of them at the limits, it stays within 1e-11 of MuJoCo in float64, and in float32 within 2e-5,
if MuJoCo's solver is run to the end; by default it stops 1e-8 short, and was seen 2e-6 m/s off.
The walls are drawn only, here as there: contacts are switched off, and the limits stop the ball.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.action_repeat import repeat_actions
from envs.classic.picture import EFFECTOR, LINE, TARGET, Rod, draw
from envs.environment import Environment, registry, restart, transition

STEP_SECONDS, MASS, DAMPING, GEAR = 0.02, 0.3, 1.0, 0.1
LIMIT, WALL = 0.29, 0.3
BALL, TARGET_SIZE = 0.01, 0.015
MAX_SPEED = GEAR / DAMPING

# MuJoCo's defaults for a limit (its manual, "Computation: Solver parameters"): solref's time
# constant is raised to two steps, its damping ratio is 1; solimp is (0.9, 0.95, 0.001, 0.5, 2).
LEAST_IMPEDANCE, MOST_IMPEDANCE, IMPEDANCE_WIDTH = 0.9, 0.95, 0.001
TIME_CONSTANT = 2 * STEP_SECONDS
STIFFNESS = 1 / (MOST_IMPEDANCE * TIME_CONSTANT) ** 2
RESISTANCE = 2 / (MOST_IMPEDANCE * TIME_CONSTANT)


class PointMassState(NamedTuple):
  """Position, m, and velocity, m/s, float32 [2]; `time`, int32, is the steps taken."""

  position: jax.Array
  velocity: jax.Array
  time: jax.Array


def limit_acceleration(
  position: jax.Array, velocity: jax.Array, beyond: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The impedance [...] of a joint that is `beyond` its limit, and the acceleration it wants."""
  depth = jnp.clip(beyond / IMPEDANCE_WIDTH, 0.0, 1.0)
  rise = jnp.where(depth < 0.5, 2 * depth**2, 1 - 2 * (1 - depth) ** 2)
  impedance = LEAST_IMPEDANCE + rise * (MOST_IMPEDANCE - LEAST_IMPEDANCE)
  return impedance, -RESISTANCE * velocity - STIFFNESS * impedance * beyond * jnp.sign(position)


def _limit(position: jax.Array, velocity: jax.Array, free: jax.Array) -> jax.Array:
  """The acceleration [2] at the joint limits, from what it is without them."""
  beyond = jnp.abs(position) - LIMIT
  impedance, wanted = limit_acceleration(position, velocity, beyond)
  # A limit only pushes, and inwards.
  pushes = (beyond > 0) & (jnp.sign(position) * (free - wanted) > 0)
  return jnp.where(pushes, free + impedance * (wanted - free), free)


@registry.register("point_mass")
def point_mass(*, action_repeat: int = 1) -> Environment[PointMassState]:
  """Push a ball to the middle of a table and keep it there for 1000 steps; reward near it.

  Args:
    action_repeat: steps that each action lasts.
  """
  return repeat_actions(PointMass(), action_repeat)


class PointMass(Environment[PointMassState]):
  """The task, where each action lasts one step."""

  success_return = math.inf  # the suite defines none
  max_episode_steps = 1000

  def reset(self, key: jax.Array) -> tuple[PointMassState, dm_env.TimeStep]:
    position = jax.random.uniform(key, (2,), jnp.float32, -LIMIT, LIMIT)
    state = PointMassState(position, jnp.zeros((2,), jnp.float32), jnp.int32(0))
    return state, restart(self.observe(state))

  def step(
    self, state: PointMassState, action: jax.Array
  ) -> tuple[PointMassState, dm_env.TimeStep]:
    position, velocity, time = state
    control = jnp.clip(action, -1.0, 1.0)
    free = (GEAR * control - DAMPING * velocity) / MASS
    force = MASS * _limit(position, velocity, free)
    velocity = velocity + STEP_SECONDS * force / (MASS + STEP_SECONDS * DAMPING)
    state = PointMassState(position + STEP_SECONDS * velocity, velocity, time + 1)

    away = jnp.maximum(jnp.linalg.norm(state.position) / TARGET_SIZE - 1, 0.0)
    near = 0.1 ** (away**2)
    calm = jnp.mean(1 - control**2)
    late = state.time == self.max_episode_steps
    return state, transition(self.observe(state), near * (calm + 4) / 5, False, late)

  def observe(self, state: PointMassState) -> jax.Array:
    """Float32 [4]: position and velocity."""
    return jnp.concatenate([state.position, state.velocity])

  def observation_spec(self) -> specs.BoundedArray:
    high = np.array([WALL, WALL, MAX_SPEED, MAX_SPEED], np.float32)
    return specs.BoundedArray((4,), np.float32, -high, high, "observation")

  def action_spec(self) -> specs.BoundedArray:
    """Float32 [2]: the force along each axis, as a share of 0.1 N."""
    return specs.BoundedArray((2,), np.float32, -1.0, 1.0, "action")

  def render(self, state: PointMassState) -> jax.Array:
    x, y = state.position
    corners = [(-WALL, -WALL), (WALL, -WALL), (WALL, WALL), (-WALL, WALL), (-WALL, -WALL)]
    walls = [Rod(a, b, 0.004, LINE) for a, b in itertools.pairwise(corners)]
    target = Rod((0, 0), (0, 0), TARGET_SIZE, TARGET)
    edge = WALL + 0.02
    return draw(
      [*walls, target, Rod((x, y), (x, y), BALL, EFFECTOR)], (-edge,) * 2, (edge,) * 2, 0.005
    )
