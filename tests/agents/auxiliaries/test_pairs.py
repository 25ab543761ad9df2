"""Pairs: positives within an episode, negatives away from it in time, and contrasts of both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.auxiliaries import pairs
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)


@pytest.mark.parametrize(("start", "count"), [(None, 74), (2, 76)])
def test_allowed_negatives_are_counted(start, count):
  first = np.zeros((5, 2), bool)
  if start is not None:
    first[start, 0] = True
  rows = pairs.rows(jnp.asarray(first), jnp.ones((5, 2)), 1000, KEY)
  assert int(pairs.allowed(rows, 1).sum()) == count


def test_pairs_equal_slow_loops():
  rng = np.random.default_rng(0)
  first = rng.uniform(size=(6, 3)) < 0.3
  weights = (rng.uniform(size=(6, 3)) < 0.8).astype(np.float32)
  of_pair = np.asarray(pairs.positives(jnp.asarray(first), jnp.asarray(weights), 2))
  np.testing.assert_array_equal(of_pair, slow.positives(first, weights, 2))
  rows = pairs.rows(jnp.asarray(first), jnp.asarray(of_pair), 1000, KEY)
  np.testing.assert_array_equal(pairs.allowed(rows, 3), slow.allowed(first, of_pair, 3))


def test_where_there_are_more_rows_those_that_count_come_first():
  weights = np.zeros((5, 4), np.float32)
  weights[1, 2] = weights[3, 0] = weights[4, 3] = 1.0
  first = np.zeros((5, 4), bool)
  chosen = [
    pairs.rows(jnp.asarray(first), jnp.asarray(weights), 6, jax.random.key(i)) for i in range(2)
  ]
  for rows in chosen:
    assert set(np.asarray(rows.entry[np.asarray(rows.weights) > 0])) == {6, 12, 19}
    np.testing.assert_array_equal(rows.time * 4 + rows.column, rows.entry)
    assert len(set(np.asarray(rows.entry))) == 6
  assert set(np.asarray(chosen[0].entry)) != set(np.asarray(chosen[1].entry))


def test_contrast_of_equal_embeddings_is_the_logarithm_of_their_number():
  allowed = jnp.ones((512, 512), bool)
  loss = pairs.info_nce(jnp.ones((512, 512)), jnp.ones(512), allowed & ~jnp.eye(512, dtype=bool))
  np.testing.assert_allclose(loss, np.log(512), rtol=1e-6)
  np.testing.assert_allclose(loss, 6.2383, atol=1e-4)


def test_contrast_of_what_is_orthogonal_has_its_closed_form():
  negatives = ~jnp.eye(512, dtype=bool)
  loss = pairs.info_nce(jnp.eye(512) / 0.1, jnp.ones(512), negatives)
  np.testing.assert_allclose(loss, 0.02293, atol=1e-5)
  told = pairs.information(loss, jnp.ones(512), negatives)
  np.testing.assert_allclose(told, 6.2383 - 0.02293, atol=1e-4)


def test_a_row_without_negatives_has_neither_loss_nor_gradient():
  def loss(logits):
    return pairs.info_nce(logits, jnp.ones(3), jnp.zeros((3, 3), bool))

  value, gradient = jax.value_and_grad(loss)(jnp.arange(9.0).reshape(3, 3))
  assert value == 0.0
  assert not np.any(gradient)


def test_neighbours_below_the_gap_are_refused():
  with pytest.raises(ValueError, match="neighbours is 1; it must be at least gap, 2"):
    pairs.PairsConfig(gap=2, neighbours=1)
