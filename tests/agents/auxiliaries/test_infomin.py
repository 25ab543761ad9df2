"""infomin: against NumPy, the adversary's choice, and what it keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.auxiliaries import infomin, labels
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)
SETTINGS = {"neighbours": 4, "bins": 3, "projector_hidden": 8, "projector_size": 4}


def test_infomin_equals_numpy():
  method, params, state = slow.build("infomin", gap=1, adversary=0.0, mask=0.0, **SETTINGS)
  params["classifier"] = jax.random.normal(KEY, params["classifier"].shape)
  inputs = slow.inputs()
  weights = slow.positives(slow.firsts(), np.asarray(inputs.weights), 1)
  negatives = slow.allowed(slow.firsts(), weights, 4)
  latents = slow.numpy(inputs.latents)
  z = slow.normal(slow.mlp(params["projector"], latents))
  logits = slow.rows(z) @ slow.rows(slow.ahead(z, 1)).T / 0.1
  flat = weights.reshape(-1)
  contrast = sum(slow.info_nce(s, flat, negatives) for s in (logits, logits.T))
  label = np.asarray(labels.bins(labels.returns(inputs.trajectory, 0.97), inputs.weights, 3))
  task = 0.0
  for gap in (0, 1):
    said = slow.rows(slow.ahead(latents, gap)) @ np.asarray(params["classifier"])
    told = said[np.arange(len(said)), slow.rows(slow.ahead(label, gap))]
    task += slow.mean(np.log(np.exp(said).sum(-1)) - told, flat)
  loss, metrics, kept = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, contrast + task, rtol=1e-4)
  among = np.log1p(negatives.sum(-1))
  told = slow.mean(among, flat) - contrast / 2
  np.testing.assert_allclose(metrics["infomin_information"], told, rtol=1e-4)
  np.testing.assert_allclose(kept, [0.05 * (told + task / 2)], rtol=1e-4)


def test_the_adversary_draws_what_shared_least_and_keeps_what_it_shares():
  settings = infomin.InfoMinConfig(gap=4, mask=0.5)
  assert settings.choices == tuple((g, r) for g in (1, 2, 4) for r in (0.25, 0.5, 0.75))
  method, params, _ = slow.build("infomin", gap=4, **SETTINGS)
  costs = jnp.full(9, 1e3).at[4].set(0.0)
  loss, metrics, kept = slow.loss(method, params, costs, slow.inputs(), KEY)
  assert (metrics["infomin_gap"], metrics["infomin_mask"]) == (2.0, 0.5)
  np.testing.assert_array_equal(np.delete(kept, 4), 1e3)
  assert kept[4] != 0.0
  set_so, _, _ = slow.build("infomin", gap=2, adversary=0.0, **SETTINGS)
  fixed, _, _ = slow.loss(set_so, params, jnp.zeros(1), slow.inputs(), KEY)
  np.testing.assert_allclose(loss, fixed, rtol=1e-5)


def test_a_gap_longer_than_the_unroll_is_refused():
  with pytest.raises(
    ValueError, match="'infomin': gap asks for 8 steps, and an unroll has 5; give"
  ):
    slow.build("infomin", gap=8, neighbours=8)
