"""CartPole: keep a pole upright on a cart by pushing the cart left or right.

Equations, numbers and rules are those of gymnasium's CartPole-v1 (Barto, Sutton and Anderson, 1983;
explicit Euler steps), in float32.
"""

from __future__ import annotations

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.classic.picture import BODY, EFFECTOR, LINE, Rod, draw
from envs.environment import Environment, Reference, registry, restart, transition

GRAVITY, FORCE, STEP_SECONDS = 9.8, 10.0, 0.02
CART_MASS, POLE_MASS, POLE_HALF_LENGTH = 1.0, 0.1, 0.5
TOTAL_MASS = CART_MASS + POLE_MASS
POLE_MOMENT = POLE_MASS * POLE_HALF_LENGTH
FARTHEST, STEEPEST = 2.4, 12 * 2 * np.pi / 360
"""Beyond this position, metres, or this angle, radians, the episode ends."""
START = 0.05
FASTEST, FASTEST_TURN = 20.0, 10.0
"""No play exceeds these speeds, metres and radians a second: the cart accelerates by less than 11 a
second over 4.8 metres, the pole by less than 20 over 24 degrees. gymnasium calls them unbounded."""


class CartPoleState(NamedTuple):
  """The cart's place (m) and speed, the pole's angle (rad, clockwise from upright) and speed.

  All are float32 scalars; `time`, int32, is the steps taken.
  """

  x: jax.Array
  x_dot: jax.Array
  theta: jax.Array
  theta_dot: jax.Array
  time: jax.Array


@registry.register("cartpole")
class CartPole(Environment[CartPoleState]):
  """Balance a pole on a cart for 500 steps, pushing it left or right; reward 1 a step."""

  success_return = 475.0  # gymnasium's reward_threshold
  max_episode_steps = 500

  def reset(self, key: jax.Array) -> tuple[CartPoleState, dm_env.TimeStep]:
    x, x_dot, theta, theta_dot = jax.random.uniform(key, (4,), jnp.float32, -START, START)
    state = CartPoleState(x, x_dot, theta, theta_dot, jnp.int32(0))
    return state, restart(self.observe(state))

  def step(self, state: CartPoleState, action: jax.Array) -> tuple[CartPoleState, dm_env.TimeStep]:
    x, x_dot, theta, theta_dot, time = state
    sin, cos = jnp.sin(theta), jnp.cos(theta)
    push = (jnp.where(action == 1, FORCE, -FORCE) + POLE_MOMENT * theta_dot**2 * sin) / TOTAL_MASS
    theta_acc = (GRAVITY * sin - cos * push) / (
      POLE_HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * cos**2 / TOTAL_MASS)
    )
    x_acc = push - POLE_MOMENT * theta_acc * cos / TOTAL_MASS
    state = CartPoleState(
      x=x + STEP_SECONDS * x_dot,
      x_dot=x_dot + STEP_SECONDS * x_acc,
      theta=theta + STEP_SECONDS * theta_dot,
      theta_dot=theta_dot + STEP_SECONDS * theta_acc,
      time=time + 1,
    )
    fallen = (jnp.abs(state.x) > FARTHEST) | (jnp.abs(state.theta) > STEEPEST)
    late = state.time == self.max_episode_steps
    return state, transition(self.observe(state), jnp.float32(1.0), fallen, late)

  def observe(self, state: CartPoleState) -> jax.Array:
    """Float32 [4]: the cart's position and speed, the pole's angle and speed."""
    return jnp.stack(state[:4])

  def observation_spec(self) -> specs.BoundedArray:
    high = np.array([2 * FARTHEST, FASTEST, 2 * STEEPEST, FASTEST_TURN], np.float32)
    return specs.BoundedArray((4,), np.float32, -high, high, "observation")

  def action_spec(self) -> specs.DiscreteArray:
    """Left, right."""
    return specs.DiscreteArray(2, np.int32, "action")

  def render(self, state: CartPoleState) -> jax.Array:
    x, length = state.x, 2 * POLE_HALF_LENGTH
    tip = (x + length * jnp.sin(state.theta), length * jnp.cos(state.theta))
    rods = [
      Rod((-FARTHEST, -0.1), (FARTHEST, -0.1), 0.02, LINE),
      Rod((x - 0.2, 0), (x + 0.2, 0), 0.1, BODY),
      Rod((x, 0), tip, 0.05, EFFECTOR),
    ]
    return draw(rods, (-2.6, -0.3), (2.6, 1.3), 0.0325)

  def optimal(self) -> Reference:
    steps = self.max_episode_steps
    return Reference(1.0, float(steps), float(steps), float((0.99 ** np.arange(steps)).sum()))
