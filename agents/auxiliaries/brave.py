"""brave: a short stretch of a trajectory and a long one around it are told from each other.

Formula: with z_n the projected mean of the latents of a narrow window that begins at t, z_b that of
a broad window's every so-manieth latent by a recurrent network of its own, h the predictor, and n
the division by the norm,
  1/2 |n(h(z_b)) - n(z_n)|^2 + 1/2 |n(h(z_n)) - n(z_b)|^2 + weight * U,
whose targets get no gradient; U is the uniformity of what is projected, without which small
networks collapse, as there is no moving average. Both windows lie within one episode.
Source: BraVe (Recasens et al. 2021, arXiv 2103.16559), equations 1 and 2, and its code: one
projector and one predictor for all views.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, pairs, views
from agents.auxiliaries.align_uniform import uniformity
from agents.auxiliaries.auxiliary import Auxiliary, Context, Inputs, check_at_least, registry
from agents.auxiliaries.byol_image import between
from agents.heads import heads as applied
from agents.heads.heads import Heads
from agents.world_model.table import normalise


@dataclasses.dataclass(frozen=True)
class BraVeConfig(heads.ProjectorConfig):
  """Broad and narrow windows."""

  narrow: int = 4
  """Steps of the narrow window (BraVe: 16 frames, every second)."""
  broad: int = 16
  """Steps of the broad window (BraVe: 64 frames, every fourth; ours: as long as a common unroll, of
  which 32 to 64 would tell more)."""
  stride: int = 4
  """Every so-manieth step of the broad window is read (BraVe: 4)."""
  uniform: float = 0.1
  """Weight of the uniformity of what is projected (ours); 0 for BraVe as it was."""
  max_pairs: int = 1024
  """Windows that are compared for it; see agents/auxiliaries/pairs.py."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 1, "narrow", "stride")
    check_at_least(self, 0, "uniform")
    check_at_least(self, 2, "max_pairs")
    if self.broad < self.narrow:
      raise ValueError(f"broad is {self.broad}; it must be at least narrow, {self.narrow}.")


class Nets(NamedTuple):
  """What reads the broad window, p and q."""

  recurrent: Heads
  projector: Heads
  predictor: Heads


@registry.register(
  "brave", BraVeConfig, summary="narrow and broad windows are told from each other"
)
def build(settings: BraVeConfig, context: Context) -> Auxiliary:
  context.check_window("brave", "broad", settings.broad)
  size, hidden = settings.projector_size, settings.projector_hidden
  nets = Nets(
    applied.build(lambda: functools.partial(_last, context.latent_size), context.compute),
    heads.projector(settings, context.compute),
    heads.build(hidden, size, context.compute),
  )

  def init(key: jax.Array) -> tuple[Any, Any]:
    keys = jax.random.split(key, 3)
    latent = jnp.zeros((1, context.latent_size))
    params = {
      "recurrent": nets.recurrent.init(keys[0], latent[None]),
      "projector": nets.projector.init(keys[1], latent),
      "predictor": nets.predictor.init(keys[2], jnp.zeros((1, size))),
    }
    return params, ()

  return Auxiliary(init, functools.partial(loss, settings, nets))


def _last(size: int, sequence: jax.Array) -> jax.Array:
  """A Haiku module: a GRU's state [R, N] after sequences [L, R, N]."""
  core = hk.GRU(size)
  state = core.initial_state(sequence.shape[1])
  for x in sequence:
    _, state = core(x, state)
  return state


def loss(
  settings: BraVeConfig, nets: Nets, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  trajectory = inputs.trajectory
  weights = views.whole(trajectory.first, inputs.weights, settings.broad)
  # One axis for stretches and batch: rows of both windows [length, R, N].
  sequences = jnp.moveaxis(views.windows(inputs.latents, settings.broad), 1, 0)
  sequences = sequences.reshape(settings.broad, -1, sequences.shape[-1])
  short = jnp.mean(sequences[: settings.narrow], axis=0)
  long = nets.recurrent.apply(params["recurrent"], sequences[:: settings.stride])
  z = nets.projector.apply(params["projector"], jnp.stack([short, long]))
  predicted = nets.predictor.apply(params["predictor"], z)
  flat = weights.reshape(-1)
  error = pairs.average(jnp.sum(between(predicted, z[::-1]), axis=0) / 2.0, flat)
  even, units = jnp.float32(0.0), normalise(z)
  rows = pairs.rows(trajectory.first[: len(weights)], weights, settings.max_pairs, key)
  different = pairs.allowed(rows, settings.broad)
  for one in units:
    even += uniformity(one[rows.entry], rows.weights, different) / 2.0
  metrics = {"brave_error": error, "brave_uniformity": even}
  return error + settings.uniform * even, metrics, state
