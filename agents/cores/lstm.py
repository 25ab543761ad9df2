"""lstm: long short-term memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.cores.core import Core, registry
from agents.precision import product


class LSTMState(NamedTuple):
  """Hidden and cell vectors, [..., size] each."""

  hidden: jax.Array
  cell: jax.Array


@registry.register("lstm")
class LSTM(Core):
  """Long short-term memory (Hochreiter & Schmidhuber 1997), forget-gate bias 1."""

  def project(self, inputs: jax.Array) -> jax.Array:
    return hk.Linear(4 * self.size, name="inputs")(inputs)

  def recurrence(self, projected: jax.Array, state: LSTMState) -> jax.Array:
    init = hk.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
    w_hidden = hk.get_parameter("w_hidden", (self.size, 4 * self.size), init=init)
    return product(state.hidden, w_hidden)

  def step(self, projected: jax.Array, state: LSTMState) -> LSTMState:
    gates = projected + self.recurrence(projected, state)
    i, g, f, o = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(f + 1.0) * state.cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return LSTMState(jax.nn.sigmoid(o) * jnp.tanh(cell), cell)

  @staticmethod
  def initial_state(settings: Any, size: int, batch: int) -> LSTMState:
    return LSTMState(*(jnp.zeros((batch, size), jnp.float32) for _ in range(2)))

  @staticmethod
  def output(state: LSTMState) -> jax.Array:
    return state.hidden
