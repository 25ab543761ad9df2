"""msn and pmsn: against NumPy, closed forms of the prior, views, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.auxiliaries import msn, prototypes
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)
SETTINGS = {"projector_hidden": 8, "projector_size": 4, "focal": 0, "mask": 0.0, "prototypes": 2}


def softmax(x):
  x = np.exp(x - x.max(-1, keepdims=True))
  return x / x.sum(-1, keepdims=True)


def sinkhorn(scores, share, iterations):
  q = np.exp(scores / 0.025)
  for _ in range(iterations):
    q *= share / q.sum(0)
    q *= 1 / len(q) / q.sum(1, keepdims=True)
  return q / q.sum(1, keepdims=True)


@pytest.mark.parametrize(
  ("name", "settings", "exponent", "even"),
  [
    ("msn", {}, 0.0, 1.0),
    ("msn", {"gap": 1, "masked": 2}, 0.0, 1.0),
    ("pmsn", {"even": 2.0}, 0.25, 2.0),
    ("pmsn", {"prior_exponent": 2.0, "sinkhorn_iterations": 2}, 2.0, 5.0),
  ],
)
def test_it_equals_numpy(name, settings, exponent, even):
  method, params, state = slow.build(name, length=8, **SETTINGS | settings)
  inputs, gap = slow.inputs(), settings.get("gap", 0)
  iterations = settings.get("sinkhorn_iterations", 3 if name == "msn" else 0)
  weights = slow.positives(slow.firsts(), np.asarray(inputs.weights), gap).reshape(-1)
  own = slow.normal(slow.numpy(params["prototypes"]))
  z = slow.normal(slow.rows(slow.mlp(params["projector"], slow.numpy(inputs.latents))))
  whole = slow.numpy(inputs.encode_target(inputs.trajectory.observation))
  whole = slow.normal(slow.rows(slow.mlp(state, slow.ahead(whole, gap))))
  z, whole = z[weights > 0], whole[weights > 0]
  prior = np.arange(1, 3) ** -exponent / np.sum(np.arange(1, 3) ** -exponent)
  q = sinkhorn(whole @ own.T, prior, iterations)
  p = softmax(z @ own.T / 0.1)
  mean = p.mean(0)
  expected = np.mean(-np.sum(q * np.log(p), -1)) + even * np.sum(mean * np.log(mean / prior))
  loss, metrics, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, expected, rtol=1e-3)
  entropy = -np.sum(mean * np.log(mean))
  np.testing.assert_allclose(metrics[f"{name}_entropy"], entropy, rtol=1e-4)
  assert 1 <= metrics[f"{name}_prototypes_used"] <= 2


def test_the_divergence_from_an_even_prior_is_the_missing_entropy():
  mean = jnp.array([0.5, 0.2, 0.2, 0.1])
  entropy = -float(jnp.sum(mean * jnp.log(mean)))
  even = prototypes.power_law(4, 0.0)
  np.testing.assert_allclose(prototypes.divergence(mean, even), np.log(4) - entropy, rtol=1e-5)
  for count, expected in ((20, 0.021), (64, 0.028), (1024, 0.036)):
    flat = prototypes.power_law(count, 0.0)
    far = prototypes.divergence(flat, prototypes.power_law(count, 0.25))
    np.testing.assert_allclose(far, expected, atol=1e-3)
  one = jnp.array([1.0, 0.0, 0.0, 0.0])
  np.testing.assert_allclose(prototypes.divergence(one, even), np.log(4), rtol=1e-5)


def test_the_gradient_of_the_divergence_has_its_closed_form():
  logits = jax.random.normal(KEY, (3, 4))
  prior = prototypes.power_law(4, 2.0)

  def of(logits):
    mean = prototypes.mean_use(jax.nn.softmax(logits), jnp.ones(3))
    return prototypes.divergence(mean, prior)

  p = softmax(np.asarray(logits, np.float64))
  v = np.log(p.mean(0) / np.asarray(prior))
  np.testing.assert_allclose(jax.grad(of)(logits), p * (v - (p @ v)[:, None]) / 3, atol=1e-5)


def test_targets_without_sinkhorn_are_sharpened():
  settings = msn.MSNConfig(sinkhorn_iterations=0)
  scores = jax.random.uniform(KEY, (5, 3))
  p = softmax(np.asarray(scores, np.float64) / 0.1) ** 4
  q = msn.targets(settings, scores, jnp.ones(5), prototypes.power_law(3, 0.0))
  np.testing.assert_allclose(q, p / p.sum(-1, keepdims=True), atol=1e-4)


def test_views_are_masked_ones_and_then_focal_ones():
  settings = msn.MSNConfig(masked=1, focal=2, block=2)
  shown = msn.anchors(settings, slow.SPEC, jnp.ones((5, 3, 4, 4, 2)), KEY)
  assert shown.shape == (3, 5, 3, 4, 4, 2)
  assert np.all(shown[1:, ..., 0].sum((-1, -2)) == 4)
  assert len(np.unique(shown[0, ..., 0].sum((-1, -2)))) > 2


def test_its_average_rises_linearly():
  method, params, state = slow.build("msn", length=8, **SETTINGS)
  moved = method.follow({"projector": jax.tree.map(lambda x: x + 1.0, state)}, state, 1.0)
  change = jax.tree.map(lambda a, b: float(jnp.mean(a - b)), moved, state)
  np.testing.assert_allclose(jax.tree.leaves(change), 0.0008, rtol=0.02)
  assert set(params) == {"projector", "prototypes"}


class Vectors(slow.Pictures):
  def observation_spec(self):
    return specs.Array((3,), np.float32, "state")


def test_what_does_not_fit_is_refused():
  with pytest.raises(ValueError, match="auxiliary 'pmsn' masks cells of pictures"):
    slow.build("pmsn", length=8, env=Vectors())
  with pytest.raises(
    ValueError, match=r"'msn': prototypes is 4; a batch of 3 .* for them, 3: give"
  ):
    slow.build("msn", length=8, prototypes=4)
  with pytest.raises(
    ValueError, match=r"'swav': 2 prototypes are needed; a batch of 3 unrolls of 4"
  ):
    slow.build("swav", length=4, long=2, short=1)
