"""What a person gets wrong on the command line: one line, exit status 2, nothing written."""

import errno
import os

import jax
import numpy as np
import pytest

from experiments import cli
from experiments.runs import checkpoint, logs
from experiments.settings.errors import UserError
from tests.experiments.conftest import TINY


def run(monkeypatch, capsys, *arguments):
  monkeypatch.setattr("sys.argv", ["rarebird", *arguments])
  with pytest.raises(SystemExit) as exit_:
    cli.main()
  return exit_.value.code, capsys.readouterr()


@pytest.mark.parametrize(
  ("flags", "words"),
  [
    ("--env zipf/gridwrld", "did you mean zipf/gridworld"),
    ("--env nowhere:Env", "cannot import module 'nowhere'"),
    ("--env envs.hard.deep_sea:DepSea", "did you mean DeepSea"),
    ("--env-args exponnt=1", "did you mean exponent"),
    ("--env-args exponent", "write name=value"),
    ("--env-args exponent=1 exponent=2", "exponent is given twice"),
    ("--env-args exponent=-1", "exponent must be finite and at least 0"),
    ("--env-args split=zpf", "did you mean zipf"),
    ("--bonus byol_explor", "did you mean byol_explore"),
    ("--torso resnt", "did you mean resnet"),
    ("--core gro", "unknown core 'gro'"),
    ("--core transformer --core.window 0", "core.window is 0; it counts the steps seen"),
    ("--core transformer --core.kv-heads 3", "does not divide the 4 heads; give one of 1, 2, 4"),
    ("--core lru --core.window 8", "core.window"),
    (
      "--agent soft_q --env deep_sea --replay-capacity 10000 --core gtrxl --core.window 2048",
      "begins with the agent's memory of 2,047 KiB",
    ),
    ("--objective vmop", "did you mean vmpo"),
    ("--agent fresh", "rarebird offline --dataset DIR"),
    ("--agent reach --env catch", "environment 'Catch' has no goals"),
    ("--agent go_explore --env catch --runtime actor_learner", "give --runtime on_device"),
    ("--agent go_explore --env gym:CartPole-v1", "runs on the host, where no state can be kept"),
    ("--agent go_explore --env cartpole --cells places", "tells no places; give --cells views"),
    ("--agent go_explore --env catch --return-by bonus", "give --bonus counts"),
    ("--env deep_sea --torso conv", "Use --torso mlp"),
    ("--steps 0", "--steps is 0"),
    ("--seeds 0", "--seeds is 0"),
    ("--seed -1", "--seed is -1"),
    ("--devices 99", "--devices is 99"),
    ("--batch-size 0", "batch_size is 0"),
    ("--latnt-size 3", "latnt-size"),
    ("--steps abc", "abc"),
    ("--latent-size 0", "--latent-size is 0"),
    ("--seed 4294967296", "below 2**32"),
    ("--env envs:FIRST", "is a int, not a class"),
    ("--horizon 0", "horizon is 0"),
    ("--discount 1.5", "discount is 1.5"),
    ("--out /proc/nowhere/run", "cannot write to /proc/nowhere/run"),
  ],
)
def test_bad_flags(monkeypatch, capsys, tmp_path, flags, words):
  monkeypatch.chdir(tmp_path)
  code, printed = run(monkeypatch, capsys, "train", *flags.split())
  assert code == 2
  assert printed.err.startswith("rarebird: ")
  assert printed.err.count("\n") == 1
  assert words in printed.err
  assert os.listdir(tmp_path) == []


def test_evaluating_no_run(monkeypatch, capsys, tmp_path):
  code, printed = run(monkeypatch, capsys, "evaluate", str(tmp_path))
  assert code == 2
  assert printed.err == f"rarebird: {tmp_path} holds no run (no config.json).\n"


def test_every_list_is_printed(monkeypatch, capsys):
  for what, member in {
    "agents": "byol_explore",
    "envs": "zipf/gridworld",
    "bonuses": "none",
    "objectives": "vmpo",
    "torsos": "resnet_ws",
    "cores": "lstm",
  }.items():
    code, printed = run(monkeypatch, capsys, "list", what)
    assert code == 0
    assert member in printed.out


def test_a_full_disk_is_told_in_one_line(monkeypatch, capsys, tmp_path):
  def full(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(logs.Logs, "write", full)
  monkeypatch.chdir(tmp_path)
  flags = ("--env", "deep_sea", "--env-args", "size=4", *TINY, "--log-updates", "1")
  monkeypatch.setattr("sys.argv", ["rarebird", "train", *flags, "--steps", "20"])
  with pytest.raises(SystemExit) as ended:
    cli.main()
  assert ended.value.code == 2
  told = capsys.readouterr().err
  assert told.count("\n") == 1
  assert "No space left on device; make room, and the same command resumes" in told


def test_a_checkpoint_that_cannot_be_written_is_told_in_one_line(monkeypatch, tmp_path):
  saved = checkpoint.Checkpoints(tmp_path, {}, create=True)

  def full(*arguments, **settings):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(saved._manager, "save", full)
  with pytest.raises(UserError, match=r"cannot be written .*No space left on device"):
    saved.save(1, {"x": np.zeros(2)})


@pytest.mark.parametrize("names", [("x", "y"), ("x",)])
def test_a_checkpoint_with_other_arrays_is_told_to_be_another_versions(tmp_path, names):
  saved = checkpoint.Checkpoints(tmp_path, {}, create=True)
  saved.save(1, {name: jax.numpy.zeros(2) for name in ("x", "z")})
  with pytest.raises(UserError, match=r"checkpoints/1 is of another version .*[yz] is in it"):
    saved.restore({name: jax.numpy.zeros(2) for name in names})
