"""swav: windows of one stretch of a trajectory have the same codes, which use all prototypes.

Formula: with z the projected mean of the latents of a window, two long ones that begin at t and at
t + g, and V short ones within them, s = n(z) n(C) their cosines with the prototypes, and q the
codes of a long window (agents/auxiliaries/sinkhorn.py),
  mean over long windows i and all other windows v of -sum_k q_i,k log softmax(s_v / tau)_k.
No gradient goes to the codes. On a dataset alone codes may be made with a queue of earlier windows:
an unroll that is played does not tell of which episode it is, so that old ones would be of what is
seen now.
Source: SwAV (Caron et al. 2020, arXiv 2006.09882), equations 1 to 4; SEER (Goyal et al. 2022,
arXiv 2202.08360).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, pairs, prototypes, sinkhorn, views
from agents.auxiliaries.auxiliary import (
  Auxiliary,
  Context,
  Inputs,
  check_above_0,
  check_at_least,
  registry,
)
from agents.heads.heads import Heads


@dataclasses.dataclass(frozen=True)
class SwAVConfig(prototypes.PrototypesConfig):
  """Swapped assignments of windows."""

  long: int = 4
  """Steps of the two long windows (ours; SwAV: 2 crops of 224 pixels)."""
  short: int = 2
  """Steps of the short windows (ours)."""
  shorts: int = 2
  """V, short windows (SwAV: 6 crops of 96 pixels)."""
  gap: int = 2
  """g, steps between the long windows' beginnings (ours)."""
  epsilon: float = 0.05
  """Temperature of the codes (SwAV's code: .05; SEER 10B's: .03)."""
  queue: int = 0
  """Earlier windows of each long one that codes are made with, on a dataset (SwAV's code: 3840)."""
  frozen: int = 300
  """Gradient steps at the start in which prototypes stay (SwAV's code: 313)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_above_0(self, "epsilon")
    check_at_least(self, 1, "long", "short")
    check_at_least(self, 0, "shorts", "gap", "frozen", "queue")
    if self.short > self.long:
      raise ValueError(f"short is {self.short}; it must be at most long, {self.long}.")

  @property
  def stretch(self) -> int:
    """Entries from the first of one long window to the last of the other."""
    return self.gap + self.long


class State(NamedTuple):
  """What is kept.

  Attributes:
    calls: int32, of the loss.
    queue: projections of earlier long windows, [2, Q, D], the newest first; () without a queue.
    weights: what each counts for, [2, Q], 0 where none is there yet.
  """

  calls: jax.Array
  queue: Any
  weights: Any


@registry.register("swav", SwAVConfig, summary="windows of one stretch have the same codes")
def build(settings: SwAVConfig, context: Context) -> Auxiliary:
  context.check_window("swav", "long + gap", settings.stretch)
  if settings.queue and not context.stored:
    raise ValueError(
      "auxiliary 'swav': a queue is for datasets, of whose episodes few come again at once; give"
      " --auxiliary.swav.queue 0, or train --dataset."
    )
  count = settings.count("swav", context)
  net = heads.projector(settings, context.compute)

  def init(key: jax.Array) -> tuple[Any, Any]:
    net_key, own_key = jax.random.split(key)
    projector = net.init(net_key, jnp.zeros((1, context.latent_size)))
    own = prototypes.init(own_key, count, settings.projector_size)
    shape = (2, settings.queue)
    queue = (jnp.zeros((*shape, settings.projector_size)), jnp.zeros(shape))
    return {"projector": projector, "prototypes": own}, State(
      jnp.int32(0), *(queue if settings.queue else ((), ()))
    )

  return Auxiliary(init, functools.partial(loss, settings, net))


def pooled(settings: SwAVConfig, latents: jax.Array, key: jax.Array) -> jax.Array:
  """The windows' mean latents, [2 + V, S, B, N], the long ones first, of stretches that begin at
  the first S entries, those that have room for one."""
  starts = latents.shape[0] - settings.stretch + 1
  long, short = (
    jnp.mean(views.windows(latents, length), axis=1) for length in (settings.long, settings.short)
  )
  t, b = jnp.arange(starts)[:, None], jnp.arange(latents.shape[1])[None, :]
  windows = [long[:starts], long[settings.gap : settings.gap + starts]]
  for one in jax.random.split(key, settings.shorts):
    shape, most = (starts, latents.shape[1]), settings.stretch - settings.short + 1
    windows.append(short[t + jax.random.randint(one, shape, 0, most), b])
  return jnp.stack(windows)


def loss(
  settings: SwAVConfig, net: Heads, params: Any, state: Any, inputs: Inputs, key: jax.Array
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it keeps a `State`."""
  weights = views.whole(inputs.trajectory.first, inputs.weights, settings.stretch)
  z = net.apply(params["projector"], pooled(settings, inputs.latents, key))
  own = params["prototypes"]
  own = jnp.where(state.calls < settings.frozen, jax.lax.stop_gradient(own), own)
  scores = prototypes.cosines(z, own)
  logits = scores / settings.temperature
  count = scores.shape[-1]
  errors, codes = [], []
  for i in range(2):
    now, counts = scores[i].reshape(-1, count), weights.reshape(-1)
    if settings.queue:
      earlier = prototypes.cosines(state.queue[i], own)
      now, counts = jnp.concatenate([now, earlier]), jnp.concatenate([counts, state.weights[i]])
    flat = sinkhorn.codes(now, counts, settings.epsilon, settings.sinkhorn_iterations)
    codes.append(flat[: weights.size].reshape(scores[i].shape))
    errors += [prototypes.cross_entropy(codes[i], logits[v]) for v in range(len(logits)) if v != i]
  error = pairs.average(jnp.mean(jnp.stack(errors), axis=0), weights)
  both = jnp.stack(codes)
  several = jnp.broadcast_to(weights, both.shape[:-1])
  mean = prototypes.mean_use(jax.nn.softmax(logits[:2]), several)
  return error, prototypes.use("swav", mean, both, several), after(settings, state, z[:2], weights)


def after(settings: SwAVConfig, state: State, z: jax.Array, weights: jax.Array) -> State:
  """The state after a batch whose long windows' projections are z [2, S, B, D]."""
  state = state._replace(calls=state.calls + 1)
  if not settings.queue:
    return state
  z = jax.lax.stop_gradient(z.reshape(2, weights.size, -1))
  counts = jnp.broadcast_to(weights.reshape(-1), z.shape[:2])
  return state._replace(
    queue=jnp.concatenate([z, state.queue], axis=1)[:, : settings.queue],
    weights=jnp.concatenate([counts, state.weights], axis=1)[:, : settings.queue],
  )
