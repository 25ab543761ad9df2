"""Which axis of a trajectory's arrays is that of the environments."""

import jax.numpy as jnp
import numpy as np

from agents.agent import Trajectory

LENGTH, BATCH = 3, 4


def trajectory(rng):
  def over_time(*shape):
    return rng.normal(size=(LENGTH + 1, BATCH, *shape)).astype(np.float32)

  return Trajectory(
    observation=over_time(2),
    action=over_time(),
    reward=over_time(),
    discount=over_time(),
    step_type=over_time(),
    extras={"policy": over_time(3)},
    memory=(rng.normal(size=(BATCH, 5)), {"clock": rng.normal(size=BATCH)}),
    probability=rng.uniform(size=BATCH).astype(np.float32),
  )


def test_columns_takes_the_same_environments_of_every_part():
  whole, index = trajectory(np.random.default_rng(0)), np.array([2, 0])
  part = whole.columns(jnp.asarray(index))
  np.testing.assert_array_equal(part.observation, whole.observation[:, index])
  np.testing.assert_array_equal(part.extras["policy"], whole.extras["policy"][:, index])
  np.testing.assert_allclose(part.memory[0], whole.memory[0][index], rtol=1e-6)
  np.testing.assert_allclose(part.memory[1]["clock"], whole.memory[1]["clock"][index], rtol=1e-6)
  np.testing.assert_array_equal(part.probability, whole.probability[index])
  assert part.oracle == ()


def test_every_field_has_the_batch_at_its_axis():
  whole = trajectory(np.random.default_rng(0))
  for axis, field in zip(Trajectory.axes(), whole, strict=True):
    arrays = [field] if isinstance(field, np.ndarray) else list(_leaves(field))
    assert all(x.shape[axis] == BATCH for x in arrays)


def _leaves(nest):
  for x in nest.values() if isinstance(nest, dict) else nest:
    if isinstance(x, np.ndarray):
      yield x
    else:
      yield from _leaves(x)
