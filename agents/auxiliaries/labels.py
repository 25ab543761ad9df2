"""Labels of steps, from what the agent was shown or made happen, never from what `oracle` tells.

return   the bin of the batch that the return until the end of the episode or unroll falls into
goal     the goal that is asked for, in environments with goals
reached  the same, of the steps from which it is reached within the unroll
class    the leaf `class_label` of the observation, which no network reads
"""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp

from agents.auxiliaries.auxiliary import Context, Inputs
from agents.bonuses.episodic_counts import exact_hash
from agents.trajectory import Trajectory
from envs.capabilities import HasGoals
from envs.observation import GOAL, LABEL, VIEW

Kind = Literal["return", "goal", "reached", "class"]


def check(method: str, kind: Kind, context: Context) -> None:
  """Raises ValueError, one line, if the environment has no such labels."""
  if kind == "class" and not context.classes:
    raise ValueError(
      f"auxiliary {method!r} has no labels: the environment's observations have no leaf {LABEL!r}."
    )
  if kind in ("goal", "reached") and not isinstance(context.env, HasGoals):
    raise ValueError(
      f"auxiliary {method!r} has no labels: they are {kind!r}, and the environment has no goals;"
      f" give --auxiliary.{method}.labels return."
    )
  if kind == "reached" and context.normalised:
    raise ValueError(
      f"auxiliary {method!r}: labels are 'reached', which the environment tells of observations as"
      " they are; give --normalise-observations no."
    )


def returns(trajectory: Trajectory, discount: float) -> jax.Array:
  """The environment's rewards after each entry until the end of its episode or of the unroll,
  discounted, float32 [T+1, B]."""
  going = jnp.concatenate([trajectory.mask, jnp.zeros_like(trajectory.mask[:1])])
  rewards = jnp.concatenate([trajectory.reward[1:], jnp.zeros_like(trajectory.reward[:1])])

  def back(after: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    reward, goes_on = step
    value = jnp.where(goes_on, reward + discount * after, 0.0)
    return value, value

  zeros = jnp.zeros_like(rewards[0])
  return jax.lax.scan(back, zeros, (rewards, going), reverse=True)[1]


def bins(values: jax.Array, weights: jax.Array, count: int) -> jax.Array:
  """Which of so many bins each value falls into, int32 [T+1, B], as full as one another but for
  equal values, which share one: by the share of the entries that count and have less."""
  flat, counts = values.reshape(-1), weights.reshape(-1) > 0.0
  ordered = jnp.sort(jnp.where(counts, flat, jnp.inf))
  less = jnp.searchsorted(ordered, flat, side="left")
  total = jnp.maximum(jnp.sum(counts), 1)
  return jnp.minimum(less * count // total, count - 1).astype(jnp.int32).reshape(values.shape)


def arrived(env: Any, observation: Any, first: jax.Array) -> jax.Array:
  """bool [T+1, B]: the goal is reached here, or later within the unroll's part of the episode."""
  here = jax.vmap(jax.vmap(env.reached))(observation[VIEW], observation[GOAL])
  begins = jnp.concatenate([first[1:], jnp.ones_like(first[:1])])

  def back(after: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    reached, last = step
    value = reached | (after & ~last)
    return value, value

  return jax.lax.scan(back, jnp.zeros_like(here[0]), (here, begins), reverse=True)[1]


def of(
  kind: Kind, env: Any, inputs: Inputs, discount: float, count: int
) -> tuple[jax.Array, jax.Array]:
  """Labels int32 [T+1, B], and which entries have one, bool [T+1, B].

  Args:
    kind: of the labels.
    env: the environment's specs.
    inputs: of the loss.
    discount: of the return.
    count: bins of the return.
  """
  trajectory = inputs.trajectory
  everywhere = jnp.ones(trajectory.reward.shape, bool)
  if kind == "return":
    return bins(returns(trajectory, discount), inputs.weights, count), everywhere
  if kind == "class":
    label = inputs.labels[LABEL]
    return label.astype(jnp.int32), label >= 0
  goal = trajectory.observation[GOAL]
  flat = goal.reshape(*everywhere.shape, -1)
  if jnp.issubdtype(flat.dtype, jnp.floating):
    flat = jax.lax.bitcast_convert_type(flat.astype(jnp.float32), jnp.int32)
  label = jax.lax.bitcast_convert_type(exact_hash(flat), jnp.int32)
  if kind == "goal":
    return label, everywhere
  return label, arrived(env, trajectory.observation, trajectory.first)


def share_of_class(labels: jax.Array, weights: jax.Array) -> jax.Array:
  """Weights [R] by which all classes of labels [R] count alike, each of them less the more rows it
  has; they add up to the number of classes."""
  same = labels[:, None] == labels[None, :]
  size = jnp.sum(same * weights[None, :], axis=-1)
  return jnp.where(weights > 0.0, weights / jnp.where(size > 0.0, size, 1.0), 0.0)
