"""What the library computes stays what it was: some of the runs of tests/references.py."""

import jax
import pytest

from tests import references

CASES = (
  "agent byol_explore",
  "agent reach",
  "objective ppo",
  "objective soft_q, replay",
  "bonus ngu",
)


@pytest.mark.skipif(
  references.recorded()[references.JAX] != jax.__version__, reason="recorded with another JAX"
)
@pytest.mark.parametrize("case", CASES)
def test_twenty_updates_are_as_recorded(case):
  now = references.rows(references.cases()[case])
  assert references.differences(references.recorded()[case], now, tolerance=1e-4) == []
