"""lru: linear recurrent units, by associative scan."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents.cores.core import column, registry
from agents.cores.parallel import Parallel
from agents.precision import product


@dataclasses.dataclass(frozen=True)
class LRUConfig:
  """Linear recurrent units."""

  layers: int = 2
  """Blocks (ours, as of the other cores)."""
  units: int = 64
  """Complex numbers of a layer's state (ours)."""
  r_min: float = 0.9
  """The least size of an eigenvalue at the start (public code for long memories: .9; minimal-LRU:
  0)."""
  r_max: float = 0.999
  """The largest, below 1 (the same code: .999): after 500 steps .999 keeps .61."""
  max_phase: float = 0.314
  """The largest angle of an eigenvalue at the start, in radians (the same code: pi / 10;
  minimal-LRU: 2 pi)."""

  def __post_init__(self) -> None:
    for name in ("layers", "units"):
      if getattr(self, name) < 1:
        raise ValueError(f"core.{name} is {getattr(self, name)}; it must be at least 1.")
    if not 0.0 <= self.r_min < self.r_max < 1.0:
      raise ValueError(
        f"core.r_min and r_max are {self.r_min} and {self.r_max}; 0 <= r_min < r_max < 1."
      )
    if self.max_phase <= 0.0:
      raise ValueError(f"core.max_phase is {self.max_phase}; it must be above 0.")


class LRUState(NamedTuple):
  """Real and imaginary part of each layer's state, [B, layers, units] each."""

  real: jax.Array
  imaginary: jax.Array


@registry.register("lru", LRUConfig)
class LRU(Parallel):
  """Linear recurrent units: memories that leak and turn, each by an eigenvalue of its own.

  h_t = lambda h_{t-1} + gamma B u_t; y_t = Re(C h_t) + D u_t, with lambda = exp(-exp(nu) +
  i exp(theta)) drawn uniformly from a ring, and gamma = sqrt(1 - |lambda|^2) at the start, both
  learned. A block is x += W_1 g * sigmoid(W_2 g), g = gelu(y), u = LN x (Orvieto et al. 2023, arXiv
  2303.06349; the scales at the start are those of github.com/NicolasZucchet/minimal-LRU). After the
  last block stands a layer norm (ours), as the open loop's gates want numbers near 1.
  """

  def project(self, inputs: jax.Array) -> jax.Array:
    return hk.Linear(self.size, name="inputs")(inputs)

  def unroll(
    self, projected: jax.Array, first: jax.Array, state: LRUState
  ) -> tuple[jax.Array, LRUState]:
    x, after = projected, []
    for i in range(self.settings.layers):
      u = _norm(x, f"layer_{i}_norm")
      y, last = self._recurrent(u, first, state.real[:, i], state.imaginary[:, i], f"layer_{i}")
      after.append(last)
      y = jax.nn.gelu(y)
      gate = jax.nn.sigmoid(hk.Linear(self.size, name=f"layer_{i}_gate")(y))
      x += hk.Linear(self.size, name=f"layer_{i}_out")(y) * gate
    stacked = jnp.stack(after, axis=1)
    return _norm(x, "last"), LRUState(stacked.real, stacked.imag)

  @hk.transparent
  def _recurrent(
    self, u: jax.Array, first: jax.Array, real: jax.Array, imaginary: jax.Array, name: str
  ) -> tuple[jax.Array, jax.Array]:
    """y [T, B, N] of u [T, B, N], and the complex state [B, units] after the last step."""
    units, size = self.settings.units, self.size

    def parameter(what: str, shape: tuple[int, ...], scale: float) -> jax.Array:
      init = hk.initializers.RandomNormal(scale)
      return hk.get_parameter(f"{name}_{what}", shape, init=init)

    nu = hk.get_parameter(f"{name}_nu", (units,), init=self._decay)
    theta = hk.get_parameter(f"{name}_theta", (units,), init=self._phase)
    size_of = jnp.exp(-jnp.exp(nu))
    log_gamma = hk.get_parameter(
      f"{name}_log_gamma", (units,), init=lambda *_: 0.5 * jnp.log1p(-(size_of**2))
    )
    eigenvalue = size_of * jnp.exp(1j * jnp.exp(theta))
    scale = (2 * size) ** -0.5
    b = [product(u, parameter(f"b_{part}", (size, units), scale)) for part in ("real", "imaginary")]
    inputs = jnp.exp(log_gamma) * (b[0] + 1j * b[1])
    # The state before the first step comes in with its input; a FIRST lets nothing by, and nothing
    # that is no number into a gradient.
    before = jnp.where(column(first[0], real), 0.0, real + 1j * imaginary)
    inputs = inputs.at[0].add(eigenvalue * before)
    kept = jnp.where(column(first, inputs), 0.0, eigenvalue)
    _, h = jax.lax.associative_scan(_compose, (kept, inputs), axis=0)
    c = [parameter(f"c_{part}", (units, size), units**-0.5) for part in ("real", "imaginary")]
    y = product(h.real, c[0]) - product(h.imag, c[1])
    return y + parameter("d", (size,), 1.0) * u, h[-1]

  def _decay(self, shape: tuple[int, ...], dtype: jnp.dtype) -> jax.Array:
    """nu, whose exp(-exp(nu)) is uniform in the ring between r_min and r_max (in area)."""
    low, high = self.settings.r_min**2, self.settings.r_max**2
    squared = hk.initializers.RandomUniform(max(low, 1e-6), high)(shape, dtype)
    return jnp.log(-0.5 * jnp.log(squared))

  def _phase(self, shape: tuple[int, ...], dtype: jnp.dtype) -> jax.Array:
    """theta, whose exp(theta) is uniform up to max_phase."""
    return jnp.log(hk.initializers.RandomUniform(1e-6, self.settings.max_phase)(shape, dtype))

  @staticmethod
  def initial_state(settings: LRUConfig, size: int, batch: int) -> LRUState:
    shape = (batch, settings.layers, settings.units)
    return LRUState(jnp.zeros(shape, jnp.float32), jnp.zeros(shape, jnp.float32))


def _compose(
  before: tuple[jax.Array, jax.Array], after: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
  """h -> a h + b, twice, as one."""
  return after[0] * before[0], after[0] * before[1] + after[1]


def _norm(x: jax.Array, name: str) -> jax.Array:
  return hk.LayerNorm(-1, create_scale=True, create_offset=True, name=name)(x)
