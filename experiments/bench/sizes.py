"""Torsos of one size: as many parameters, or as much work, as another's."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos import fuse
from agents.torsos.torso import registry
from envs.observation import Spec, visible, zeros
from envs.registry import Choice

Equal = Literal["settings", "parameters", "work"]
SCALED = ("width", "hidden")
"""Settings that set a torso's size; the first that it has is chosen."""
STEP, MOST = 4, 1024
"""Sizes that are tried: multiples of STEP, which XCiT's heads divide, up to MOST."""


def parameters(torso: Choice, spec: Spec, latent_size: int) -> int:
  """How many parameters the encoder of observations of `spec` has."""
  _, params, _ = _lowered(torso, spec, latent_size)
  return sum(p.size for p in jax.tree.leaves(params))


def operations(torso: Choice, spec: Spec, latent_size: int) -> float:
  """Floating-point operations of the encoder for one observation, forward: XLA's count, before it
  optimises; nothing is compiled."""
  network, params, x = _lowered(torso, spec, latent_size)
  cost: Any = jax.jit(network.apply).lower(params, x).cost_analysis()
  cost = cost[0] if isinstance(cost, list) else cost
  return float((cost or {}).get("flops", 0.0))


def _lowered(torso: Choice, spec: Spec, latent_size: int) -> tuple[Any, Any, Any]:
  spec = visible(spec)
  torsos = fuse.torsos_of(torso, spec)
  network = hk.without_apply_rng(
    hk.transform(lambda x: fuse.encoder(torsos, spec, latent_size, "encoder")(x))
  )
  x = jax.tree.map(jnp.asarray, zeros(spec, (1,)))
  return network, jax.eval_shape(network.init, jax.random.key(0), x), x


COUNTS = {"parameters": parameters, "work": operations}
"""What is counted of an encoder to make it as large as another."""


def equal(torso: Choice, to: Choice, by: Equal, spec: Spec, latent_size: int) -> Choice:
  """The torso with the width that makes it as large as another, as near as there is one; itself if
  it has no setting of size."""
  settings = registry.settings_of(torso)
  name = next((n for n in SCALED if hasattr(settings, n)), None)
  if by == "settings" or name is None:
    return torso
  count = COUNTS[by]
  wanted = count(to, spec, latent_size)

  def resized(steps: int) -> Choice:
    return Choice(torso.name, dataclasses.replace(settings, **{name: steps * STEP}))

  @functools.cache
  def off(steps: int) -> float:
    return count(resized(steps), spec, latent_size) - wanted

  low, high = 1, MOST // STEP
  while low < high:  # the smallest that is as large, if there is one
    middle = (low + high) // 2
    low, high = (low, middle) if off(middle) >= 0 else (middle + 1, high)
  return resized(min((max(low - 1, 1), low), key=lambda steps: abs(off(steps))))


def told(torso: Choice, spec: Spec, latent_size: int) -> str:
  """A torso's size, for a table."""
  p, flop = parameters(torso, spec, latent_size), operations(torso, spec, latent_size)
  settings = registry.settings_of(torso)
  own = next((f" {n} {getattr(settings, n)}" for n in SCALED if hasattr(settings, n)), "")
  return f"{torso.name}{own}: {p:,} p, {flop / 1e6:.2f} MFLOP"
