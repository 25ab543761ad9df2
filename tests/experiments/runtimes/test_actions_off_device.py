"""Several actions at once, and actions without bounds, from the command line to the environment."""

from pathlib import Path

import numpy as np
import pytest

from experiments import cli
from experiments.datasets.dataset import Dataset

ENVS = [
  "quirks:MultiDiscreteAction",
  "quirks:MultiBinaryAction",
  "quirks:UnboundedAction",
  "quirks:Start",
  "quirks_actions:SeveralAxes",
  "quirks_actions:BinaryAxes",
  "quirks_actions:OneBound",
]
SERIAL = ("--env-args", "stepping=serial")


@pytest.mark.parametrize("env", ENVS)
def test_actions_of_any_kind_train(train_here, env):
  ended = train_here("--env", env, *SERIAL)
  assert ended.status == 0, ended.err


def test_several_integers_train_with_a_bonus_that_predicts_them(train_here):
  ended = train_here("--env", "quirks:MultiDiscreteAction", *SERIAL, "--bonus", "icm")
  assert ended.status == 0, ended.err


@pytest.mark.parametrize(
  ("flags", "line"),
  [
    ("quirks:MultiDiscreteAction --objective soft_q", "several at once take --objective vmpo, ppo"),
    ("quirks:MultiBinaryAction --agent sac", "several integers at once take --objective vmpo"),
    ("quirks:UnboundedAction --agent sac", "needs finite bounds: take --objective vmpo, ppo"),
    ("quirks:UnboundedAction --agent soft_q", "continuous ones take --objective vmpo, ppo"),
    ("quirks:MultiDiscreteAction --agent reach", "has no goals"),
    ("quirks_actions:DictAction", "action space Dict"),
  ],
)
def test_what_fits_no_action_is_refused_in_one_line(train_here, flags, line):
  ended = train_here("--env", *flags.split(), *SERIAL)
  assert ended.status == 2
  assert line in ended.err
  assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize("env", ["quirks_actions:SeveralAxes", "quirks_actions:OneBound"])
def test_actions_of_any_kind_are_collected_and_read_back(monkeypatch, tmp_path, env):
  out = str(tmp_path / "data")
  flags = ["collect", "--env", env, *SERIAL, "--episodes", "3", "--out", out]
  monkeypatch.chdir(Path(__file__).parents[2])
  monkeypatch.setattr("sys.argv", ["rarebird", *flags])
  with pytest.raises(SystemExit) as ended:
    cli.main()
  assert ended.value.code == 0
  data = Dataset(out)
  assert data.action.shape == (30, *data.action_spec().shape)
  assert data.action.dtype == data.action_spec().dtype
  if np.issubdtype(data.action.dtype, np.integer):
    np.testing.assert_array_equal(data.action_spec().maximum, [[1, 2], [3, 0]])
    np.testing.assert_array_equal(np.unique(data.action[:, 1, 0]), [0, 1, 2, 3])
