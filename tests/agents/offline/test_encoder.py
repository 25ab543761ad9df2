"""What reachability reads of a dict of leaves: all but the mask."""

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.offline import encoder
from agents.offline.encoder import EncoderConfig
from envs.observation import LEGAL, Tokens

SPEC = {
  "speed": specs.Array((2,), np.float32, "speed"),
  "text": Tokens(3, 4, name="text"),
  LEGAL: specs.BoundedArray((3,), bool, False, True, LEGAL),
}
ACTIONS = specs.DiscreteArray(3)
VIEWS = {
  "speed": jnp.arange(20.0).reshape(5, 2, 2) / 20,
  "text": jnp.tile(jnp.array([1, 3, 0], jnp.int32), (5, 2, 1)),
  LEGAL: jnp.ones((5, 2, 3), bool),
}


def test_views_as_they_are_lie_side_by_side():
  flat = encoder.build(EncoderConfig(), SPEC, ACTIONS)
  out = flat.encode((), VIEWS)
  assert out.shape == (5, 2, flat.size)
  np.testing.assert_array_equal(out[..., :2], VIEWS["speed"])
  np.testing.assert_array_equal(out[0, 0, 2:], [1, 0, 1])  # how often each word occurs


def test_a_world_model_learns_from_what_is_visible():
  config = EncoderConfig("byol", encoder_size=4)
  model = encoder.build(config, SPEC, ACTIONS)
  assert model.update is not None
  state = jax.jit(model.init)(jax.random.key(0))
  views = VIEWS | {LEGAL: ~VIEWS[LEGAL]}
  new, metrics = jax.jit(model.update)(state, views, jnp.zeros((5, 2), jnp.int32))
  assert np.isfinite(metrics["byol_loss"])
  latents = model.encode(new.target, views)
  assert latents.shape == (5, 2, 4)
  np.testing.assert_array_equal(latents, model.encode(new.target, VIEWS))
