"""align_uniform: against NumPy, its gradient, and the least value of uniformity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.auxiliaries.align_uniform import align, uniformity
from agents.world_model.table import normalise
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_align_uniform_equals_numpy(alpha):
  method, params, state = slow.build(
    "align_uniform", gap=1, neighbours=2, align=0.7, uniform=0.4, alpha=alpha, spread=3.0,
    projector_hidden=8, projector_size=4,
  )  # fmt: skip
  inputs = slow.inputs()
  weights = slow.positives(slow.firsts(), np.asarray(inputs.weights), 1)
  different = slow.allowed(slow.firsts(), weights, 2)
  z = slow.normal(slow.mlp(params, slow.numpy(inputs.latents)))
  x, y, w = slow.rows(z), slow.rows(slow.ahead(z, 1)), weights.reshape(-1)
  close = slow.mean(np.linalg.norm(x - y, axis=-1) ** alpha, w)
  even = 0.0
  for rows in (x, y):
    pairs = [
      np.exp(-3.0 * np.sum((rows[i] - rows[j]) ** 2))
      for i in range(len(rows))
      for j in range(i)
      if different[i, j] and w[i] > 0
    ]
    even += np.log(np.mean(pairs)) / 2
  loss, _, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, 0.7 * close + 0.4 * even, rtol=1e-4)


def test_the_gradient_of_uniformity_pushes_by_a_softmax_over_pairs():
  x = normalise(jax.random.normal(KEY, (6, 3)))
  different = ~jnp.eye(6, dtype=bool)
  gradient = jax.grad(lambda x: uniformity(x, jnp.ones(6), different))(x)
  distance = np.sum((x[:, None] - x[None]) ** 2, axis=-1)
  kernel = np.where(different, np.exp(-2.0 * distance), 0.0)
  pushes = kernel / (kernel.sum() / 2)
  expected = -4.0 * np.sum(pushes[..., None] * (x[:, None] - x[None]), axis=1)
  np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_an_even_circle_is_the_least_that_uniformity_can_be():
  angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
  circle = jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=1), jnp.float32)
  value = uniformity(circle, jnp.ones(400), ~jnp.eye(400, dtype=bool))
  np.testing.assert_allclose(value, -1.575, atol=0.02)


def test_equal_points_are_aligned_and_not_uniform():
  x = jnp.full((5, 2), 0.5**0.5)
  different = ~jnp.eye(5, dtype=bool)
  np.testing.assert_allclose(align(x, x, jnp.ones(5)), 0.0, atol=1e-6)
  np.testing.assert_allclose(uniformity(x, jnp.ones(5), different), 0.0, atol=1e-6)
  two = jnp.array([[1.0, 0.0], [-1.0, 0.0]])
  np.testing.assert_allclose(uniformity(two, jnp.ones(2), different[:2, :2]), -8.0, rtol=1e-5)
