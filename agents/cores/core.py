"""Cores: the memory that turns a sequence of latents into beliefs.

This contract is that of recurrent cores, which go from state to state; those that read a whole
sequence at once are in agents/cores/parallel.py.

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
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from envs.registry import Registry

registry = Registry("core", "agents.cores")
"""Classes of cores, made by (own settings, size, name=...)."""


class Core(hk.Module):
  """The contract of a recurrent core of `size` units.

  Attributes:
    settings: the core's own, of the class that it is registered with; None where it has none.
    size: of the belief.
  """

  def __init__(self, settings: Any, size: int, name: str):
    super().__init__(name=name)
    self.settings = settings
    self.size = size

  def project(self, inputs: jax.Array) -> jax.Array:
    raise NotImplementedError

  def step(self, projected: jax.Array, state: Any) -> Any:
    raise NotImplementedError

  def recurrence(self, projected: jax.Array, state: Any) -> jax.Array:
    """What `step` adds to `projected`, [..., G]; gradients go to the recurrent weights alone."""
    raise NotImplementedError

  @staticmethod
  def initial_state(settings: Any, size: int, batch: int) -> Any:
    """The state at the start of an episode: zeros, arrays [B, ...] of any rank."""
    raise NotImplementedError

  @staticmethod
  def output(state: Any) -> jax.Array:
    """The belief, [..., size], in a state of the open loop, arrays [..., *S]."""
    raise NotImplementedError

  @classmethod
  def open_loop(cls) -> type[Core]:
    """The core of the open loop, which starts from this one's states and sees actions only.

    Its `output` reads this core's states as well, or what a parallel core gives in their place.
    """
    return cls


def reset(initial: Any, state: Any, first: jax.Array) -> Any:
  """Returns `state`, with `initial` where `first` [B] says that an episode begins."""

  return jax.tree.map(lambda initial, x: jnp.where(column(first, x), initial, x), initial, state)


def column(mask: jax.Array, x: jax.Array) -> jax.Array:
  """A mask [..., B] with axes of one behind it, to be broadcast against `x`, [..., B, *S]."""
  return mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim))


def unroll(
  step: Callable[[Any, jax.Array, Any], Any],
  recurrence: Callable[[Any, jax.Array, Any], jax.Array],
  params: Any,
  projected: jax.Array,
  first: jax.Array,
  start: Any,
  state: Any,
) -> Any:
  """Steps a recurrent core over time: its states after each step, arrays [T, B, ...].

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
    before = reset(start, before, first)

    def rows(x: jax.Array) -> jax.Array:
      return x.reshape(-1, *x.shape[2:])

    flat = jax.tree.map(rows, before)
    _, to_params = jax.vjp(lambda p: recurrence(p, rows(projected), flat), params)
    return *to_params(rows(to_projected)), to_projected, None, None, to_state

  function = jax.custom_vjp(scan)
  function.defvjp(forward, backward)
  return function(params, projected, first, start, state)
