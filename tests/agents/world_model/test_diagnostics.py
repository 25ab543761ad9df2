"""The latent's diagnostics, against closed forms and a slow NumPy version."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.world_model import diagnostics


def diagnose(latents):
  f = diagnostics.latent_diagnostics
  return {k: float(v) for k, v in jax.jit(f)(jnp.asarray(latents)).items()}


@pytest.mark.parametrize(
  "shape", [(40, 5, 3), (2, 3, 12)]
)  # more points than dimensions, and fewer
def test_the_figures_equal_numpy(shape):
  latents = np.random.default_rng(0).normal(0.4, 1.0, shape).astype(np.float32)
  z = latents / np.linalg.norm(latents, axis=-1, keepdims=True)
  flat = z.reshape(-1, shape[-1])
  spectrum = np.linalg.eigvalsh(np.cov(flat.T, bias=True))
  p = spectrum[spectrum > 1e-12] / spectrum.sum()
  found = diagnose(latents)
  np.testing.assert_allclose(found["effective_rank"], np.exp(-np.sum(p * np.log(p))), rtol=1e-3)
  np.testing.assert_allclose(found["std"], flat.std(0).mean() * np.sqrt(shape[-1]), rtol=1e-4)
  steps = np.sum((z[1:] - z[:-1]) ** 2, axis=-1)
  np.testing.assert_allclose(found["alignment"], steps.mean(), rtol=1e-4)
  # The mean over a random pairing, within its scatter of the mean over all pairs.
  cosines = flat @ flat.T
  scatter = 4 * cosines.std() / np.sqrt(len(flat))
  np.testing.assert_allclose(found["cosine"], cosines.mean(), atol=scatter)
  uniformity = np.log(np.exp(-2 * (2 - 2 * cosines)).mean())
  np.testing.assert_allclose(found["uniformity"], uniformity, atol=1.5)
  assert found["collapsed"] == 0.0


def test_a_latent_spread_evenly_has_full_rank():
  found = diagnose(np.random.default_rng(0).normal(size=(50, 40, 8)))
  assert 7.9 < found["effective_rank"] <= 8.0
  np.testing.assert_allclose([found["std"], found["cosine"]], [1.0, 0.0], atol=0.03)
  assert found["collapsed"] == 0.0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_one_point_is_collapsed(scale):
  found = diagnose(np.full((10, 6, 8), scale, np.float32))
  np.testing.assert_allclose(found["effective_rank"], 1.0, atol=1e-5)
  np.testing.assert_allclose([found["cosine"], found["std"]], [1.0, 0.0], atol=1e-5)
  assert found["collapsed"] == 1.0


def test_a_line_is_collapsed_though_its_cosines_are_not():
  signs = np.random.default_rng(0).choice([-1.0, 1.0], (10, 6, 1))
  found = diagnose(signs * np.arange(1.0, 9.0))
  assert found["cosine"] < 0.6
  np.testing.assert_allclose(found["effective_rank"], 1.0, atol=1e-3)
  assert found["collapsed"] == 1.0


def test_a_small_spread_around_one_point_is_collapsed_though_its_rank_is_full():
  rng = np.random.default_rng(0)
  found = diagnose(10.0 + rng.normal(size=(50, 20, 8)))
  assert found["effective_rank"] > 6.0
  assert found["cosine"] > diagnostics.COLLAPSED_COSINE
  assert found["collapsed"] == 1.0


def test_zero_latents_are_collapsed_and_finite():
  found = diagnose(np.zeros((3, 4, 5), np.float32))
  assert found["collapsed"] == 1.0
  assert all(np.isfinite(value) for value in found.values())
