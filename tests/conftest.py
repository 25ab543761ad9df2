"""Settings shared by all tests."""

import os
from pathlib import Path

import hypothesis
import pytest

# Before any test imports JAX: a run on an accelerator asks for it by setting the variable itself.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# A test runs a program a few times, so most of its time is LLVM's: without optimisation, 2.6 times
# less processor time over tests/experiments/test_on_device.py.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# An example that compiles takes seconds, so a deadline would measure XLA; and a failure must recur.
hypothesis.settings.register_profile("rarebird", deadline=None, derandomize=True)
hypothesis.settings.load_profile("rarebird")


TESTS = Path(__file__).parent
SLOW = frozenset((TESTS / "slow.txt").read_text("utf-8").split())
"""Files that `make check` leaves out: they start processes, learn, or compile for long."""


def pytest_collection_modifyitems(items):
  """Marks the tests of the slow files."""
  for item in items:
    if item.path.relative_to(TESTS).as_posix() in SLOW:
      item.add_marker(pytest.mark.slow)


@pytest.fixture
def quirks(monkeypatch):
  """The modules of awkward environments, `quirks` and `quirks_...`, on the path, workers' too."""
  monkeypatch.syspath_prepend(str(TESTS))
