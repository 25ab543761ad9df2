"""classify: the label that the environment shows is told, as in supervised learning.

Formula: the mean over entries with a label of -log softmax(c(b_t))[label_t], with c a network with
one hidden layer over the belief, or over the latent; or the policy, whose actions are then the
labels. The label is the leaf `class_label` of the observation, which no network reads.
Source: cross-entropy of a classifier.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from agents.agent import Metrics
from agents.auxiliaries import heads, labels, pairs
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  AuxiliaryConfig,
  Context,
  Inputs,
  check_at_least,
  registry,
)
from agents.heads.heads import Heads
from envs import action_specs
from envs.observation import LABEL


@dataclasses.dataclass(frozen=True)
class ClassifyConfig(AuxiliaryConfig):
  """A classifier."""

  reads: Literal["belief", "latent", "policy"] = "belief"
  """What the label is told from: all that was observed in the episode, or what is now; or whose
  action is to be the label."""
  hidden: int = 128
  """Units of the hidden layer (ours)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 1, "hidden")


@registry.register("classify", ClassifyConfig, summary="cross-entropy of the label that is shown")
def build(settings: ClassifyConfig, context: Context) -> Auxiliary:
  labels.check("classify", "class", context)
  if settings.reads == "policy":
    actions = context.env.action_spec()
    if action_specs.kind(actions) != "discrete" or actions.num_values != context.classes:
      raise ValueError(
        f"auxiliary 'classify': a policy can tell {context.classes} labels where it has as many"
        f" actions, and these are {action_specs.one_line(actions)}; give"
        " --auxiliary.classify.reads belief."
      )
    return Auxiliary(
      lambda key: ((), ()), functools.partial(loss, settings, None), shapes_policy=True
    )
  net = heads.build(settings.hidden, context.classes, context.compute)
  size = context.belief_size if settings.reads == "belief" else context.latent_size
  return Auxiliary(
    lambda key: (net.init(key, jnp.zeros((1, size))), ()), functools.partial(loss, settings, net)
  )


def loss(
  settings: ClassifyConfig,
  net: Heads | None,
  params: Any,
  state: Any,
  inputs: Inputs,
  key: jax.Array,
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state. Without `net` it is the
  policy that tells."""
  del key
  label = inputs.labels[LABEL].astype(jnp.int32)
  weights = inputs.weights * (label >= 0)
  if net is None:
    assert inputs.policy is not None
    logits = inputs.policy
  else:
    logits = net.apply(params, inputs.beliefs if settings.reads == "belief" else inputs.latents)
  errors = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(label, 0))
  right = (jnp.argmax(logits, axis=-1) == label).astype(jnp.float32)
  accuracy = {"classify_accuracy": pairs.average(right, weights)}
  return pairs.average(errors, weights), accuracy, state
