"""Leaves of an observation, each by its torso, joined."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.torsos import fuse
from envs.observation import Cells, Tokens, zeros
from envs.registry import Choice

PICTURE = specs.BoundedArray((8, 8, 3), np.uint8, 0, 255)
VECTOR = specs.Array((2,), np.float32)
SPEC = {
  "vector": VECTOR,
  "camera": PICTURE,
  "grid": Cells((3, 3, 2), np.int32, 0, 4, 1),
  "told": Tokens(4, 9),
}


def torsos(name, spec):
  return {leaf: choice.name for leaf, choice in fuse.torsos_of(Choice(name), spec).items()}


def test_each_leaf_has_the_torso_that_fits_it():
  found = torsos("auto", SPEC)
  assert found == {"camera": "resnet", "grid": "patch", "told": "words", "vector": "mlp"}


def test_a_torso_that_is_asked_for_reads_the_pictures():
  found = torsos("linear", SPEC)
  assert found == {"camera": "linear", "grid": "linear", "told": "words", "vector": "mlp"}


def test_where_there_are_no_pictures_it_reads_the_numbers():
  assert torsos("linear", {"vector": VECTOR, "told": SPEC["told"]}) == {
    "told": "words",
    "vector": "linear",
  }
  assert torsos("linear", VECTOR) == {"": "linear"}


def test_the_latent_depends_on_every_leaf():
  chosen = fuse.torsos_of(Choice("mlp"), SPEC)
  network = hk.without_apply_rng(
    hk.transform(lambda x: fuse.encoder(chosen, SPEC, 6, "encoder")(x))
  )
  blank = jax.tree.map(jnp.asarray, zeros(SPEC, (2,)))
  params = network.init(jax.random.key(0), blank)
  latent = network.apply(params, blank)
  assert latent.shape == (2, 6)
  for name in SPEC:
    changed = network.apply(params, blank | {name: blank[name] + jnp.ones((), blank[name].dtype)})
    assert np.abs(changed - latent).max() > 1e-6, name


def test_a_text_scales_and_moves_a_pictures_features_at_each_place():
  rng = np.random.default_rng(0)
  tokens, text = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4))
  network = hk.without_apply_rng(hk.transform(lambda x, y: fuse.modulated(x, y, "film")))
  params = network.init(jax.random.key(0), jnp.asarray(tokens), jnp.asarray(text))
  w, b = np.asarray(params["film"]["w"], np.float64), rng.normal(size=6)
  got = network.apply({"film": {"w": w, "b": b}}, jnp.asarray(tokens), jnp.asarray(text))
  for n in range(2):
    gamma, beta = (text[n] @ w + b)[:3], (text[n] @ w + b)[3:]
    for place in range(5):
      x = np.maximum((1 + gamma) * tokens[n, place] + beta, 0)
      np.testing.assert_allclose(got[n, place], x, rtol=1e-4, atol=1e-5)


def test_all_parameters_are_the_encoders():
  chosen = fuse.torsos_of(Choice("auto"), SPEC)
  network = hk.transform(lambda x: fuse.encoder(chosen, SPEC, 6, "encoder")(x))
  shapes = jax.eval_shape(network.init, jax.random.key(0), zeros(SPEC, (1,)))
  assert {module.split("/")[0] for module in shapes} == {"encoder"}
