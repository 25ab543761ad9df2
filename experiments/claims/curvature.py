"""Rates from the curvature, beside constant ones: a small network fits a smooth function.

The network is a tanh MLP of 8-64-64-1; 128 points of N(0, I) are told sin of their sum over the
root of 8; the loss is the mean square, of all points at once or of 8 drawn at every update. Of
twelve constant rates, each a third or so above the one before, the best is that of the lowest mean
logarithm of the loss at the end, over the seeds. Sharpness is the largest eigenvalue of the
Hessian, and `edge` the median over the last tenth of the updates of sharpness times rate, which is
2 at the edge of stability.
Source: Roulet et al. 2024 (arXiv 2407.06183), whose networks are larger.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax

from agents.optimisers.cdat import scale_by_cdat
from agents.optimisers.sharpness import lanczos, random_like
from experiments.claims.claim import Claim, Row

POINTS, SIZE, HIDDEN = 128, 8, 64
PRODUCTS = 16
"""Of Lanczos' method."""
MEASURED = 50
"""Times that sharpness is measured."""
CONSTANTS = tuple(float(x) for x in np.geomspace(0.02, 0.4, 12))
"""Rates of plain descent."""
ADAM_CONSTANTS = tuple(float(x) for x in np.geomspace(3e-3, 0.1, 12))


class Way(NamedTuple):
  """A way to make steps.

  Attributes:
    direction: adam or sgd, at a rate of 1.
    rate: constant; or None for cdat.
    sigma, decay: of cdat.
    batch: points an update; all for 0.
    scale: of the points; the smaller, the smoother is what they are told.
  """

  direction: str
  rate: float | None = None
  sigma: float = 1.0
  decay: float = 0.9
  batch: int = 0
  scale: float = 1.0


def _network(x: jax.Array) -> jax.Array:
  hidden = hk.nets.MLP([HIDDEN, HIDDEN], activation=jnp.tanh, activate_final=True)(x)
  return hk.Linear(1)(hidden)[..., 0]


NETWORK = hk.without_apply_rng(hk.transform(_network))


def optimiser(way: Way, rate: jax.Array) -> optax.GradientTransformationExtraArgs:
  """Steps of this way."""
  base = optax.adam(1.0) if way.direction == "adam" else optax.sgd(1.0)
  if way.rate is not None:
    return optax.with_extra_args_support(optax.chain(base, optax.scale(rate)))
  scale = scale_by_cdat(way.sigma, way.decay)

  def update(updates: Any, state: Any, params: Any, **told: Any) -> tuple[Any, Any]:
    steps, inner = base.update(updates, state[0], params)
    steps, outer = scale.update(steps, state[1], params, gradient=updates, **told)
    return steps, (inner, outer)

  return optax.GradientTransformationExtraArgs(
    lambda params: (base.init(params), scale.init(params)), update
  )


@functools.partial(jax.jit, static_argnums=(0, 1))
def descend(way: Way, updates: int, key: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The loss of all points at the end, and sharpness times rate at `MEASURED` times, [MEASURED].

  `rate` is the constant one of a way that has one; ways that differ in it alone are one program.
  """
  data_key, param_key, key = jax.random.split(key, 3)
  x = way.scale * jax.random.normal(data_key, (POINTS, SIZE))
  y = jnp.sin(jnp.sum(x, axis=1) / SIZE**0.5)
  method = optimiser(way, rate)

  def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean(jnp.square(NETWORK.apply(params, x) - y))

  def step(carry: tuple[Any, Any], key: jax.Array) -> tuple[Any, None]:
    params, state = carry
    rows = jax.random.choice(key, POINTS, (way.batch or POINTS,), replace=False)
    slope = functools.partial(jax.grad(loss), x=x[rows], y=y[rows])
    change, state = method.update(
      slope(params), state, params, hvp=lambda v: jax.jvp(slope, (params,), (v,))[1]
    )
    return (optax.apply_updates(params, change), state), None

  def part(carry: Any, key: jax.Array) -> tuple[Any, jax.Array]:
    carry, _ = jax.lax.scan(step, carry, jax.random.split(key, updates // MEASURED))
    params, state = carry
    slope = functools.partial(jax.grad(loss), x=x, y=y)
    start = random_like(jax.random.key(0), params)
    top = lanczos(lambda v: jax.jvp(slope, (params,), (v,))[1], start, PRODUCTS)[-1]
    return carry, top * (state[1].rate if way.rate is None else rate)

  params = NETWORK.init(param_key, x)
  keys = jax.random.split(key, MEASURED)
  (params, _), edge = jax.lax.scan(part, (params, method.init(params)), keys)
  return loss(params, x, y), edge


def arm(way: Way, updates: int) -> Callable[[Sequence[int]], list[Row]]:
  """An arm: a way to make steps, and how many."""

  def run(seeds: Sequence[int]) -> list[Row]:
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    rate = jnp.float32(way.rate or 0.0)
    shape = way if way.rate is None else way._replace(rate=0.0)
    many = jax.vmap(functools.partial(descend, shape, updates), (0, None))
    losses, edges = jax.device_get(many(keys, rate))
    tail = MEASURED // 10
    return [
      {"loss": float(loss), "log10_loss": _logarithm(loss), "edge": float(np.median(edge[-tail:]))}
      for loss, edge in zip(losses, edges, strict=True)
    ]

  return run


def _logarithm(loss: float) -> float | None:
  return math.log10(loss) if 0.0 < loss < math.inf else None


def best_constant(rows: Sequence[Row]) -> list[str]:
  """A line of the best constant rate, and of how the others compare with it."""
  mean: dict[str, float] = {}
  for name in dict.fromkeys(row["arm"] for row in rows):
    logs = [row["log10_loss"] for row in rows if row["arm"] == name]
    mean[name] = math.inf if any(x is None for x in logs) else float(np.mean(logs))
  constants = [name for name in mean if name.startswith("constant")]
  if not constants:
    return []
  best = min(constants, key=lambda name: mean[name])
  lines = [f"best constant: {best}, a loss of {10 ** mean[best]:.1e} (geometric means)"]
  for name in mean:
    if name not in constants and math.isfinite(mean[name]):
      ratio = 10 ** (mean[name] - mean[best])
      lines.append(f"{name}: {10 ** mean[name]:.1e}, {ratio:.2g} times that of the best constant")
  return lines


def _claim(
  about: str, direction: str, rates: Sequence[float], ways: Mapping[str, Way], updates: int
) -> Claim:
  world = next(iter(ways.values()))
  constants = {
    f"constant {rate:.2g}": Way(direction, rate, batch=world.batch, scale=world.scale)
    for rate in rates
  }
  arms = {name: arm(way, updates) for name, way in {**constants, **ways}.items()}
  return Claim(
    about, arms, {"loss": "{:.1e}", "log10_loss": "{:.2f}", "edge": "{:.2f}"}, best_constant
  )


CLAIMS: Mapping[str, Claim] = {
  "cdat": _claim(
    "plain descent by cdat (arXiv 2407.06183) beats the best of 12 constants, on the edge",
    "sgd",
    CONSTANTS,
    {
      "cdat, sigma 1": Way("sgd"),
      "cdat, sigma 1.9": Way("sgd", sigma=1.9),
      "cdat, sigma 2": Way("sgd", sigma=2.0),
      "cdat, sigma 1.9, no averages": Way("sgd", sigma=1.9, decay=0.0),
    },
    2000,
  ),
  "cdat_adam": _claim(
    "Adam's direction by cdat, nothing tuned, is within 1.5 times the best of 12 constants",
    "adam",
    ADAM_CONSTANTS,
    {
      "cdat, sigma .5": Way("adam", sigma=0.5),
      "cdat, sigma 1": Way("adam"),
      "cdat, sigma 2": Way("adam", sigma=2.0),
    },
    100,
  ),
  "cdat_adam_smooth": _claim(
    "the same of a smoother function: points of N(0, 1/16), 200 updates",
    "adam",
    ADAM_CONSTANTS,
    {f"cdat, sigma {sigma:g}": Way("adam", None, sigma, scale=0.25) for sigma in (0.5, 1.0, 2.0)},
    200,
  ),
  "cdat_batch": _claim(
    "of batches of 8, cdat's averages are needed, and a smaller sigma",
    "adam",
    ADAM_CONSTANTS,
    {
      f"cdat, sigma {sigma:g}{'' if decay else ', no averages'}": Way(
        "adam", None, sigma, decay, batch=8
      )
      for sigma in (0.5, 1.0)
      for decay in (0.9, 0.0)
    },
    1000,
  ),
}
