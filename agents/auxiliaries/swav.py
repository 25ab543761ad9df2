"""swav: windows of one stretch of a trajectory have the same codes, which use all prototypes.

Formula: with z the projected mean of the latents of a window, two long ones that begin at t and at
t + g, and V short ones within them, s = n(z) n(C) their cosines with the prototypes, and q the
codes of a long window (agents/auxiliaries/sinkhorn.py),
  mean over long windows i and all other windows v of -sum_k q_i,k log softmax(s_v / tau)_k.
No gradient goes to the codes. There is no queue: an unroll does not tell of which episode it is, so
that old codes would be of what is seen now.
Source: SwAV (Caron et al. 2020, arXiv 2006.09882), equations 1 to 4; SEER (Goyal et al. 2022,
arXiv 2202.08360).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

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
  frozen: int = 300
  """Gradient steps at the start in which prototypes stay (SwAV's code: 313)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_above_0(self, "epsilon")
    check_at_least(self, 1, "long", "short")
    check_at_least(self, 0, "shorts", "gap", "frozen")
    if self.short > self.long:
      raise ValueError(f"short is {self.short}; it must be at most long, {self.long}.")

  @property
  def stretch(self) -> int:
    """Entries from the first of one long window to the last of the other."""
    return self.gap + self.long


@registry.register("swav", SwAVConfig, summary="windows of one stretch have the same codes")
def build(settings: SwAVConfig, context: Context) -> Auxiliary:
  context.check_window("swav", "long + gap", settings.stretch)
  count = settings.count("swav", context)
  net = heads.projector(settings, context.compute)

  def init(key: jax.Array) -> tuple[Any, Any]:
    net_key, own_key = jax.random.split(key)
    projector = net.init(net_key, jnp.zeros((1, context.latent_size)))
    own = prototypes.init(own_key, count, settings.projector_size)
    return {"projector": projector, "prototypes": own}, jnp.int32(0)

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
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it keeps how often it was called."""
  weights = views.whole(inputs.trajectory.first, inputs.weights, settings.stretch)
  z = net.apply(params["projector"], pooled(settings, inputs.latents, key))
  own = params["prototypes"]
  own = jnp.where(state < settings.frozen, jax.lax.stop_gradient(own), own)
  scores = prototypes.cosines(z, own)
  logits = scores / settings.temperature
  count = scores.shape[-1]
  errors, codes = [], []
  for i in range(2):
    flat = sinkhorn.codes(
      scores[i].reshape(-1, count), weights.reshape(-1), settings.epsilon,
      settings.sinkhorn_iterations,
    )  # fmt: skip
    codes.append(flat.reshape(scores[i].shape))
    errors += [prototypes.cross_entropy(codes[i], logits[v]) for v in range(len(logits)) if v != i]
  error = pairs.average(jnp.mean(jnp.stack(errors), axis=0), weights)
  both = jnp.stack(codes)
  several = jnp.broadcast_to(weights, both.shape[:-1])
  mean = prototypes.mean_use(jax.nn.softmax(logits[:2]), several)
  return error, prototypes.use("swav", mean, both, several), state + 1
