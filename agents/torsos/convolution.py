"""Convolutions whose gradients are quick on the CPU too.

Within a loop (`jax.lax.scan`), XLA's CPU compiler runs the gradient of a convolution with respect
to its weights in naive code, 20 times slower than outside (jax 0.6.2): such a gradient is a
convolution of transposed arrays, and the transpositions that it folds into the convolution make one
that its fast library does not take. So here the transposed arrays are made first, behind an
optimisation barrier. Elsewhere than on the CPU XLA's own gradients are kept.
"""

from __future__ import annotations

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from agents.precision import rounded


def _convolve(
  x: jax.Array, w: jax.Array, stride: int = 1, padding: int = 0, dilation: int = 1
) -> jax.Array:
  return jax.lax.conv_general_dilated(
    x,
    w,
    window_strides=(stride, stride),
    padding=((padding, padding), (padding, padding)),
    rhs_dilation=(dilation, dilation),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _whole_convolution(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
  """`convolution`, where the windows cover all of x and their side is a multiple of the stride."""
  return _convolve(x, w, stride)


def _forward(
  x: jax.Array, w: jax.Array, stride: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  return _convolve(x, w, stride), (x, w)


def _by_weights(x: jax.Array, dy: jax.Array, stride: int) -> jax.Array:
  """dw[i, j] = sum over n, p, q of x[n, s p + i, s q + j] dy[n, p, q], a convolution again."""
  x, dy = jax.lax.optimization_barrier((x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3)))
  dw = jax.lax.optimization_barrier(_convolve(x, dy, dilation=stride))
  return dw.transpose(1, 2, 0, 3)


def _by_inputs(w: jax.Array, dy: jax.Array, stride: int) -> jax.Array:
  """Convolves dy with w turned round, all the inputs of a square of stride x stride at once."""
  side, _, inputs, outputs = w.shape
  cells = side // stride
  w = w.reshape(cells, stride, cells, stride, inputs, outputs)[::-1, :, ::-1]
  w = w.transpose(0, 2, 5, 1, 3, 4).reshape(cells, cells, outputs, -1)
  dx = _convolve(dy, jax.lax.optimization_barrier(w), padding=cells - 1)
  n, height, width, _ = dx.shape
  dx = dx.reshape(n, height, width, stride, stride, inputs).swapaxes(2, 3)
  return dx.reshape(n, height * stride, width * stride, inputs)


def _backward(
  stride: int, saved: tuple[jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array]:
  def on_cpu(x: jax.Array, w: jax.Array, dy: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _by_inputs(w, dy, stride), _by_weights(x, dy, stride)

  def elsewhere(x: jax.Array, w: jax.Array, dy: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.vjp(lambda x, w: _convolve(x, w, stride), x, w)[1](dy)

  return jax.lax.platform_dependent(*saved, dy, cpu=on_cpu, default=elsewhere)


_whole_convolution.defvjp(_forward, _backward)


def convolution(x: jax.Array, w: jax.Array, stride: int = 1) -> jax.Array:
  """Convolves images with square windows, without padding.

  Args:
    x: [N, H, W, C].
    w: [side, side, C, O].
    stride: a divisor of the side.

  Returns:
    [N, (H - side) // stride + 1, (W - side) // stride + 1, O].
  """
  side = w.shape[0]
  if side % stride or w.shape[1] != side:
    raise ValueError(f"weights {w.shape} with stride {stride}: expected a square of its multiple.")
  height, width = ((size - side) // stride * stride + side for size in x.shape[1:3])
  x, w = rounded(x[:, :height, :width], w)
  return _whole_convolution(x, w, stride).astype(jnp.float32)


class Conv2D(hk.Module):
  """`haiku.Conv2D`, parameters alike, by `convolution`.

  `padding` rows and columns of zeros go round the image.
  """

  def __init__(
    self, channels: int, side: int, stride: int = 1, padding: int = 0, name: str | None = None
  ):
    super().__init__(name=name)
    self.channels = channels
    self.side = side
    self.stride = stride
    self.padding = padding

  def __call__(self, x: jax.Array) -> jax.Array:
    shape = (self.side, self.side, x.shape[-1], self.channels)
    init = hk.initializers.TruncatedNormal(1.0 / np.sqrt(np.prod(shape[:-1])))
    w = hk.get_parameter("w", shape, init=init)
    b = hk.get_parameter("b", (self.channels,), init=jnp.zeros)
    margin = (self.padding, self.padding)
    return convolution(jnp.pad(x, ((0, 0), margin, margin, (0, 0))), w, self.stride) + b
