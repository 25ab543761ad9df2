"""transformer: attention over a window of the episode, in Gemma 2's blocks."""

from __future__ import annotations

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from agents.cores import attention
from agents.cores.core import registry
from agents.cores.parallel import Parallel


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
  """A transformer; sources name Gemma 2's report, arXiv 2408.00118, table 1, its 2B model."""

  window: int = 32
  """Steps that a global layer sees, the present one included (8192). The state grows with it."""
  local_window: int = 8
  """Steps that a local layer sees, at most `window` (4096)."""
  layers: int = 2
  """Blocks, local and global in turn, the last global (26; transformerXL_PPO_JAX on Craftax: 2)."""
  heads: int = 4
  """H, heads of queries (8)."""
  kv_heads: int = 2
  """K, heads of keys and values, which divide those of queries (4)."""
  head_size: int = 16
  """Numbers of a head, even (256)."""
  hidden: int = 128
  """Units of the feed-forward layer (9216)."""
  logit_cap: float = 50.0
  """Logits of attention stay within it, by tanh (50); 0 for no cap."""

  def __post_init__(self) -> None:
    attention.check(self.window, self.layers, self.heads, self.kv_heads, self.head_size)
    for name in ("local_window", "hidden"):
      if getattr(self, name) < 1:
        raise ValueError(f"core.{name} is {getattr(self, name)}; it must be at least 1.")
    if self.logit_cap < 0.0:
      raise ValueError(f"core.logit_cap is {self.logit_cap}; it must be at least 0.")

  @property
  def windows(self) -> tuple[int, ...]:
    """Of each layer; the last is global, and from there back every second."""
    local = min(self.local_window, self.window)
    return tuple(local if (self.layers - i) % 2 == 0 else self.window for i in range(self.layers))


@registry.register("transformer", TransformerConfig)
class Transformer(Parallel):
  """Gemma 2's blocks over a window of the episode, with a rolling cache of keys and values.

  x += RMS(attention(RMS x)); x += RMS(W_d (gelu(W_a RMS x) * W_b RMS x)); at the end RMS once more.
  Local and global layers in turn, grouped queries, rotary positions, a soft cap of attention's
  logits, norms before and after, no biases (Gemma Team 2024, arXiv 2408.00118, section 2).
  """

  def project(self, inputs: jax.Array) -> jax.Array:
    return hk.Linear(self.size, name="inputs")(inputs)

  def unroll(
    self, projected: jax.Array, first: jax.Array, state: attention.State
  ) -> tuple[jax.Array, attention.State]:
    config: TransformerConfig = self.settings
    held = attention.held(first, state.held)
    x, caches = projected, []
    for i, cache in enumerate(state.caches):
      read, cache = attention.layer(
        rms_norm(x, f"layer_{i}_before"), cache, held, config.heads, config.kv_heads,
        config.head_size, config.logit_cap, f"layer_{i}",
      )  # fmt: skip
      caches.append(cache)
      x += rms_norm(read, f"layer_{i}_after")
      fed = _feed_forward(rms_norm(x, f"layer_{i}_before_mlp"), config.hidden, f"layer_{i}")
      x += rms_norm(fed, f"layer_{i}_after_mlp")
    last = jnp.minimum(held[-1], config.window)
    return rms_norm(x, "last"), attention.State(tuple(caches), last)

  @staticmethod
  def initial_state(settings: TransformerConfig, size: int, batch: int) -> attention.State:
    return attention.empty(batch, settings.windows, settings.kv_heads, settings.head_size)


def rms_norm(x: jax.Array, name: str) -> jax.Array:
  """x over its root mean square, times 1 + a learned scale (arXiv 1910.07467; as Gemma has it)."""
  scale = hk.get_parameter(f"{name}_scale", x.shape[-1:], init=jnp.zeros)
  return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6) * (1.0 + scale)


def _feed_forward(x: jax.Array, hidden: int, name: str) -> jax.Array:
  """GeGLU (Shazeer 2020, arXiv 2002.05202), gelu by tanh, without biases."""

  def linear(what: str, size: int) -> hk.Linear:
    return hk.Linear(size, with_bias=False, name=f"{name}_{what}")

  gate = jax.nn.gelu(linear("gate", hidden)(x), approximate=True)
  return linear("down", x.shape[-1])(gate * linear("up", hidden)(x))
