"""The shaped reward against its formula."""

import jax
import numpy as np
import pytest

from agents.reachability import reward


@pytest.mark.parametrize("wrap", [jax.jit, lambda f: f])
def test_it_is_the_formula(wrap):
  logits, distance = np.array([-3.0, 0.0, 8.0], np.float32), np.array([4, 0, 1], np.int16)
  paid = wrap(lambda a, b: reward.shaped(a, b, 1.5, 0.1, 2.0))(logits, distance)
  slow = [
    0.1 * (-d + 2.0 * (1 / (1 + np.exp(-r / 1.5)) - 1))
    for r, d in zip(logits, distance, strict=True)
  ]
  np.testing.assert_allclose(paid, slow, rtol=1e-5)


def test_it_is_never_above_zero_and_highest_where_the_goal_is_sure_to_be_near():
  logits = np.linspace(-50, 50, 11).astype(np.float32)
  paid = reward.shaped(logits, np.zeros(11, np.float32), 1.0, 0.1, 1.0)
  assert (np.diff(paid) >= 0).all()
  assert float(paid[-1]) == 0.0
  assert float(paid[0]) == pytest.approx(-0.1)
