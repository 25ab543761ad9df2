"""A branch that is taken where it is due, alone and in a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.when import when


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_each_member_changes_if_it_is_due(transform):
  def step(due, x):
    return when(due, lambda x: x + 1, x)

  due, x = jnp.array([True, False, True]), jnp.arange(3.0)
  np.testing.assert_array_equal(transform(jax.vmap(step))(due, x), [1, 1, 3])
  np.testing.assert_array_equal(
    [transform(step)(d, y) for d, y in zip(due, x, strict=True)], [1, 1, 3]
  )


def test_in_a_batch_it_stays_a_branch():
  """One branch computes the change; the other, and the rest of the program, do not."""
  program = jax.make_jaxpr(jax.vmap(lambda due, x: when(due, jnp.sin, x)))(
    jnp.zeros(3, bool), jnp.zeros(3)
  )
  branch = next(e for e in program.eqns if e.primitive.name == "cond")
  texts = [str(b) for b in branch.params["branches"]]
  assert sum("sin" in text for text in texts) == 1
  assert all("sin" not in str(e) for e in program.eqns if e is not branch)
