"""In what matrix products are computed: float32, or bfloat16 with all else in float32.

Parameters, the optimiser's state, what lies between two products, losses and returns stay float32;
a product rounds what goes into it, and what comes out is float32 again. Gradients take the same
way back. Source: mixed precision training (Micikevicius et al. 2017, arXiv 1710.03740), with
bfloat16, whose range needs no scaling of the loss.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, Literal

import haiku as hk
import jax
import jax.numpy as jnp

Compute = Literal["float32", "bfloat16"]

_low = contextvars.ContextVar("_low", default=False)
"""Whether products are computed in bfloat16 by what is being traced."""


def lowered(function: Callable[..., Any], compute: Compute) -> Callable[..., Any]:
  """A function of a Haiku transformation whose products are computed so.

  They are those of `hk.Linear` and `hk.ConvND`, and those that are written as `product` or
  `rounded`; others stay float32. Parameters are made as without it.
  """
  if compute == "float32":
    return function

  def low(*arguments: Any, **named: Any) -> Any:
    if hk.running_init():
      return function(*arguments, **named)
    token = _low.set(True)
    try:
      with hk.intercept_methods(_in_bfloat16):
        return function(*arguments, **named)
    finally:
      _low.reset(token)

  return low


def rounded(*arrays: jax.Array) -> tuple[jax.Array, ...]:
  """What goes into a product, as it is to be computed; the caller makes float32 of what comes."""
  return tuple(x.astype(jnp.bfloat16) for x in arrays) if _low.get() else arrays


def product(x: jax.Array, w: jax.Array) -> jax.Array:
  """x @ w, float32 [..., O], of x [..., I] and w [I, O]."""
  x, w = rounded(x, w)
  return (x @ w).astype(jnp.float32)


def _in_bfloat16(next_f: Any, args: Any, kwargs: Any, context: hk.MethodContext) -> Any:
  layer = isinstance(context.module, hk.Linear | hk.ConvND)
  if not layer or context.method_name != "__call__":
    return next_f(*args, **kwargs)

  def getter(next_getter: Any, value: jax.Array, context: Any) -> jax.Array:
    return next_getter(value.astype(jnp.bfloat16))

  with hk.custom_getter(getter):
    return next_f(args[0].astype(jnp.bfloat16), *args[1:], **kwargs).astype(jnp.float32)
