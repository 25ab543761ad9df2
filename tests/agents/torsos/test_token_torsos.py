"""The torsos of tokens and their pools: against NumPy, known numbers, and what must not matter."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.torsos import fuse, tokens
from agents.torsos import torso as torsos
from agents.torsos.xcit import cross_covariance
from envs.observation import Cells
from tests.agents.torsos import slow_tokens

SIZE, WIDTH, DEPTH = 5, 8, 2
CELLS = Cells((6, 8, 3), np.uint8, 0, 255, 2)
VECTOR = specs.Array((4,), np.float32)
NAMES = ("xcit", "resmlp", "patch_convnet")
SMALL = {"width": WIDTH, "depth": DEPTH}


def make(name, spec, size=SIZE, **settings):
  """(observations, key) -> latents and the attention's weights."""
  choice = torsos.registry.choice(name, **settings)

  def network(x, key=None):
    torso = torsos.registry.build(choice, spec, size, name="encoder")
    latent = torso(x, key, key is not None)
    return latent, torso.attention.get("")

  return hk.without_apply_rng(hk.transform(network))


def count(name, spec, **settings):
  init = make(name, spec, 64, **settings).init
  params = jax.eval_shape(init, jax.random.key(0), np.zeros((1, *spec.shape), spec.dtype))
  return sum(x.size for x in jax.tree.leaves(params))


def observations(spec, count=3):
  rng = np.random.default_rng(0)
  if spec.dtype == np.float32:
    return rng.normal(size=(count, *spec.shape)).astype(np.float32)
  return rng.integers(0, 256, (count, *spec.shape)).astype(np.uint8)


@functools.cache
def case(name, **settings):
  """A small torso, its observations, random parameters, and its compiled function."""
  spec = VECTOR if name == "simba" else CELLS
  torso, x = make(name, spec, **settings), observations(spec)
  shapes = jax.eval_shape(torso.init, jax.random.key(0), x)
  rng = np.random.default_rng(1)
  params = jax.tree.map(lambda s: rng.normal(0.0, 0.5, s.shape).astype(np.float32), shapes)
  options = {"xla_backend_optimization_level": 0}
  return params, x, jax.jit(torso.apply, compiler_options=options)


def expected(name, params, x):
  slow = slow_tokens.Slow(params)
  if name == "simba":
    return slow.simba(x, DEPTH)
  x = slow.cells(x, CELLS.side)
  heads = {"heads": 4} if name == "xcit" else {}
  return getattr(slow, name)(x, depth=DEPTH, **heads)


@pytest.mark.parametrize("name", [*NAMES, "simba"])
def test_it_equals_numpy(name):
  params, x, apply = case(name, **SMALL)
  latents, weights = apply(params, x)
  for i in range(len(x)):
    latent, shares = expected(name, params, x[i])
    np.testing.assert_allclose(latents[i], latent, rtol=1e-3, atol=1e-4)
    if shares is not None:
      np.testing.assert_allclose(weights[i].ravel(), shares, rtol=1e-3, atol=1e-5)
  assert (weights is not None) == torsos.registry.get(name).attends(
    torsos.registry.settings(name)()
  )


def test_the_attention_pool_of_another_torso_equals_numpy():
  params, x, apply = case("patch", pool="attention")
  latents, weights = apply(params, x)
  slow = slow_tokens.Slow(params)
  slow.layers["stem"] = slow.layers["cell"]
  slow.layers |= slow.pool_layers
  for i in range(len(x)):
    features = slow.placed(np.maximum(slow.cells(x[i], CELLS.side), 0))
    latent, shares = slow.attention(features.reshape(-1, features.shape[-1]))
    np.testing.assert_allclose(latents[i], latent, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(weights[i].ravel(), shares, rtol=1e-3, atol=1e-5)
  np.testing.assert_allclose(np.sum(weights, axis=(1, 2)), 1.0, rtol=1e-5)


# 63x63 pictures of 7x7 cells.
GRID = Cells((63, 63, 3), np.uint8, 0, 255, 9)


def test_parameters_are_as_many_as_counted_by_hand():
  assert count("xcit", GRID) == 175_624
  assert count("xcit", GRID, depth=3) - count("xcit", GRID) == 51_716
  assert count("resmlp", GRID, depth=3) - count("resmlp", GRID) == 35_922


def test_positions_have_their_published_numbers():
  code = tokens.position_code(3, 3, 32)
  np.testing.assert_allclose(code[0, 0, :4], [0.866026, -0.499999, 0.923752, 0.382991], atol=1e-6)
  np.testing.assert_array_equal(code[0, 2, :32], code[0, 0, :32])
  np.testing.assert_array_equal(code[2, 0, 32:], code[0, 0, 32:])


def attend(x, temperature, scale=1.0):
  """Cross-covariance attention of tokens [P, D] to themselves, by two heads."""
  by_head = jnp.asarray(x, jnp.float32).reshape(1, len(x), 2, -1)
  return np.asarray(
    cross_covariance(scale * by_head, by_head, by_head, jnp.asarray(temperature))
  ).reshape(x.shape)


def test_attention_between_channels_has_its_known_numbers():
  x = np.sin(1.0 + 4 * np.arange(3)[:, None] + np.arange(4))
  np.testing.assert_allclose(
    attend(x, [1.0, 2.0])[0], [0.867889, 0.882879, -0.161136, -0.454547], atol=1e-5
  )


def test_attention_between_channels_knows_no_order_and_no_length():
  x = np.random.default_rng(0).normal(size=(7, 4))
  order = np.random.default_rng(1).permutation(7)
  plain = attend(x, [1.0, 3.0])
  np.testing.assert_allclose(attend(x[order], [1.0, 3.0]), plain[order], atol=1e-6)
  np.testing.assert_allclose(attend(x, [1.0, 3.0], scale=50.0), plain, atol=1e-6)


def test_at_temperature_0_the_channels_of_a_head_are_averaged():
  x = np.random.default_rng(0).normal(size=(7, 4))
  means = x.reshape(7, 2, 2).mean(-1, keepdims=True).repeat(2, -1).reshape(7, 4)
  np.testing.assert_allclose(attend(x, [0.0, 0.0]), means, atol=1e-6)


def test_a_token_of_zeros_has_a_finite_gradient():
  gradient = jax.grad(lambda x: jnp.sum(cross_covariance(x, x, x, jnp.ones(1)) ** 2))
  assert np.isfinite(gradient(jnp.zeros((1, 3, 1, 2)))).all()


def test_the_depthwise_convolution_equals_jaxs():
  x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
  net = hk.without_apply_rng(hk.transform(lambda x: tokens.depthwise(x, "d")))
  params = net.init(jax.random.key(0), x)
  ((own),) = params.values()
  expected = jax.lax.conv_general_dilated(
    x, own["d_w"][:, :, None], (1, 1), "SAME", feature_group_count=3,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )  # fmt: skip
  np.testing.assert_allclose(net.apply(params, x), expected + own["d_b"], atol=1e-5)


@pytest.mark.parametrize(("name", "branches"), [("xcit", 3), ("resmlp", 2), ("patch_convnet", 1)])
def test_every_branch_is_left_out_or_makes_up_for_it(name, branches):
  settings = SMALL | {"depth": 1, "stochastic_depth": 0.5}
  params, x, _ = case(name, **settings)
  choice = torsos.registry.choice(name, **settings)

  def network(x, key, training):
    return torsos.registry.build(choice, CELLS, SIZE, name="encoder").tokens(x, key, training)

  def both(params, x, key):
    apply = hk.without_apply_rng(hk.transform(network)).apply
    return apply(params, x, key, False), apply(params, x, key, True)

  run = jax.jit(both, compiler_options={"xla_backend_optimization_level": 0})
  plain, dropped = run(params, np.repeat(x[:1], 64, axis=0), jax.random.key(0))
  outcomes = np.unique(np.asarray(dropped).round(3), axis=0)
  assert len(outcomes) == 2**branches
  if branches == 1:  # x and x + 2 F, whose mean is x + F
    np.testing.assert_allclose(outcomes.mean(0), plain[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
  "spec",
  [
    Cells((7, 7, 3), np.int32, 0, 10, 1),
    specs.BoundedArray((7, 7, 3), np.uint8, 0, 255),
    specs.BoundedArray((96, 72, 3), np.uint8, 0, 255),
  ],
  ids=str,
)
def test_symbols_and_pictures_of_any_sides_become_tokens(name, spec):
  shape = jax.eval_shape(
    lambda x: make(name, spec).init(jax.random.key(0), x), np.zeros((1, *spec.shape), spec.dtype)
  )
  assert shape["encoder/latent"]["w"].shape == (64, SIZE)


@pytest.mark.parametrize("name", NAMES)
def test_sides_that_cannot_be_cut_are_refused(name):
  def build(spec):
    make(name, spec).init(jax.random.key(0), np.zeros((1, *spec.shape), spec.dtype))

  with pytest.raises(ValueError, match="5-pixel cells; the image is 6x8"):
    build(Cells(CELLS.shape, np.uint8, 0, 255, 5))
  with pytest.raises(ValueError, match=r"halves an image of 2x160 4 times.*at least 16 pixels"):
    build(specs.BoundedArray((2, 160, 3), np.uint8, 0, 255))


@pytest.mark.parametrize(
  ("name", "settings", "words"),
  [
    ("xcit", {"heads": 3, "width": 8}, "heads is 3, .* width 8; these do: 1, 2, 4, 8"),
    ("resmlp", {"depth": 0}, "depth is 0; it must be at least 1"),
    ("patch_convnet", {"width": -1}, "width is -1"),
    ("patch", {"pool": "max"}, "pool is 'max'; give default or mean or attention"),
    ("simba", {"width": 0}, "width is 0"),
  ],
)
def test_settings_that_fit_nothing_are_refused(name, settings, words):
  with pytest.raises(ValueError, match=words):
    torsos.registry.choice(name, **settings)


@pytest.mark.parametrize("name", ["conv", "patch", "resnet", "resnet_ws", *NAMES])
@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_every_torso_of_tokens_has_the_pools(name, pool):
  spec, shapes = specs.BoundedArray((40, 40, 3), np.uint8, 0, 255), []
  choice = torsos.registry.choice(name, pool=pool)

  def network(x):
    torso = torsos.registry.build(choice, spec, SIZE, name="encoder")
    shapes.append((torso(x).shape, *(weights.shape for weights in torso.attention.values())))

  jax.eval_shape(
    hk.transform(network).init, jax.random.key(0), np.zeros((2, *spec.shape), np.uint8)
  )
  latent, *maps = shapes[0]
  assert latent == (2, SIZE)
  assert [m[0] for m in maps] == [2] * (pool == "attention")
  assert torsos.registry.get(name).attends(choice.settings) == (pool == "attention")


def test_each_picture_of_a_dict_has_an_attention_of_its_own():
  spec = {"one": CELLS, "other": Cells((4, 2, 3), np.uint8, 0, 255, 2)}
  chosen = fuse.torsos_of(torsos.registry.choice("patch", pool="attention"), spec)

  def network(x):
    encoder = fuse.encoder(chosen, spec, SIZE, "encoder")
    return encoder(x), encoder.attention

  net = hk.without_apply_rng(hk.transform(network))
  x = {name: np.zeros((2, *leaf.shape), np.uint8) for name, leaf in spec.items()}
  params = jax.eval_shape(net.init, jax.random.key(0), x)
  _, maps = jax.eval_shape(net.apply, params, x)
  assert {name: weights.shape for name, weights in maps.items()} == {
    "one": (2, 3, 4), "other": (2, 2, 1),
  }  # fmt: skip
  assert {"encoder/pool", "encoder/pool_1"} <= set(params)
