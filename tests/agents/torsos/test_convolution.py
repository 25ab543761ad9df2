"""The convolution and its gradients against XLA's own."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.torsos.convolution import Conv2D, convolution


def xla(x, w, stride):
  return jax.lax.conv_general_dilated(
    x, w, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
  )


def case(height, width, side, inputs=3, outputs=5):
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(2, height, width, inputs)), jnp.float32)
  return x, jnp.asarray(rng.normal(size=(side, side, inputs, outputs)), jnp.float32)


def with_gradients(function):
  def run(x, w):
    y, pull = jax.vjp(function, x, w)
    return y, *pull(jnp.cos(y))

  return run


@pytest.mark.parametrize(
  ("height", "width", "side", "stride"),
  # The second and fourth leave rows and columns that no window covers.
  [(20, 12, 8, 4), (23, 14, 8, 4), (10, 8, 4, 2), (9, 11, 4, 2), (6, 7, 3, 1), (5, 5, 1, 1)],
)
def test_values_and_gradients_equal_xlas(height, width, side, stride):
  inputs = case(height, width, side)
  run = with_gradients(lambda x, w: convolution(x, w, stride))
  found = jax.jit(run)(*inputs)
  expected = with_gradients(lambda x, w: xla(x, w, stride))(*inputs)
  for a, b in zip(found, expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_side_by_side_equals_alone():
  x, w = case(9, 8, 4)
  xs, ws = jnp.stack([x, -2.0 * x]), jnp.stack([w, w + 1.0])
  run = with_gradients(lambda x, w: convolution(x, w, 2))
  both = jax.vmap(run)(xs, ws)
  for i in range(2):
    for a, b in zip(both, run(xs[i], ws[i]), strict=True):
      np.testing.assert_allclose(a[i], b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("side", "stride", "padding"), [(4, 2, 0), (3, 1, 1)])
def test_the_module_is_haikus(side, stride, padding):
  x, _ = case(10, 10, side)
  kind = "SAME" if padding else "VALID"
  ours, haikus = (
    hk.without_apply_rng(hk.transform(f))
    for f in (
      lambda x: Conv2D(5, side, stride, padding)(x),
      lambda x: hk.Conv2D(5, side, stride, padding=kind)(x),
    )
  )
  params = ours.init(jax.random.key(0), x)
  jax.tree.map(np.testing.assert_array_equal, params, haikus.init(jax.random.key(0), x))
  params = jax.tree.map(lambda p: p + 0.1, params)
  np.testing.assert_allclose(ours.apply(params, x), haikus.apply(params, x), rtol=1e-4, atol=1e-5)


def test_a_stride_that_does_not_divide_the_side_is_refused():
  with pytest.raises(ValueError, match=r"weights \(3, 3, 3, 5\) with stride 2"):
    convolution(*case(9, 9, 3), 2)
