"""byol_image: one observation, seen in two ways, is to be told by each from the other.

Formula: with v and v' two views of o_t (agents/auxiliaries/views.py), p the projector, q the
predictor, f' and p' moving averages of encoder and projector, and n the division by the norm,
  mean |n(q(p(f(v)))) - n(p'(f'(v')))|^2 + the same with v and v' swapped + weight * U,
U the uniformity of what is projected (agents/auxiliaries/align_uniform.py), without which small
networks collapse here. Projector and predictor have group normalisation and standardised weights
in place of batch statistics. The projector's average follows BYOL's schedule, the encoder's is the
world model's, of `target_decay`.
Source: BYOL (Grill et al. 2020, arXiv 2006.07733), equation 2; without batch statistics, Richemond
et al. 2020, arXiv 2010.10241.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, pairs, views
from agents.auxiliaries.align_uniform import uniformity
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  Context,
  Inputs,
  check_at_least,
  check_share,
  registry,
)
from agents.heads.heads import Heads
from agents.world_model.table import normalise


@dataclasses.dataclass(frozen=True)
class BYOLImageConfig(views.ViewConfig, heads.ProjectorConfig):
  """BYOL of two views."""

  decay: float = 0.99
  """Decay of the projector's moving average at the start; it rises to 1 by the end of the run
  (BYOL's code: .996 for 1000 epochs, .97 for 40)."""
  groups: int = 16
  """Groups of the normalisation in projector and predictor, with standardised weights (arXiv
  2010.10241: 16, recalled); 0 for neither."""
  uniform: float = 0.1
  """Weight of the uniformity of what is projected (ours); 0 for BYOL as it was."""
  neighbours: int = 4
  """Steps within which entries of an episode need not lie apart (ours)."""
  max_pairs: int = views.MOST
  """Entries of a batch that are seen in two views (ours; see agents/auxiliaries/views.py)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_share(self, "decay")
    check_at_least(self, 0, "groups", "uniform", "neighbours")
    check_at_least(self, 2, "max_pairs")


class Nets(NamedTuple):
  """p and q."""

  projector: Heads
  predictor: Heads


@registry.register("byol_image", BYOLImageConfig, summary="two views of one observation agree")
def build(settings: BYOLImageConfig, context: Context) -> Auxiliary:
  size = settings.projector_size
  nets = Nets(
    heads.projector(settings, context.compute, settings.groups),
    heads.build(settings.projector_hidden, size, context.compute, settings.groups),
  )

  def init(key: jax.Array) -> tuple[Any, Any]:
    keys = jax.random.split(key, 3)
    latent = jnp.zeros((1, context.latent_size))
    params = {
      "projector": nets.projector.init(keys[0], latent),
      "predictor": nets.predictor.init(keys[1], jnp.zeros((1, size))),
    }
    # Online and target start apart, as in BYOL's code.
    return params, {"projector": nets.projector.init(keys[2], latent)}

  def follow(params: Any, state: Any, share: jax.Array) -> Any:
    decay = heads.cosine_decay(settings.decay, share)
    return {"projector": heads.moved(state["projector"], params["projector"], decay)}

  spec = context.env.observation_spec()
  return Auxiliary(init, functools.partial(loss, settings, nets, spec), follow)


def between(predicted: jax.Array, target: jax.Array) -> jax.Array:
  """|n(predicted) - n(target)|^2, [...] of arrays [..., D]; no gradient goes to the target."""
  target = jax.lax.stop_gradient(normalise(target))
  return jnp.sum(jnp.square(normalise(predicted) - target), axis=-1)


def loss(
  settings: BYOLImageConfig,
  nets: Nets,
  spec: Any,
  params: Any,
  state: Any,
  inputs: Inputs,
  key: jax.Array,
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it keeps the projector's average."""
  one, other, row_key = jax.random.split(key, 3)
  rows = pairs.rows(inputs.trajectory.first, inputs.weights, settings.max_pairs, row_key)
  observation = rows.of(inputs.trajectory.observation)
  both = views.stacked(*(views.augmented(settings, spec, observation, k) for k in (one, other)))
  z = nets.projector.apply(params["projector"], inputs.encode(both))
  predicted = nets.predictor.apply(params["predictor"], z)
  target = nets.projector.apply(state["projector"], inputs.encode_target(both))
  errors = jnp.sum(between(predicted, target[::-1]), axis=0)
  error = pairs.average(errors, rows.weights)
  different = pairs.allowed(rows, settings.neighbours)
  even = uniformity(normalise(z[0]), rows.weights, different)
  metrics = {"byol_image_error": error, "byol_image_uniformity": even}
  return error + settings.uniform * even, metrics, state
