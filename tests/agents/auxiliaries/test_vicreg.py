"""vicreg: against NumPy, and the closed form of collapsed latents."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.auxiliaries import vicreg
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)
SETTINGS = {"gap": 2, "projector_hidden": 8, "projector_size": 4}


def test_vicreg_equals_numpy():
  method, params, state = slow.build("vicreg", **SETTINGS)
  inputs = slow.inputs()
  weights = slow.rows(slow.positives(slow.firsts(), np.asarray(inputs.weights), 2)) > 0
  z = slow.mlp(params, slow.numpy(inputs.latents))
  x, y = slow.rows(z)[weights], slow.rows(slow.ahead(z, 2))[weights]
  assert 3 < len(x) < 12
  invariance = np.mean((x - y) ** 2)
  variance = covariance = 0.0
  for rows in (x, y):
    c = np.cov(rows.T)
    variance += np.mean(np.maximum(1 - np.sqrt(np.diag(c) + 1e-4), 0)) / 2
    covariance += (np.sum(c**2) - np.sum(np.diag(c) ** 2)) / 4
  expected = 25 * invariance + 25 * variance + covariance
  loss, metrics, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, expected, rtol=1e-4)
  np.testing.assert_allclose(metrics["vicreg_variance"], variance, rtol=1e-4)


def test_equal_latents_cost_the_whole_variance():
  variance, covariance = vicreg.spread(jnp.ones((3, 4, 5)), jnp.ones((3, 4)))
  np.testing.assert_allclose(variance, 1 - np.sqrt(1e-4), rtol=1e-5)
  np.testing.assert_allclose(covariance, 0.0, atol=1e-6)
