"""byol_image: against NumPy, its gradient's closed form, and the schedule of its average."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.auxiliaries import byol_image
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)
SETTINGS = {
  "projector_hidden": 8, "projector_size": 4, "groups": 0, "mask": 0.0, "shift": 0, "uniform": 0.0,
}  # fmt: skip


def test_byol_image_equals_numpy():
  method, params, state = slow.build("byol_image", **SETTINGS)
  inputs = slow.inputs()
  z = slow.mlp(params["projector"], slow.numpy(inputs.latents))
  predicted = slow.normal(slow.mlp(params["predictor"], z))
  latents = slow.numpy(inputs.encode_target(inputs.trajectory.observation))
  target = slow.normal(slow.mlp(state["projector"], latents))
  errors = 2 * np.sum((predicted - target) ** 2, axis=-1)
  loss, _, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, slow.mean(errors, inputs.weights), rtol=1e-4)


def test_random_vectors_are_4_apart_in_both_orders_and_their_gradient_is_orthogonal():
  p, z = jax.random.normal(KEY, (2, 4000, 8))
  np.testing.assert_allclose(2 * byol_image.between(p, z).mean(), 4.0, atol=0.1)
  one, other = p[0], z[0] / jnp.linalg.norm(z[0])
  gradient = jax.grad(lambda p: byol_image.between(p, other))(one)
  unit = one / jnp.linalg.norm(one)
  expected = -2 / jnp.linalg.norm(one) * (other - (unit @ other) * unit)
  np.testing.assert_allclose(gradient, expected, atol=1e-5)
  np.testing.assert_allclose(one @ gradient, 0.0, atol=1e-5)


def test_its_views_differ():
  hidden = dict(SETTINGS, mask=0.5)
  values = []
  for settings in (SETTINGS, hidden):
    method, params, state = slow.build("byol_image", **settings)
    values.append(slow.loss(method, params, state, slow.inputs(), KEY)[0])
  assert abs(values[0] - values[1]) > 1e-3


def test_its_average_follows_the_schedule():
  method, params, state = slow.build("byol_image", **SETTINGS)
  moved = [method.follow(params, state, jnp.float32(share)) for share in (0.0, 1.0)]
  start = jax.tree.map(lambda k, p: 0.99 * k + 0.01 * p, state["projector"], params["projector"])
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), moved[0]["projector"], start
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), moved[1]["projector"],
    state["projector"],
  )  # fmt: skip
