"""The torsos: shapes, independence of the batch, errors, and slow versions of two of them."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.torsos import fuse, stochastic_depth
from agents.torsos import torso as torsos
from agents.torsos.resnet_ws import StandardisedConv2D
from envs.observation import Cells, Tokens

SIZE = 6
PIXELS = specs.BoundedArray((24, 16, 3), np.uint8, 0, 255, "pixels")
VECTOR = specs.Array((5,), np.float32, "vector")
ARRAY_TORSOS = sorted(set(torsos.registry.names()) - {"flat", "words", "goal_mlp", "siamese"})
TEXT = Tokens(4, 9, ("a", "b"))
PAIR_TORSOS = ("goal_mlp", "siamese")
IMAGE_TORSOS = sorted(
  set(torsos.registry.names()) - {"linear", "mlp", "mlp3", "simba", "flat", "words", *PAIR_TORSOS}
)


def make(name, spec):
  def network(x):
    return torsos.registry.build(torsos.registry.choice(name), spec, SIZE, name="encoder")(x)

  return hk.without_apply_rng(hk.transform(network))


def of_cells(spec, side):
  return Cells(spec.shape, spec.dtype, 0, 255, side)


def pixels(count, seed=0, shape=PIXELS.shape):
  return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


@pytest.mark.parametrize("name", ARRAY_TORSOS)
def test_latents_have_their_size_and_do_not_depend_on_the_batch(name, quick_jit):
  spec = specs.BoundedArray((40, 40, 3), np.uint8, 0, 255, "pixels")
  observation = pixels(3, shape=spec.shape)
  torso = make(name, spec)
  shapes = jax.eval_shape(torso.init, jax.random.key(0), observation)  # cheaper than to compile it
  rng = np.random.default_rng(0)
  params = jax.tree.map(lambda s: rng.normal(0.0, 0.1, s.shape).astype(np.float32), shapes)
  apply = quick_jit(torso.apply)
  latents = apply(params, observation)
  assert latents.shape == (3, SIZE)
  assert latents.dtype == jnp.float32
  others = observation.copy()
  others[1:] = 255 - others[1:]
  np.testing.assert_allclose(apply(params, others)[0], latents[0], rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(apply(params, observation[:1])[0], latents[0], rtol=1e-4, atol=1e-5)
  assert np.all(np.abs(latents[0] - latents[1]) > 0)


@pytest.mark.parametrize("name", IMAGE_TORSOS)
def test_image_torsos_refuse_vectors_and_name_the_one_that_does_not(name):
  with pytest.raises(ValueError, match=r"observation is \(5,\).*mlp"):
    make(name, VECTOR).init(jax.random.key(0), np.zeros((2, 5), np.float32))


@pytest.mark.parametrize("name", PAIR_TORSOS)
def test_what_is_seen_and_the_goal_have_a_half_of_the_latent_each(name, quick_jit):
  spec = {"view": specs.Array((4,), np.float32), "goal": specs.Array((4,), np.float32)}
  drawn = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
  pair = dict(zip(("view", "goal"), drawn, strict=True))
  torso = make(name, spec)
  params = torso.init(jax.random.key(0), pair)
  apply = quick_jit(torso.apply)
  seen, goal = np.split(apply(params, pair), 2, axis=-1)
  other = np.split(apply(params, pair | {"goal": 1 - pair["goal"]}), 2, axis=-1)
  np.testing.assert_allclose(other[0], seen, rtol=1e-6)
  assert np.all(np.abs(other[1] - goal) > 0)
  swapped = np.split(apply(params, {"view": pair["goal"], "goal": pair["view"]}), 2, axis=-1)
  # One network reads both in `siamese`, two of its kind in `goal_mlp`.
  assert np.allclose(swapped[0], goal, rtol=1e-5, atol=1e-6) == (name == "siamese")


@pytest.mark.parametrize("name", PAIR_TORSOS)
def test_torsos_of_pairs_refuse_single_views(name):
  with pytest.raises(ValueError, match=rf"{name} torso reads .*observation is float32 \(5,\)"):
    make(name, VECTOR).init(jax.random.key(0), np.zeros((2, 5), np.float32))


def test_the_flat_torso_is_the_observation_and_says_what_size_that_is():
  spec = specs.BoundedArray((2, 2), np.float32, 0.0, 1.0)
  observation = np.random.default_rng(0).uniform(size=(3, 2, 2)).astype(np.float32)
  torso = hk.transform(lambda x: torsos.registry.get("flat")(None, spec, 4, name="encoder")(x))
  assert torso.init(jax.random.key(0), observation) == {}
  np.testing.assert_array_equal(torso.apply({}, None, observation), observation.reshape(3, 4))
  with pytest.raises(ValueError, match=r"2 numbers; give --latent-size 2"):
    make("flat", specs.BoundedArray((2,), np.float32, 0.0, 1.0)).init(
      jax.random.key(0), np.zeros((3, 2), np.float32)
    )


def test_the_conv_torso_is_that_of_dqn():
  frames = np.zeros((1, 84, 84, 4), np.uint8)
  torso = torsos.registry.get("conv")
  spec = specs.BoundedArray((84, 84, 4), np.uint8, 0, 255, "frames")
  net = hk.without_apply_rng(hk.transform(lambda x: torso(None, spec, 512, name="encoder")(x)))
  params = jax.eval_shape(net.init, jax.random.key(0), frames)
  shapes = sorted(value["w"].shape for value in params.values())
  # 20x20, 9x9 and 7x7 places: no padding.
  assert shapes == [(3, 3, 64, 64), (4, 4, 32, 64), (8, 8, 4, 32), (7 * 7 * 64, 512)]


def test_the_conv_torso_refuses_images_that_its_windows_do_not_fit():
  with pytest.raises(ValueError, match="needs 36x36 pixels; the image is 24x16"):
    make("conv", PIXELS).init(jax.random.key(0), pixels(1))


def test_the_patch_torso_refuses_images_that_are_not_whole_cells():
  with pytest.raises(ValueError, match="7-pixel cells; the image is 24x16"):
    make("patch", of_cells(PIXELS, 7)).init(jax.random.key(0), pixels(1))


def test_the_patch_torso_equals_a_loop_over_cells():
  torso, observation = make("patch", PIXELS), pixels(2)
  params = torso.init(jax.random.key(0), observation)
  p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  cell, hidden = p["encoder/~features/cell"], p["encoder/hidden"]
  latent = p["encoder/latent"]
  for image, result in zip(observation, torso.apply(params, observation), strict=True):
    features = []
    for row in range(3):
      for column in range(2):
        patch = image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8].reshape(-1) / 255.0
        features.append(np.maximum(patch @ cell["w"] + cell["b"], 0))
    x = np.concatenate(features) @ hidden["w"] + hidden["b"]
    x = np.maximum((x - x.mean()) / np.sqrt(x.var() + 1e-5), 0)
    np.testing.assert_allclose(result, x @ latent["w"] + latent["b"], atol=1e-4)


def test_standardised_convolution_equals_a_loop_with_standardised_weights():
  x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 4, 5, 2)), jnp.float32)
  conv = hk.without_apply_rng(hk.transform(lambda x: StandardisedConv2D(3, name="conv")(x)))
  params = conv.init(jax.random.key(0), x)
  rng = np.random.default_rng(1)
  raw = {k: rng.normal(0.7, 2.0, v.shape).astype(np.float32) for k, v in params["conv"].items()}
  w = np.zeros((3, 3, 2, 3))
  for unit in range(3):
    mine = raw["w"][..., unit].astype(np.float64)
    w[..., unit] = (mine - mine.mean()) / np.sqrt(mine.var() * mine.size)
    np.testing.assert_allclose(w[..., unit].mean(), 0.0, atol=1e-9)
    np.testing.assert_allclose(w[..., unit].var() * 18, 1.0, rtol=1e-6)
  padded = np.pad(np.asarray(x)[0], ((1, 1), (1, 1), (0, 0)))
  expected = np.zeros((4, 5, 3))
  for i in range(4):
    for j in range(5):
      for unit in range(3):
        window = padded[i : i + 3, j : j + 3]
        expected[i, j, unit] = np.sum(window * w[..., unit]) * raw["gain"][unit] + raw["bias"][unit]
  np.testing.assert_allclose(conv.apply({"conv": raw}, x)[0], expected, atol=1e-4)


def test_pixels_become_fractions():
  out = torsos.preprocess(PIXELS, np.asarray([[0, 255]], np.uint8))
  np.testing.assert_array_equal(out, [[0.0, 1.0]])


def test_categories_become_one_hot():
  grid = specs.BoundedArray((2, 2), np.int32, 0, 2, "grid")
  out = torsos.preprocess(grid, np.asarray([[[0, 2], [1, 1]]], np.int32))
  np.testing.assert_array_equal(out, [[[1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 1, 0]]])
  state = specs.DiscreteArray(3, np.int32, "state")
  np.testing.assert_array_equal(
    torsos.preprocess(state, np.asarray([2, 0])), [[0, 0, 1], [1, 0, 0]]
  )


@pytest.mark.parametrize(
  "spec", [specs.Array((2,), np.int32, "count"), specs.BoundedArray((2,), np.int32, -1, 1, "count")]
)
def test_integers_that_are_no_categories_are_a_clear_error(spec):
  with pytest.raises(ValueError, match="'count' needs bounds, from 0 up"):
    torsos.preprocess(spec, np.zeros((1, 2), np.int32))


@pytest.mark.parametrize(
  ("spec", "name"),
  [(of_cells(PIXELS, 8), "patch"), (PIXELS, "resnet"), (VECTOR, "mlp"), (TEXT, "words")],
)
def test_the_automatic_torso_fits_the_observation(spec, name):
  assert torsos.automatic(spec) == name


@pytest.mark.parametrize("name", ["resnet", "resnet_ws"])
def test_the_residual_networks_share_no_convolution(name):
  params = jax.eval_shape(make(name, PIXELS).init, jax.random.key(0), pixels(1))
  convolutions = [value for value in params.values() if "w" in value and len(value["w"].shape) == 4]
  # Five sections of one convolution and two residual blocks of two.
  assert len(convolutions) == 5 * (1 + 2 * 2)


def random_network(rate, spec=PIXELS):
  """(observations, key) -> latents of a residual network that leaves out branches at this rate."""
  choice = torsos.registry.choice("resnet", stochastic_depth=rate)

  def network(x, key=None):
    random = () if key is None else (key, True)
    return fuse.encoder(fuse.torsos_of(choice, spec), spec, SIZE, "encoder")(x, *random)

  return hk.without_apply_rng(hk.transform(network))


def test_each_observation_leaves_out_branches_of_its_own(quick_jit):
  torso, x = random_network(0.5), np.repeat(pixels(1), 6, axis=0)
  params = quick_jit(torso.init)(jax.random.key(0), x)
  apply = quick_jit(torso.apply)
  plain, dropped = apply(params, x), apply(params, x, jax.random.key(1))
  np.testing.assert_allclose(plain, np.repeat(plain[:1], 6, axis=0), rtol=1e-5)
  assert len(np.unique(np.round(dropped, 4), axis=0)) == 6
  np.testing.assert_array_equal(dropped, apply(params, x, jax.random.key(1)))
  never = quick_jit(random_network(0.0).apply)
  np.testing.assert_allclose(never(params, x, jax.random.key(1)), plain, rtol=1e-5)


def test_branches_that_are_kept_make_up_for_the_others():
  branch = jnp.ones((4000, 2, 2, 1))
  kept = np.asarray(stochastic_depth.dropped(branch, 0.2, jax.random.key(0)))
  assert set(np.unique(kept)) == {0.0, np.float32(1.25)}
  np.testing.assert_array_equal(kept.min((1, 2)), kept.max((1, 2)))
  np.testing.assert_allclose(kept.mean(), 1.0, atol=0.03)


def test_a_rate_of_1_is_refused():
  with pytest.raises(
    ValueError, match=r"stochastic_depth is 1\.0; it must be at least 0 and below 1"
  ):
    torsos.registry.choice("resnet", stochastic_depth=1.0)
