"""gtrxl: attention with gates in place of residual sums."""

from __future__ import annotations

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from agents.cores import attention
from agents.cores.core import registry
from agents.cores.parallel import Parallel


@dataclasses.dataclass(frozen=True)
class GTrXLConfig:
  """A gated transformer; in brackets transformerXL_PPO_JAX's numbers, on Craftax."""

  window: int = 32
  """Steps that a layer sees, the present one included (128). The state grows with it."""
  layers: int = 2
  """Blocks (2)."""
  heads: int = 4
  """Heads of queries, keys and values (8)."""
  head_size: int = 16
  """Numbers of a head, even (32)."""
  hidden: int = 128
  """Units of the feed-forward layer (ours)."""
  gate_bias: float = 2.0
  """b at the start: above 0 a gate carries its input on, as of a policy without memory (Parisotto
  et al. 2019, arXiv 1910.06764: 2)."""

  def __post_init__(self) -> None:
    attention.check(self.window, self.layers, self.heads, self.heads, self.head_size)
    if self.hidden < 1:
      raise ValueError(f"core.hidden is {self.hidden}; it must be at least 1.")


@registry.register("gtrxl", GTrXLConfig)
class GTrXL(Parallel):
  """Gated transformer: attention and feed-forward layers join the stream through GRU's gates.

  x = gate(x, relu(attention(LN x))); x = gate(x, relu(W_2 relu(W_1 LN x))) (Parisotto et al. 2019,
  arXiv 1910.06764, section 3). Positions are rotary, with the cache of `transformer`, in place of
  Transformer-XL's.
  """

  def project(self, inputs: jax.Array) -> jax.Array:
    return hk.Linear(self.size, name="inputs")(inputs)

  def unroll(
    self, projected: jax.Array, first: jax.Array, state: attention.State
  ) -> tuple[jax.Array, attention.State]:
    config: GTrXLConfig = self.settings
    held = attention.held(first, state.held)
    x, caches = projected, []
    for i, cache in enumerate(state.caches):
      read, cache = attention.layer(
        _norm(x, f"layer_{i}_before"), cache, held, config.heads, config.heads,
        config.head_size, 0.0, f"layer_{i}",
      )  # fmt: skip
      caches.append(cache)
      x = gate(x, jax.nn.relu(read), config.gate_bias, f"layer_{i}_gate")
      fed = jax.nn.relu(
        hk.Linear(config.hidden, name=f"layer_{i}_up")(_norm(x, f"layer_{i}_before_mlp"))
      )
      fed = hk.Linear(self.size, name=f"layer_{i}_down")(fed)
      x = gate(x, jax.nn.relu(fed), config.gate_bias, f"layer_{i}_gate_mlp")
    last = jnp.minimum(held[-1], config.window)
    return x, attention.State(tuple(caches), last)

  @staticmethod
  def initial_state(settings: GTrXLConfig, size: int, batch: int) -> attention.State:
    windows = (settings.window,) * settings.layers
    return attention.empty(batch, windows, settings.heads, settings.head_size)


def gate(x: jax.Array, y: jax.Array, bias: float, name: str) -> jax.Array:
  """What a GRU's gates, [..., N], make of the stream `x` and what is to come into it, `y`.

  r = s(W_r y + U_r x), z = s(W_z y + U_z x - b), c = tanh(W_g y + U_g (r x)); (1 - z) x + z c.
  `bias` is where b begins.
  """
  size = x.shape[-1]

  def linear(what: str, count: int) -> hk.Linear:
    return hk.Linear(count * size, with_bias=False, name=f"{name}_{what}")

  b = hk.get_parameter(f"{name}_bias", (size,), init=hk.initializers.Constant(bias))
  r_y, z_y, c_y = jnp.split(linear("new", 3)(y), 3, axis=-1)
  r_x, z_x = jnp.split(linear("old", 2)(x), 2, axis=-1)
  r, z = jax.nn.sigmoid(r_y + r_x), jax.nn.sigmoid(z_y + z_x - b)
  candidate = jnp.tanh(c_y + linear("candidate", 1)(r * x))
  return (1.0 - z) * x + z * candidate


def _norm(x: jax.Array, name: str) -> jax.Array:
  return hk.LayerNorm(-1, create_scale=True, create_offset=True, name=name)(x)
