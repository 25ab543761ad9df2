"""Recurrent cores: the memory that turns a sequence of latents into beliefs.

A core splits its cell in two, so that everything which does not depend on the recurrent state is
one large matrix product over all steps, outside the scan over time:

  project(inputs [..., I]) -> projected [..., G]     (all steps at once)
  step(projected [B, G], state) -> state             (one step)

What the recurrent weights give is added to `projected`, so its gradient is theirs too, and they get
it in one product over all steps instead of a sum of T small ones; see `recurrence` and `unroll`.

In the closed loop the inputs are the latent and, after it, the previous action. The equations are
those of `haiku.GRU` and `haiku.LSTM`, which the tests hold them to.
"""

from __future__ import annotations

from collections.abc import Callable
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

  def recurrence(self, projected: jax.Array, state: Any) -> jax.Array:
    """What `step` adds to `projected`, [..., G]; gradients go to the recurrent weights alone."""
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

  def _weights(self) -> tuple[jax.Array, jax.Array]:
    init = hk.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
    w_gates = hk.get_parameter("w_gates", (self.size, 2 * self.size), init=init)
    return w_gates, hk.get_parameter("w_candidate", (self.size, self.size), init=init)

  def step(self, projected: jax.Array, state: jax.Array) -> jax.Array:
    w_gates, w_candidate = self._weights()
    gates, candidate = jnp.split(projected, [2 * self.size], axis=-1)
    update, reset = jnp.split(jax.nn.sigmoid(gates + state @ w_gates), 2, axis=-1)
    candidate = jnp.tanh(candidate + (reset * state) @ w_candidate)
    return (1.0 - update) * state + update * candidate

  def recurrence(self, projected: jax.Array, state: jax.Array) -> jax.Array:
    w_gates, w_candidate = self._weights()
    gates = state @ w_gates
    reset = jax.nn.sigmoid(projected + jnp.pad(gates, [(0, 0), (0, self.size)]))
    reset = jax.lax.stop_gradient(reset[..., self.size : 2 * self.size])
    return jnp.concatenate([gates, (reset * state) @ w_candidate], axis=-1)

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

  def recurrence(self, projected: jax.Array, state: LSTMState) -> jax.Array:
    init = hk.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
    return state.hidden @ hk.get_parameter("w_hidden", (self.size, 4 * self.size), init=init)

  def step(self, projected: jax.Array, state: LSTMState) -> LSTMState:
    gates = projected + self.recurrence(projected, state)
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

  def recurrence(self, projected: jax.Array, state: jax.Array) -> jax.Array:
    return jnp.zeros_like(projected)

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


def unroll(
  step: Callable[[Any, jax.Array, Any], Any],
  recurrence: Callable[[Any, jax.Array, Any], jax.Array],
  params: Any,
  projected: jax.Array,
  first: jax.Array,
  start: Any,
  state: Any,
) -> Any:
  """Steps a core over time: arrays [T, B, size] after each step.

  Its gradient is that of the plain scan. The scan's own would add a product of [size, B] and [B, G]
  to the weights' gradient at each of T steps, which reads and writes all of it each time.

  Args:
    step, recurrence: the core's, as functions of its parameters first.
    params: the core's parameters.
    projected: [T, B, G].
    first: bool [T, B], an episode begins here.
    start: the state at the start of an episode, which gets no gradient.
    state: the state before the first step.
  """

  def scan(params: Any, projected: jax.Array, first: jax.Array, start: Any, state: Any) -> Any:
    def body(state: Any, inputs: tuple[jax.Array, jax.Array]) -> tuple[Any, Any]:
      projected, first = inputs
      state = step(params, projected, reset(start, state, first))
      return state, state

    return jax.lax.scan(body, state, (projected, first))[1]

  def forward(
    params: Any, projected: jax.Array, first: jax.Array, start: Any, state: Any
  ) -> tuple[Any, Any]:
    states, pull = jax.vjp(lambda p, s: scan(params, p, first, start, s), projected, state)
    return states, (params, projected, first, start, state, states, pull)

  def backward(kept: Any, gradient: Any) -> tuple[Any, ...]:
    params, projected, first, start, state, states, pull = kept
    to_projected, to_state = pull(gradient)
    before = jax.tree.map(lambda s, x: jnp.concatenate([s[None], x[:-1]]), state, states)
    before = jax.tree.map(lambda i, s: jnp.where(first[..., None], i, s), start, before)

    def rows(x: jax.Array) -> jax.Array:
      return x.reshape(-1, x.shape[-1])

    flat = jax.tree.map(rows, before)
    _, to_params = jax.vjp(lambda p: recurrence(p, rows(projected), flat), params)
    return *to_params(rows(to_projected)), to_projected, None, None, to_state

  function = jax.custom_vjp(scan)
  function.defvjp(forward, backward)
  return function(params, projected, first, start, state)
