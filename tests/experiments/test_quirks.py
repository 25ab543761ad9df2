"""Unusual environments that are right as they are train."""

import pytest

from experiments.runs.run_folder import read_rows


@pytest.mark.parametrize("name", ["Both", "OneStep", "Endless", "Constant"])
def test_unusual_episodes_train(train_here, name):
  ended = train_here("--env", f"quirks:{name}", "--env-args", "stepping=serial")
  assert ended.status == 0, ended.err
  assert read_rows(ended.run)[-1]["step"] == 200
