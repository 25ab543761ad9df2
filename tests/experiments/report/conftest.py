"""Fixtures of the tests of the report."""

import pytest

from experiments.report import statistics


@pytest.fixture(scope="module")
def few_resamples():
  """Intervals by a tenth of the resamples, where they are not what is tested."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(statistics, "RESAMPLES", statistics.RESAMPLES // 10)
    yield
