"""A tiny world whose rewards and ends depend on the action, for what imagines them."""

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import Environment, restart, transition

STOP, GO = 0, 1
PAYS = (0.25, 1.0, 0.5)
"""What stopping pays after so many steps; going on pays nothing."""


class Fork(Environment):
  """Stopping ends the episode and pays; going on leads further, for three steps, then time is up.

  It shows the steps taken, one-hot; all of it follows from the action.
  """

  max_episode_steps = len(PAYS)
  success_return = max(PAYS)

  def show(self, time):
    return jax.nn.one_hot(time, len(PAYS) + 1, dtype=jnp.float32)

  def reset(self, key):
    return jnp.int32(0), restart(self.show(jnp.int32(0)))

  def step(self, state, action):
    stops, time = action == STOP, state + 1
    reward = jnp.where(stops, jnp.array(PAYS)[jnp.minimum(state, len(PAYS) - 1)], 0.0)
    return time, transition(self.show(time), reward, stops, ~stops & (time >= len(PAYS)))

  def observation_spec(self):
    return specs.BoundedArray((len(PAYS) + 1,), np.float32, 0.0, 1.0)

  def action_spec(self):
    return specs.DiscreteArray(2)
