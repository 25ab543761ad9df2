"""brave: against NumPy, and windows that cross an episode's end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)
SETTINGS = {
  "narrow": 2, "broad": 4, "stride": 2, "projector_hidden": 8, "projector_size": 4,
}  # fmt: skip


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def gru(params, sequence):
  """The state [N] after a sequence [L, N]."""
  layers = slow.numpy(next(iter(params.values())))
  (w_i, w_h, b), size = (layers[name] for name in ("w_i", "w_h", "b")), sequence.shape[1]
  state = np.zeros(size)
  for x in sequence:
    inside = x @ w_i + b
    z = sigmoid(inside[:size] + state @ w_h[:, :size])
    r = sigmoid(inside[size : 2 * size] + state @ w_h[:, size : 2 * size])
    a = np.tanh(inside[2 * size :] + (r * state) @ w_h[:, 2 * size :])
    state = (1 - z) * state + z * a
  return state


def test_brave_equals_numpy():
  method, params, state = slow.build("brave", uniform=0.3, **SETTINGS)
  inputs = slow.inputs()
  latents, first = slow.numpy(inputs.latents), slow.firsts()
  errors, projected, where = [], [], []
  for t, b in np.ndindex(3, 3):
    if t == 0 or first[t + 1 : t + 4, b].any():
      continue
    window = latents[t : t + 4, b]
    z = [
      slow.mlp(params["projector"], x)
      for x in (window[:2].mean(0), gru(params["recurrent"], window[::2]))
    ]
    h = [slow.normal(slow.mlp(params["predictor"], x)) for x in z]
    errors.append(sum(np.sum((h[i] - slow.normal(z[1 - i])) ** 2) / 2 for i in range(2)))
    projected.append([slow.normal(x) for x in z])
    where.append(b)
  assert len(errors) == 3
  even = 0.0
  for i in range(2):
    apart = [
      np.exp(-2 * np.sum((projected[j][i] - projected[k][i]) ** 2))
      for j in range(3)
      for k in range(j)
      if where[j] != where[k]
    ]
    even += np.log(np.mean(apart)) / 2
  loss, metrics, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(metrics["brave_error"], np.mean(errors), rtol=1e-4)
  np.testing.assert_allclose(loss, np.mean(errors) + 0.3 * even, rtol=1e-4)


def test_no_gradient_goes_to_what_is_told():
  method, params, state = slow.build("brave", uniform=0.0, **SETTINGS)
  inputs = slow.inputs()

  def loss(params):
    return method.loss(params, state, inputs, KEY)[0]

  broken = params | {"predictor": jax.tree.map(jnp.zeros_like, params["predictor"])}
  gradient = jax.jit(jax.grad(loss))(broken)
  # A predictor of zeros lets nothing through, so that what is left would be the targets'.
  assert not any(np.any(x) for x in jax.tree.leaves((gradient["projector"], gradient["recurrent"])))


def test_a_broad_window_longer_than_the_unroll_is_refused():
  with pytest.raises(
    ValueError, match="'brave': broad asks for 16 steps, and an unroll has 5; give"
  ):
    slow.build("brave")
