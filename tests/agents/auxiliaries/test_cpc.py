"""cpc: against NumPy, and the closed form of constant latents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)


def expected(inputs, w, steps, neighbours):
  total = 0.0
  for k in range(1, steps + 1):
    weights = slow.positives(slow.firsts(), np.asarray(inputs.weights), k)
    negatives = slow.allowed(slow.firsts(), weights, neighbours)
    b, later = slow.rows(slow.numpy(inputs.beliefs)), slow.rows(slow.ahead(inputs.latents, k))
    total += slow.info_nce(b @ np.asarray(w[k - 1]) @ later.T, weights.reshape(-1), negatives)
  return total / steps


def test_cpc_equals_numpy():
  method, params, state = slow.build("cpc", steps=2, neighbours=3)
  inputs = slow.inputs()
  loss, _, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, expected(inputs, params["w"], 2, 3), rtol=1e-4)


def test_constant_latents_tell_nothing():
  method, params, state = slow.build("cpc", steps=1, neighbours=1)
  inputs = slow.inputs()._replace(latents=jnp.ones((slow.LENGTH + 1, slow.BATCH, slow.SIZE)))
  loss, metrics, _ = slow.loss(method, params, state, inputs, KEY)
  assert loss > 1.0
  np.testing.assert_allclose(metrics["cpc_information"], 0.0, atol=1e-5)


def test_more_steps_than_an_unroll_are_refused():
  with pytest.raises(ValueError, match="'cpc': steps asks for 9 steps, and an unroll has 5; give"):
    slow.build("cpc", steps=9, neighbours=9)
