"""feedforward: no memory."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.cores.core import Core, registry
from agents.cores.gru import GRU


@registry.register("feedforward")
class Feedforward(Core):
  """No memory, as published feed-forward agents have it: the belief is the rectified latent.

  So core_size is latent_size; with the conv torso this is DQN's network. Forecasts must remember
  actions all the same: the open loop takes a GRU.
  """

  def project(self, inputs: jax.Array) -> jax.Array:
    return jax.nn.relu(inputs[..., : self.size])

  def step(self, projected: jax.Array, state: jax.Array) -> jax.Array:
    del state
    return projected

  def recurrence(self, projected: jax.Array, state: jax.Array) -> jax.Array:
    return jnp.zeros_like(projected)

  @staticmethod
  def initial_state(settings: Any, size: int, batch: int) -> jax.Array:
    return GRU.initial_state(settings, size, batch)

  @staticmethod
  def output(state: jax.Array) -> jax.Array:
    return state

  @classmethod
  def open_loop(cls) -> type[Core]:
    return GRU
