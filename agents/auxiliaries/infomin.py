"""infomin: a contrast of two views that an adversary chooses to share little but what pays.

Formula: with z and z' the projections of o_t and o_{t+g}, each with a share r of it hidden, and c a
linear classifier of a label y (agents/auxiliaries/labels.py) from the latent of one view,
  InfoNCE(z -> z') + InfoNCE(z' -> z) + w (CE(c, y_t) + CE(c, y_{t+g})),
by cosines / tau. The adversary draws (g, r) with chances as exp(-a (I + w CE)), I being the running
mean of I_NCE by that choice: gaps 1, 2, 4 .. and shares below, at and above `mask`. What brings
little information but tells the label is the best view; with a = 0 both stay as they are set.
Source: InfoMin (Tian et al. 2020, arXiv 2005.10243), section 4.2: there an invertible network makes
the views, unstably without labels; here they are drawn from a few.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from agents.agent import Metrics
from agents.auxiliaries import heads, labels, pairs, views
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
class InfoMinConfig(pairs.ContrastConfig, heads.ProjectorConfig):
  """Views that share little."""

  gap: int = 4
  """The largest gap that is tried, or the only one (ours; 4 told most of a map in a toy)."""
  max_pairs: int = views.MOST
  """Entries of a batch that are seen in two views (ours; see agents/auxiliaries/views.py)."""
  mask: float = 0.5
  """Share of an observation that is hidden; halfway to 0 and to 1 are tried as well (ours)."""
  adversary: float = 2.0
  """a, per nat: how much rather views are drawn that share less (ours); 0 for the views as set."""
  task: float = 1.0
  """w, of the cross-entropies of the label (ours); without them views share ever less."""
  labels: Literal["return", "class"] = "return"
  """What the views are to tell."""
  discount: float = 0.97
  """Of the return (ours)."""
  bins: int = 8
  """Bins of the return (ours)."""
  memory: float = 0.95
  """Decay of the running means, each of the updates that drew its views (ours)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_share(self, "mask", "discount", "memory")
    check_at_least(self, 0, "adversary", "task")
    check_at_least(self, 2, "bins")

  @property
  def choices(self) -> tuple[tuple[int, float], ...]:
    """The gaps and shares that are drawn from."""
    if not self.adversary:
      return ((self.gap, self.mask),)
    gaps = [2**i for i in range(self.gap.bit_length()) if 2**i <= self.gap] or [0]
    rates = sorted({self.mask / 2.0, self.mask, (1.0 + self.mask) / 2.0})
    return tuple((gap, rate) for gap in gaps for rate in rates)


class Nets(NamedTuple):
  """p, and c from a latent, of so many labels."""

  projector: Heads
  labels: int


@registry.register("infomin", InfoMinConfig, summary="views that share little but what pays")
def build(settings: InfoMinConfig, context: Context) -> Auxiliary:
  settings.check("infomin", context)
  labels.check("infomin", settings.labels, context)
  count = context.classes if settings.labels == "class" else settings.bins
  nets = Nets(heads.projector(settings, context.compute), count)

  def init(key: jax.Array) -> tuple[Any, Any]:
    latent = jnp.zeros((1, context.latent_size))
    params = {
      "projector": nets.projector.init(key, latent),
      "classifier": jnp.zeros((context.latent_size, count)),
    }
    return params, jnp.zeros(len(settings.choices))

  spec = context.env.observation_spec()
  return Auxiliary(init, functools.partial(loss, settings, nets, spec, context.env))


def loss(
  settings: InfoMinConfig,
  nets: Nets,
  spec: Any,
  env: Any,
  params: Any,
  state: Any,
  inputs: Inputs,
  key: jax.Array,
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it keeps what each choice shared."""
  arm_key, one_key, other_key, row_key = jax.random.split(key, 4)
  arm = jax.random.categorical(arm_key, -settings.adversary * state)
  gaps, rates = (jnp.asarray(x)[arm] for x in zip(*settings.choices, strict=True))
  trajectory = inputs.trajectory
  weights = pairs.positives(trajectory.first, inputs.weights, gaps)
  rows = pairs.rows(trajectory.first, weights, settings.max_pairs, row_key)
  now, after = rows.of(trajectory.observation), rows.later(trajectory.observation, gaps)
  latents = inputs.encode(
    views.stacked(
      views.masked(spec, now, rates, one_key), views.masked(spec, after, rates, other_key)
    )
  )
  z = normalise(nets.projector.apply(params["projector"], latents))
  negatives = pairs.allowed(rows, settings.neighbours)
  logits = z[0] @ z[1].T / settings.temperature
  contrast = pairs.both_ways(logits, rows.weights, negatives)
  told = pairs.information(contrast / 2.0, rows.weights, negatives)
  label, has = labels.of(settings.labels, env, inputs, settings.discount, settings.bins)
  untold = optax.softmax_cross_entropy_with_integer_labels(
    latents @ params["classifier"],
    jnp.maximum(jnp.stack([rows.of(label), rows.later(label, gaps)]), 0),
  )
  counted = jnp.stack([rows.of(has), rows.later(has, gaps)]) * rows.weights
  task = sum((pairs.average(untold[i], counted[i]) for i in range(2)), jnp.float32(0.0))
  cost = told + settings.task * task / 2.0
  kept = state.at[arm].multiply(settings.memory).at[arm].add((1.0 - settings.memory) * cost)
  metrics = {
    "infomin_information": told,
    "infomin_task": task / 2.0,
    "infomin_gap": gaps.astype(jnp.float32),
    "infomin_mask": rates,
  }
  return contrast + settings.task * task, metrics, kept
