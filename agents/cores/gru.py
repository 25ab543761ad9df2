"""gru: a gated recurrent unit."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from agents.cores.core import Core, registry
from agents.precision import product


@registry.register("gru")
class GRU(Core):
  """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078)."""

  def project(self, inputs: jax.Array) -> jax.Array:
    return hk.Linear(3 * self.size, name="inputs")(inputs)

  def _weights(self) -> tuple[jax.Array, jax.Array]:
    init = hk.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
    w_gates = hk.get_parameter("w_gates", (self.size, 2 * self.size), init=init)
    return w_gates, hk.get_parameter("w_candidate", (self.size, self.size), init=init)

  def step(self, projected: jax.Array, state: jax.Array) -> jax.Array:
    w_gates, w_candidate = self._weights()
    gates, candidate = jnp.split(projected, [2 * self.size], axis=-1)
    update, reset = jnp.split(jax.nn.sigmoid(gates + product(state, w_gates)), 2, axis=-1)
    candidate = jnp.tanh(candidate + product(reset * state, w_candidate))
    return (1.0 - update) * state + update * candidate

  def recurrence(self, projected: jax.Array, state: jax.Array) -> jax.Array:
    w_gates, w_candidate = self._weights()
    gates = product(state, w_gates)
    reset = jax.nn.sigmoid(projected + jnp.pad(gates, [(0, 0), (0, self.size)]))
    reset = jax.lax.stop_gradient(reset[..., self.size : 2 * self.size])
    return jnp.concatenate([gates, product(reset * state, w_candidate)], axis=-1)

  @staticmethod
  def initial_state(settings: Any, size: int, batch: int) -> jax.Array:
    return jnp.zeros((batch, size), jnp.float32)

  @staticmethod
  def output(state: jax.Array) -> jax.Array:
    return state
