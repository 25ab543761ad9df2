"""kd: the student's policy is to be as likely to do what a frozen teacher does.

Formula: the mean over transitions of T^2 KL(p || q), p and q the softmax of the teacher's and the
student's logits, each over T. Its gradient is near T (q - p) times the step from logits to logits
over T, so that it keeps its size whatever T is. Actions that are not allowed are so in both.
Source: knowledge distillation (Hinton et al. 2015, arXiv 1503.02531), section 2; of policies Rusu
et al. 2015 (arXiv 1511.06295), there at a temperature of .01, which sharpens. Numbers: the code
RepDistiller. Its cross-entropy with the label, .1, is here what the objective asks for.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import Metrics, Teacher
from agents.auxiliaries import pairs, teachers
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  AuxiliaryConfig,
  Context,
  Inputs,
  check_above_0,
  registry,
)
from agents.heads import policies


@dataclasses.dataclass(frozen=True)
class KDConfig(AuxiliaryConfig):
  """Knowledge distillation."""

  weight: float = 0.9
  """Weight of the loss beside the objective's (RepDistiller: .9)."""
  temperature: float = 4.0
  """T, by which both policies' logits are divided (RepDistiller: 4)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_above_0(self, "temperature")


@registry.register("kd", KDConfig, summary="the policy follows a trained run's, --teacher")
def build(settings: KDConfig, context: Context) -> Auxiliary:
  teacher = teachers.of_policy("kd", context)
  return Auxiliary(
    lambda key: ((), ()),
    functools.partial(loss, settings, teacher),
    reads_teacher=True,
    shapes_policy=True,
  )


def divergence(teacher: jax.Array, student: jax.Array, temperature: float) -> jax.Array:
  """T^2 KL of logits [..., A] over T, [...]."""
  log_p, log_q = (jax.nn.log_softmax(x / temperature) for x in (teacher, student))
  return temperature**2 * jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def loss(
  settings: KDConfig, teacher: Teacher, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has neither parameters nor state."""
  del params, key
  assert inputs.policy is not None
  student = inputs.policy[:-1]
  known = teachers.policy(teacher, inputs.trajectory)[:-1]
  known = policies.masked(known, policies.possible(student))
  weights = inputs.weights[:-1] * inputs.trajectory.mask
  agrees = jnp.argmax(known, axis=-1) == jnp.argmax(student, axis=-1)
  told = {"kd_agreement": pairs.average(agrees.astype(jnp.float32), weights)}
  return pairs.average(divergence(known, student, settings.temperature), weights), told, state
