"""Recurrent cores: the memory that turns a sequence of latents into beliefs.

A core splits its cell in two, so that everything which does not depend on the recurrent state is
one large matrix product over all steps, outside the scan over time:

  project(inputs [..., I]) -> projected [..., G]     (all steps at once)
  step(projected [B, G], state) -> state             (one step)

In the closed loop the inputs are the latent and, after it, the previous action. The equations are
those of `haiku.GRU` and `haiku.LSTM`, which the tests hold them to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from envs.registry import Registry

registry = Registry("core")


class Core(hk.Module):
  """The contract of a recurrent core of `size` units."""

  def __init__(self, size: int, name: str):
    super().__init__(name=name)
    self.size = size

  def project(self, inputs: jax.Array) -> jax.Array:
    raise NotImplementedError

  def step(self, projected: jax.Array, state: Any) -> Any:
    raise NotImplementedError

  @staticmethod
  def initial_state(size: int, batch: int) -> Any:
    """The state at the start of an episode: arrays [B, size] of zeros."""
    raise NotImplementedError

  @staticmethod
  def output(state: Any) -> jax.Array:
    """The belief, [..., size], in a state."""
    raise NotImplementedError

  @classmethod
  def open_loop(cls) -> type[Core]:
    """The core of the open loop, which starts from this one's states and sees actions only."""
    return cls


@registry.register("gru")
class GRU(Core):
  """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078)."""

  def project(self, inputs: jax.Array) -> jax.Array:
    return hk.Linear(3 * self.size, name="inputs")(inputs)

  def step(self, projected: jax.Array, state: jax.Array) -> jax.Array:
    init = hk.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
    w_gates = hk.get_parameter("w_gates", (self.size, 2 * self.size), init=init)
    w_candidate = hk.get_parameter("w_candidate", (self.size, self.size), init=init)
    gates, candidate = jnp.split(projected, [2 * self.size], axis=-1)
    update, reset = jnp.split(jax.nn.sigmoid(gates + state @ w_gates), 2, axis=-1)
    candidate = jnp.tanh(candidate + (reset * state) @ w_candidate)
    return (1.0 - update) * state + update * candidate

  @staticmethod
  def initial_state(size: int, batch: int) -> jax.Array:
    return jnp.zeros((batch, size), jnp.float32)

  @staticmethod
  def output(state: jax.Array) -> jax.Array:
    return state


class LSTMState(NamedTuple):
  """Hidden and cell vectors, [..., size] each."""

  hidden: jax.Array
  cell: jax.Array


@registry.register("lstm")
class LSTM(Core):
  """Long short-term memory (Hochreiter & Schmidhuber 1997), forget-gate bias 1."""

  def project(self, inputs: jax.Array) -> jax.Array:
    return hk.Linear(4 * self.size, name="inputs")(inputs)

  def step(self, projected: jax.Array, state: LSTMState) -> LSTMState:
    init = hk.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
    w_hidden = hk.get_parameter("w_hidden", (self.size, 4 * self.size), init=init)
    gates = projected + state.hidden @ w_hidden
    i, g, f, o = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(f + 1.0) * state.cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return LSTMState(jax.nn.sigmoid(o) * jnp.tanh(cell), cell)

  @staticmethod
  def initial_state(size: int, batch: int) -> LSTMState:
    return LSTMState(*(jnp.zeros((batch, size), jnp.float32) for _ in range(2)))

  @staticmethod
  def output(state: LSTMState) -> jax.Array:
    return state.hidden


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

  @staticmethod
  def initial_state(size: int, batch: int) -> jax.Array:
    return GRU.initial_state(size, batch)

  @staticmethod
  def output(state: jax.Array) -> jax.Array:
    return state

  @classmethod
  def open_loop(cls) -> type[Core]:
    return GRU


def reset(initial: Any, state: Any, first: jax.Array) -> Any:
  """Returns `state`, with `initial` where `first` [B] says that an episode begins."""
  return jax.tree.map(lambda i, s: jnp.where(first[:, None], i, s), initial, state)
