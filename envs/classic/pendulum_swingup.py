"""Pendulum swing-up: the pendulum of the DeepMind Control Suite, paid only while it is upright.

Numbers and rules are those of dm_control's pendulum `swingup` (Tassa et al. 2018, arXiv
1801.00690). For one hinge MuJoCo's step, Euler with the damping taken implicitly, is one line, and
is written out here. Over 1000 steps of random torques it stays within 1e-11 of MuJoCo in float64,
and in float32 within 2e-5. The angle is not observed, and so not wrapped.
"""

from __future__ import annotations

import math

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.action_repeat import repeat_actions
from envs.classic.pendulum import PendulumState
from envs.classic.picture import draw_pendulum
from envs.environment import Environment, registry, restart, transition

STEP_SECONDS, DAMPING, MAX_TORQUE = 0.02, 0.1, 1.0
WEIGHT = 9.81 * 0.5
"""Torque of the mass of 1 kg, held out level at 0.5 m."""
INERTIA = 0.5**2 + 2 / 5 * 0.05**2
"""Of that mass, a sphere of radius 0.05, about the hinge."""
MAX_SPEED = (WEIGHT + MAX_TORQUE) / DAMPING
"""Where damping takes all that weight and motor could give together; no play exceeds it."""
UPRIGHT = math.cos(math.radians(8))


@registry.register("pendulum_swingup")
def pendulum_swingup(*, action_repeat: int = 1) -> Environment[PendulumState]:
  """Swing up and hold a pendulum by a weak torque for 1000 steps; reward 1 within 8 degrees.

  Args:
    action_repeat: steps that each action lasts.
  """
  return repeat_actions(PendulumSwingup(), action_repeat)


class PendulumSwingup(Environment[PendulumState]):
  """The task, where each action lasts one step."""

  success_return = math.inf  # the suite defines none
  max_episode_steps = 1000

  def reset(self, key: jax.Array) -> tuple[PendulumState, dm_env.TimeStep]:
    theta = jax.random.uniform(key, (), jnp.float32, -jnp.pi, jnp.pi)
    state = PendulumState(theta, jnp.float32(0.0), jnp.int32(0))
    return state, restart(self.observe(state))

  def step(self, state: PendulumState, action: jax.Array) -> tuple[PendulumState, dm_env.TimeStep]:
    theta, theta_dot, time = state
    torque = MAX_TORQUE * jnp.clip(action[0], -1.0, 1.0)
    torque = torque + WEIGHT * jnp.sin(theta) - DAMPING * theta_dot
    theta_dot = theta_dot + STEP_SECONDS * torque / (INERTIA + STEP_SECONDS * DAMPING)
    state = PendulumState(theta + STEP_SECONDS * theta_dot, theta_dot, time + 1)
    upright = jnp.cos(state.theta) >= UPRIGHT
    late = state.time == self.max_episode_steps
    return state, transition(self.observe(state), upright, terminated=False, truncated=late)

  def observe(self, state: PendulumState) -> jax.Array:
    """Float32 [3]: cosine and sine of the angle from upright, and its speed."""
    return jnp.stack([jnp.cos(state.theta), jnp.sin(state.theta), state.theta_dot])

  def observation_spec(self) -> specs.BoundedArray:
    high = np.array([1.0, 1.0, MAX_SPEED], np.float32)
    return specs.BoundedArray((3,), np.float32, -high, high, "observation")

  def action_spec(self) -> specs.BoundedArray:
    """Float32 [1]: the torque, clockwise."""
    return specs.BoundedArray((1,), np.float32, -1.0, 1.0, "action")

  def render(self, state: PendulumState) -> jax.Array:
    return draw_pendulum(jnp.sin(state.theta), jnp.cos(state.theta))
