"""policy_kl: the student's whole distribution over actions is a frozen teacher's.

Formula: the mean over transitions of KL(p_S || p_T), `reverse`, or of KL(p_T || p_S), `forward`. In
the student's logits the gradient of the one is p_S (log(p_S / p_T) - KL), which lets go of what the
teacher does and the student cannot; that of the other p_S - p_T. Actions that are not allowed are
so in both.
Where: in the states that the data holds. With `--objective none --objective.taught` the student
acts, and learns from nothing else (on policy; with `--objective.acts chance` of random play, off
policy); beside another objective it is a term of that one's loss.
Source: distillation on the student's own samples (Gemma 2, arXiv 2408.00118, section 3; Agarwal et
al. 2023, arXiv 2306.13649); of policies Rusu et al. 2015 (arXiv 1511.06295), forward, off policy.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp

from agents.agent import Metrics, Teacher
from agents.auxiliaries import pairs, teachers
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  AuxiliaryConfig,
  Context,
  Inputs,
  check_at_least,
  registry,
)
from agents.heads import policies


@dataclasses.dataclass(frozen=True)
class PolicyKLConfig(AuxiliaryConfig):
  """Distillation of a policy."""

  direction: Literal["reverse", "forward"] = "reverse"
  """`reverse` is of the student's actions, `forward` of the teacher's (Gemma 2 post-trains on the
  student's own samples; Agarwal et al. find reverse as good there)."""
  burn_in: int = 0
  """Entries of an unroll in which the teacher but fills its memory, unless an episode has begun
  there; then it has the memory that it would have had (ours)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 0, "burn_in")


@registry.register("policy_kl", PolicyKLConfig, summary="the policy is a trained run's, --teacher")
def build(settings: PolicyKLConfig, context: Context) -> Auxiliary:
  teacher = teachers.of_policy("policy_kl", context)
  context.check_window("policy_kl", "burn_in", settings.burn_in + 1)
  return Auxiliary(
    lambda key: ((), ()),
    functools.partial(loss, settings, teacher),
    reads_teacher=True,
    shapes_policy=True,
  )


def divergence(p: jax.Array, q: jax.Array) -> jax.Array:
  """KL(p || q) of logits [..., A], [...]; nats."""
  log_p, log_q = jax.nn.log_softmax(p), jax.nn.log_softmax(q)
  return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def loss(
  settings: PolicyKLConfig,
  teacher: Teacher,
  params: Any,
  state: Any,
  inputs: Inputs,
  key: jax.Array,
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has neither parameters nor state."""
  del params, key
  assert inputs.policy is not None
  student = inputs.policy[:-1]
  known = teachers.policy(teacher, inputs.trajectory)[:-1]
  known = policies.masked(known, policies.possible(student))
  remembers = teachers.remembers(inputs.trajectory.first, settings.burn_in)[:-1]
  weights = inputs.weights[:-1] * inputs.trajectory.mask * remembers
  pair = (student, known) if settings.direction == "reverse" else (known, student)
  agrees = jnp.argmax(known, axis=-1) == jnp.argmax(student, axis=-1)
  told = {"policy_kl_agreement": pairs.average(agrees.astype(jnp.float32), weights)}
  return pairs.average(divergence(*pair), weights), told, state
