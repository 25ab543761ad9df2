"""Pendulum: swing a pendulum up with too weak a motor, and hold it there.

Equations, numbers and rules are those of gymnasium's Pendulum-v1 (semi-implicit Euler steps), in
float32. An action of 1 is gymnasium's greatest torque, 2: its checker asks for actions in [-1, 1].
"""

from __future__ import annotations

import math
from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.classic.picture import draw_pendulum
from envs.environment import Environment, registry, restart, transition

GRAVITY, MASS, LENGTH, STEP_SECONDS = 10.0, 1.0, 1.0, 0.05
MAX_TORQUE, MAX_SPEED = 2.0, 8.0


class PendulumState(NamedTuple):
  """Angle from upright, rad, its speed, rad/s, float32; `time`, int32, is the steps taken."""

  theta: jax.Array
  theta_dot: jax.Array
  time: jax.Array


@registry.register("pendulum")
class Pendulum(Environment[PendulumState]):
  """Swing up and hold a pendulum by its torque for 200 steps; angle, speed and torque cost."""

  success_return = math.inf  # gymnasium names no threshold
  max_episode_steps = 200

  def reset(self, key: jax.Array) -> tuple[PendulumState, dm_env.TimeStep]:
    high = jnp.array([jnp.pi, 1.0], jnp.float32)
    theta, theta_dot = jax.random.uniform(key, (2,), jnp.float32, -high, high)
    state = PendulumState(theta, theta_dot, jnp.int32(0))
    return state, restart(self.observe(state))

  def step(self, state: PendulumState, action: jax.Array) -> tuple[PendulumState, dm_env.TimeStep]:
    theta, theta_dot, time = state
    torque = MAX_TORQUE * jnp.clip(action[0], -1.0, 1.0)
    angle = jnp.mod(theta + jnp.pi, 2 * jnp.pi) - jnp.pi
    cost = angle**2 + 0.1 * theta_dot**2 + 0.001 * torque**2
    theta_acc = 1.5 * GRAVITY / LENGTH * jnp.sin(theta) + 3.0 / (MASS * LENGTH**2) * torque
    theta_dot = jnp.clip(theta_dot + STEP_SECONDS * theta_acc, -MAX_SPEED, MAX_SPEED)
    state = PendulumState(theta + STEP_SECONDS * theta_dot, theta_dot, time + 1)
    late = state.time == self.max_episode_steps
    return state, transition(self.observe(state), -cost, terminated=False, truncated=late)

  def observe(self, state: PendulumState) -> jax.Array:
    """Float32 [3]: cosine and sine of the angle, and its speed."""
    return jnp.stack([jnp.cos(state.theta), jnp.sin(state.theta), state.theta_dot])

  def observation_spec(self) -> specs.BoundedArray:
    high = np.array([1.0, 1.0, MAX_SPEED], np.float32)
    return specs.BoundedArray((3,), np.float32, -high, high, "observation")

  def action_spec(self) -> specs.BoundedArray:
    """Float32 [1]: the torque, counter-clockwise, as a share of the greatest."""
    return specs.BoundedArray((1,), np.float32, -1.0, 1.0, "action")

  def render(self, state: PendulumState) -> jax.Array:
    return draw_pendulum(-jnp.sin(state.theta), jnp.cos(state.theta))
