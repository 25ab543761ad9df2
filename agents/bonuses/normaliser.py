"""The one normaliser of all bonuses: from what a bonus says to what is paid.

  surprise    max((l - mu) / sigma, 0), with running mu and sigma of l: only what is above average
              is paid. BYOL-Explore (Guo et al. 2022, arXiv 2206.08332), section 3.3.
  return_std  l / sigma, with sigma of all discounted returns sum_i gamma^i l_{t-i} so far. RND
              (Burda et al. 2018, arXiv 1810.12894), section 2.4. RND's sums start at 0 and go on
              for ever; here they start at 0 in every trajectory, as no learner knows what came
              before it, so that sigma is smaller where trajectories are short.
  none        l: for bonuses that have a scale by themselves.

Everything runs over time, the axis T, and never over environments.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from agents.agent import Metrics

Scaling = Literal["surprise", "return_std", "none"]


class NormaliserState(NamedTuple):
  """Running mean of the values and of their squares, and how many updates they hold; scalars."""

  mean: jax.Array
  mean_square: jax.Array
  updates: jax.Array


def init() -> NormaliserState:
  return NormaliserState(jnp.float32(0.0), jnp.float32(0.0), jnp.int32(0))


def update(
  state: NormaliserState, values: jax.Array, mask: jax.Array, decay: float
) -> NormaliserState:
  """Averages in the values [T, B] where `mask` [T, B]; a batch with none changes nothing.

  The n-th batch has weight (1 - decay) / (1 - decay^n), which corrects for the start at zero; with
  decay 1 that is 1 / n, the mean of all batches.
  """
  count = jnp.sum(mask)
  n = state.updates + 1
  weight = 1.0 / n if decay == 1.0 else (1.0 - decay) / (1.0 - decay ** n.astype(jnp.float32))

  def average(old: jax.Array, x: jax.Array) -> jax.Array:
    new = jnp.sum(jnp.where(mask, x, 0.0)) / jnp.maximum(count, 1)
    return old + weight * (new - old)

  new = NormaliserState(
    average(state.mean, values), average(state.mean_square, jnp.square(values)), n
  )
  return jax.tree.map(lambda n, s: jnp.where(count > 0, n, s), new, state)


def deviation(state: NormaliserState) -> jax.Array:
  """The running standard deviation."""
  return jnp.sqrt(jnp.maximum(state.mean_square - jnp.square(state.mean), 0.0) + 1e-8)


def discounted(values: jax.Array, mask: jax.Array, discount: float | jax.Array) -> jax.Array:
  """Returns sum_i discount^i l_{t-i}, [T, B], of values [T, B] that are 0 outside `mask`.

  It starts at 0, and goes on through the ends of episodes, as RND's.
  """

  def body(total: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    value, inside = inputs
    total = jnp.where(inside, discount * total + value, total)
    return total, total

  return jax.lax.scan(body, jnp.zeros_like(values[0]), (values, mask))[1]


def normalise(
  scaling: Scaling,
  state: NormaliserState,
  values: jax.Array,
  mask: jax.Array,
  decay: float,
  clip_at_mean: bool,
  discount: float | jax.Array,
) -> tuple[jax.Array, NormaliserState, Metrics]:
  """Returns what is paid, float32 [T, B] and 0 outside `mask`, and the state with these values in.

  Args:
    scaling: see above.
    state: the running averages.
    values: [T, B], what the bonus says.
    mask: bool [T, B], the real transitions.
    decay: of the averages of `surprise`, a batch a step.
    clip_at_mean: without it, `surprise` is l / sigma.
    discount: gamma, of `return_std`.

  Raises:
    ValueError: for another scaling.
  """
  if scaling not in get_args(Scaling):
    raise ValueError(f"scaling {scaling!r} is none of {', '.join(get_args(Scaling))}.")
  values = jnp.where(mask, values, 0.0)
  if scaling == "none":
    return values, state, {}
  if scaling == "return_std":
    state = update(state, discounted(values, mask, discount), mask, 1.0)
    paid = values / deviation(state)
  else:
    state = update(state, values, mask, decay)
    excess = jnp.where(mask, jnp.maximum(values - state.mean, 0.0), 0.0)
    paid = (excess if clip_at_mean else values) / deviation(state)
  unpaid = jnp.sum(mask & (paid == 0.0)) / jnp.maximum(jnp.sum(mask), 1)
  metrics = {"bonus_mean": state.mean, "bonus_std": deviation(state), "unpaid": unpaid}
  return paid, state, metrics
