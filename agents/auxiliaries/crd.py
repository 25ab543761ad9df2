"""crd: the student's latent tells which of a batch a frozen teacher's latent is of.

Formula: with s_i and t_i the student's and the teacher's latent of entry i, each by a linear map of
its own to the sphere, the sum of InfoNCE from s to t and from t to s of the cosines over tau
(agents/auxiliaries/pairs.py); I(T; S) is at least what `crd_information` tells, nats. The maps and
the student's encoder learn; networks and sizes may differ.
Source: contrastive representation distillation (Tian et al. 2020, arXiv 1910.10699), equations 9
to 19; there against 16384 negatives of a memory bank, of other classes, with a critic
e^s / (e^s + N/M), which a batch, having all its pairs, does without.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax

from agents.agent import Metrics, Teacher
from agents.auxiliaries import pairs, teachers
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  AuxiliaryConfig,
  Context,
  Inputs,
  check_above_0,
  check_at_least,
  registry,
)
from agents.world_model.table import normalise


@dataclasses.dataclass(frozen=True)
class CRDConfig(AuxiliaryConfig):
  """Contrastive representation distillation."""

  weight: float = 0.8
  """Weight of the loss beside the objective's (RepDistiller: .8)."""
  size: int = 128
  """Numbers that both latents are mapped to (RepDistiller: 128)."""
  temperature: float = 0.07
  """tau, of the cosines (RepDistiller: .07)."""
  neighbours: int = 4
  """Steps within which entries of an episode are no negatives of one another (ours)."""
  max_pairs: int = 1024
  """Entries of a batch that are compared with one another; see agents/auxiliaries/pairs.py."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_above_0(self, "temperature")
    check_at_least(self, 0, "neighbours")
    check_at_least(self, 1, "size")
    check_at_least(self, 2, "max_pairs")


@registry.register("crd", CRDConfig, summary="latents tell a trained run's latents, --teacher")
def build(settings: CRDConfig, context: Context) -> Auxiliary:
  teacher = teachers.of("crd", context)
  sizes = {
    "student": context.latent_size,
    "teacher": teachers.latent_size(teacher, context.env.observation_spec()),
  }

  def init(key: jax.Array) -> tuple[Any, Any]:
    return {
      name: jax.random.normal(jax.random.fold_in(key, i), (size, settings.size)) / size**0.5
      for i, (name, size) in enumerate(sizes.items())
    }, ()

  return Auxiliary(init, functools.partial(loss, settings, teacher), reads_teacher=True)


def loss(
  settings: CRDConfig, teacher: Teacher, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  rows = pairs.rows(inputs.trajectory.first, inputs.weights, settings.max_pairs, key)
  negatives = pairs.allowed(rows, settings.neighbours)
  known = teachers.latents(teacher, jax.tree.map(rows.of, inputs.trajectory.observation))
  student = normalise(rows.of(inputs.latents) @ params["student"])
  logits = student @ normalise(known @ params["teacher"]).T / settings.temperature
  one_way = pairs.info_nce(logits, rows.weights, negatives)
  told = {"crd_information": pairs.information(one_way, rows.weights, negatives)}
  return one_way + pairs.info_nce(logits.T, rows.weights, negatives), told, state
