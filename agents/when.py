"""Choices: a branch that is seldom taken and costs nothing where it is not, also for many seeds at
once; and rows of one tree in place of another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

State = TypeVar("State")


@jax.custom_batching.custom_vmap
def _any(due: jax.Array) -> jax.Array:
  """Of one there is but one."""
  return due


@_any.def_vmap
def _any_of_batch(size: int, batched: list[bool], due: jax.Array) -> tuple[jax.Array, bool]:
  return _any(jnp.any(due, axis=0)), False


def when(due: jax.Array, change: Callable[[State], State], state: State) -> State:
  """`change(state)` if `due`, a bool; else `state`.

  Under `jax.vmap`, `jax.lax.cond` computes both branches and chooses. Here the branch is one for
  the whole batch, taken if any of its members is due, and the choice is made inside of it. (A loop
  of no or one pass does not do: XLA moves what a loop does not change out of it.)
  """

  def changed(state: State) -> State:
    return jax.tree.map(lambda new, old: jnp.where(due, new, old), change(state), state)

  return jax.lax.cond(_any(due), changed, lambda state: state, state)


def rows_where(mask: jax.Array, new: Any, old: Any) -> Any:
  """The tree `new` where `mask`, bool [B], else `old`; both of arrays [B, ...]."""

  def chosen(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.where(mask.reshape(-1, *[1] * (x.ndim - 1)), x, y)

  return jax.tree.map(chosen, new, old)
