"""What distillation reads of a frozen teacher: its latents, and the logits of its policy.

The teacher sees what the student sees, and has a memory of its own, of any size. That begins anew
at each unroll, for what it would have remembered is not stored; where an episode begins within the
unroll that is what it was, and elsewhere it fills as it goes on: `remembers`.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.agent import Teacher
from agents.auxiliaries.auxiliary import Context
from agents.trajectory import Trajectory
from envs import action_specs
from envs.observation import leaves, visible


def of(method: str, context: Context) -> Teacher:
  """The teacher.

  Raises:
    ValueError: one line, if there is none, it was trained on other observations or actions, or it
      could not read the student's.
  """
  teacher = context.teacher
  if teacher is None:
    raise ValueError(
      f"auxiliary {method!r} learns from a trained run: rarebird train --teacher RUN."
    )
  if context.normalised:
    raise ValueError(
      f"auxiliary {method!r}: the teacher cannot read observations that are normalised for the"
      " student; give --normalise-observations no."
    )
  for what, own, other in (
    ("observations", _shapes(context.env), _shapes(teacher.env)),
    ("actions", _actions(context.env.action_spec()), _actions(teacher.env.action_spec())),
  ):
    if own != other:
      raise ValueError(
        f"auxiliary {method!r}: the teacher has other {what}, {other}, than the student, {own};"
        " take one that was trained on the same."
      )
  return teacher


def of_policy(method: str, context: Context) -> Teacher:
  """The teacher, whose policy is of discrete actions and can be read; ValueError as `of`."""
  teacher = of(method, context)
  if not has_policy(teacher):
    raise ValueError(f"auxiliary {method!r}: the teacher's policy cannot be read; take crd.")
  if action_specs.kind(context.env.action_spec()) != "discrete":
    raise ValueError(f"auxiliary {method!r} needs discrete actions, one at a time; take crd.")
  return teacher


def _shapes(env: Any) -> str:
  parts = leaves(visible(env.observation_spec())).items()
  return ", ".join(f"{name} {np.dtype(x.dtype)}{list(x.shape)}".strip() for name, x in parts)


def _actions(spec: specs.Array) -> str:
  return action_specs.one_line(spec.replace(name=None))


def latents(teacher: Teacher, observation: Any) -> jax.Array:
  """Its latents [..., N] of observations [..., *O], without gradient.

  Raises:
    ValueError: one line, if it has none.
  """
  if teacher.agent.encode is None:
    raise ValueError("the teacher has no latents to learn from.")
  return jax.lax.stop_gradient(teacher.agent.encode(teacher.state, observation))


def latent_size(teacher: Teacher, spec: Any) -> int:
  """Numbers in one of its latents, of observations of `spec`; ValueError as `latents`."""
  shown = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype), spec)
  return jax.eval_shape(functools.partial(latents, teacher), shown).shape[-1]


def policy(teacher: Teacher, trajectory: Trajectory) -> jax.Array:
  """Parameters [T+1, B, P] of its policy, without gradient; there is one, see `has_policy`."""
  agent = teacher.agent
  assert agent.probe is not None
  assert agent.probe.policy is not None
  memory = agent.stored(agent.initial_memory(trajectory.reward.shape[1]))
  return jax.lax.stop_gradient(
    agent.probe.policy(teacher.state, trajectory._replace(memory=memory, extras={}))
  )


def remembers(first: jax.Array, burn_in: int) -> jax.Array:
  """Where the teacher's memory counts, bool [T+1, B]: from an episode's beginning on, and from the
  entry `burn_in` of the unroll on."""
  begun = jnp.cumsum(first, axis=0) > 0
  return begun | (jnp.arange(len(first))[:, None] >= burn_in)


def has_policy(teacher: Teacher) -> bool:
  """Whether `policy` can be asked."""
  return teacher.agent.probe is not None and teacher.agent.probe.policy is not None
