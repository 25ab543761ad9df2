"""Pieces of torsos whose features are tokens: a stem, positions, and what their blocks are made of.

LayerNorm takes the place of the papers' batch normalisation; see agents/torsos/torso.py.
"""

from __future__ import annotations

import math

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from agents.precision import rounded
from agents.torsos.convolution import Conv2D
from envs.observation import Cells

EPSILON = 1e-6
"""Of LayerNorm (XCiT's and PatchConvNet's code)."""
LEAST_CHANNELS = 16
"""Of a stem's convolution (ours)."""
TOKENS_A_SIDE = 10
"""A stem halves pictures until their longer side has about so many tokens (ours)."""
POSITION_NUMBERS = 16
"""Sines and cosines of each axis of a token's position (XCiT's code: 32)."""


def linear(size: int, name: str) -> hk.Linear:
  """A linear layer that begins as Haiku's, with a deviation of 1 / sqrt(inputs); the papers' .02 is
  for widths of several hundred, and at ours makes branches that hardly begin to learn."""
  return hk.Linear(size, name=name)


def layer_norm(x: jax.Array, name: str) -> jax.Array:
  """LayerNorm over the last axis, with scale and offset."""
  return hk.LayerNorm(-1, True, True, eps=EPSILON, name=name)(x)


def gelu(x: jax.Array) -> jax.Array:
  """x times the normal's distribution function of x."""
  return jax.nn.gelu(x, approximate=False)


def scaled(branch: jax.Array, initial: float, name: str) -> jax.Array:
  """A residual branch [..., D] times a learned number for each channel (LayerScale, CaiT, arXiv
  2103.17239, equation 4)."""
  scale = hk.get_parameter(name, branch.shape[-1:], init=hk.initializers.Constant(initial))
  return scale * branch


def feed_forward(x: jax.Array, hidden: int, name: str) -> jax.Array:
  """Two linear layers with gelu between them, [..., D] to [..., D]."""
  y = gelu(linear(hidden, f"{name}_in")(x))
  return linear(x.shape[-1], f"{name}_out")(y)


def einsum(equation: str, *arrays: jax.Array) -> jax.Array:
  """`jax.numpy.einsum`, computed as `agents.precision` says; float32."""
  return jnp.einsum(equation, *rounded(*arrays)).astype(jnp.float32)


def depthwise(x: jax.Array, name: str) -> jax.Array:
  """A 3x3 convolution of each channel by itself, with bias, zeros round the edge.

  Nine shifted multiply-adds: as a convolution of one group a channel it is, on a CPU, 250 times
  slower forward, and 70 times inside `lax.scan` (jax 0.6.2).

  Args:
    x: [N, H, W, D].
    name: of its parameters, [3, 3, D] and [D].

  Returns:
    [N, H, W, D].
  """
  _, height, width, channels = x.shape
  init = hk.initializers.TruncatedNormal(1.0 / 3.0)  # 1 / sqrt(fan in)
  w = hk.get_parameter(f"{name}_w", (3, 3, channels), init=init)
  bias = hk.get_parameter(f"{name}_b", (channels,), init=jnp.zeros)
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  shifted = (w[i, j] * x[:, i : i + height, j : j + width] for i in range(3) for j in range(3))
  return sum(shifted, bias)


def position_code(height: int, width: int, numbers: int) -> np.ndarray:
  """Sines and cosines of where tokens lie, float32 [H, W, 2 numbers]: of y, then of x.

  Row i, from 1, is at the angle 2 pi i / H; entry j of its numbers is the sine, where j is even, or
  the cosine of the angle divided by 10000^(2 floor(j / 2) / numbers). Source: XCiT's code.
  """
  frequency = 10000.0 ** (2 * (np.arange(numbers) // 2) / numbers)

  def axis(size: int) -> np.ndarray:
    angle = np.arange(1, size + 1)[:, None] / (size + 1e-6) * 2 * np.pi / frequency
    return np.where(np.arange(numbers) % 2 == 0, np.sin(angle), np.cos(angle))

  y = np.broadcast_to(axis(height)[:, None], (height, width, numbers))
  x = np.broadcast_to(axis(width)[None], (height, width, numbers))
  return np.concatenate([y, x], axis=-1).astype(np.float32)


def placed(tokens: jax.Array, name: str = "positions") -> jax.Array:
  """Tokens [N, H, W, D], to each of which a linear map of its position is added."""
  _, height, width, _ = tokens.shape
  code = position_code(height, width, POSITION_NUMBERS)
  return tokens + linear(tokens.shape[-1], name)(jnp.asarray(code))


def stem(x: jax.Array, spec: object, width: int) -> jax.Array:
  """Tokens [N, h, w, width] of pictures [N, H, W, C].

  Of `Cells`, one linear map of each cell; of other pictures k convolutions 4x4/2, k the rounded
  log2(max(H, W) / 10) and at least 1, each with LayerNorm, gelu between them. Source: XCiT's stem
  (3x3/2 with batch normalisation).

  Raises:
    ValueError: if the sides cannot be cut so.
  """
  n, h, w, channels = x.shape
  if isinstance(spec, Cells):
    side = spec.side
    if h % side or w % side:
      raise ValueError(f"this torso cuts {side}-pixel cells; the image is {h}x{w}.")
    cells = x.reshape(n, h // side, side, w // side, side, channels).swapaxes(2, 3)
    return linear(width, "stem")(cells.reshape(n, h // side, w // side, -1))
  count = max(1, round(math.log2(max(h, w) / TOKENS_A_SIDE)))
  if min(h, w) < 2**count:
    raise ValueError(
      f"this torso halves an image of {h}x{w} {count} times, so its shorter side needs at least"
      f" {2**count} pixels; use --torso resnet or mlp."
    )
  for i in range(count):
    x = gelu(x) if i else x
    x = Conv2D(max(width >> (count - 1 - i), LEAST_CHANNELS), 4, 2, 1, name=f"stem_{i}")(x)
    x = layer_norm(x, f"stem_norm_{i}")
  return x if x.shape[-1] == width else linear(width, "stem")(x)


def check_sizes(settings: object, *names: str) -> None:
  """Raises ValueError unless these settings are at least 1."""
  for name in names:
    if (value := getattr(settings, name)) < 1:
      raise ValueError(f"{name} is {value}; it must be at least 1.")
