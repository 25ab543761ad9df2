"""Which axis of a trajectory's arrays is that of the environments."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.trajectory import Trajectory

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


def test_an_item_is_one_environment_and_a_batch_of_it_is_that_column():
  whole = trajectory(np.random.default_rng(0))
  item = whole.item(2)
  np.testing.assert_array_equal(item.reward, whole.reward[:, 2])
  np.testing.assert_array_equal(item.memory[0], whole.memory[0][2])
  one, column = item.as_batch(), whole.columns(jnp.array([2]))
  for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(column), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_swapping_puts_items_side_by_side_and_back():
  whole = trajectory(np.random.default_rng(0))
  swapped = whole.swap()
  np.testing.assert_array_equal(swapped.observation[2], whole.observation[:, 2])
  np.testing.assert_allclose(swapped.memory[0], whole.memory[0], rtol=1e-6)
  np.testing.assert_array_equal(swapped.swap().observation, whole.observation)


def test_groups_share_out_the_environments_in_their_order():
  whole = trajectory(np.random.default_rng(0))
  second = jax.tree.map(lambda x: x[1], whole.groups(2))
  part = whole.columns(jnp.array([2, 3]))
  for a, b in zip(jax.tree.leaves(second), jax.tree.leaves(part), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_mapping_over_the_axes_takes_one_environment_at_a_time():
  whole = jax.tree.map(jnp.asarray, trajectory(np.random.default_rng(0)))
  sums = jax.vmap(lambda item: item.reward.sum() + item.probability, in_axes=(whole.axes(),))(whole)
  np.testing.assert_allclose(sums, whole.reward.sum(0) + whole.probability, rtol=1e-5)


def _leaves(nest):
  for x in nest.values() if isinstance(nest, dict) else nest:
    if isinstance(x, np.ndarray):
      yield x
    else:
      yield from _leaves(x)
