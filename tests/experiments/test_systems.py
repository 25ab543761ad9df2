"""Systems that are not Linux, as far as they can be had here: what they lack is taken away."""

import subprocess
import sys
from pathlib import Path

import pytest

import envs
from envs.host import vector
from envs.host.serial import ThreadVector
from experiments.runtimes.cluster import session
from experiments.settings.errors import UserError
from tests.experiments.command_line import ENVIRONMENT, ROOT
from tests.experiments.conftest import TINY

WITHOUT_UNIX = str(Path(__file__).with_name("without_unix.py"))


def run(arguments, **environment):
  """Runs a program in the folder of tests/quirks.py; UTF-8 is what its output is read as."""
  return subprocess.run(
    [sys.executable, *arguments],
    env=ENVIRONMENT | environment,
    cwd=ROOT / "tests",
    capture_output=True,
    encoding="utf-8",
  )


def test_on_device_trains_without_what_windows_lacks(tmp_path):
  flags = ("--env", "deep_sea", "--env-args", "size=4", "--out", str(tmp_path / "run"))
  ended = run([WITHOUT_UNIX, "train", *TINY, *flags])
  assert ended.returncode == 0
  assert "Traceback" not in ended.stderr
  assert (tmp_path / "run" / "results.json").exists()
  assert (tmp_path / "run" / "episode.gif").exists()


def test_actor_learner_trains_by_threads_without_worker_processes(tmp_path):
  flags = ("--env", "quirks:Base", "--env-args", "stepping=processes")
  ended = run([WITHOUT_UNIX, "train", *TINY, *flags, "--out", str(tmp_path / "run")])
  assert ended.returncode == 0
  assert "this system has no worker processes" in ended.stderr
  assert "Traceback" not in ended.stderr
  assert (tmp_path / "run" / "results.json").exists()


def test_environments_are_stepped_by_threads_where_there_are_no_worker_processes(monkeypatch):
  monkeypatch.setattr(vector, "processes_available", lambda: False)
  env = envs.make("gym:CartPole-v1", stepping="processes")
  with pytest.warns(RuntimeWarning, match="no worker processes"):
    together = vector.vector(env, 2, 0)
  with together:
    assert isinstance(together._inner, ThreadVector)


def test_a_cluster_says_that_it_needs_linux(monkeypatch):
  monkeypatch.setattr(session.platform, "system", lambda: "Darwin")
  with pytest.raises(UserError, match="a cluster needs Linux"), session.start():
    pass


def test_ctrl_c_while_the_command_line_loads_ends_it_without_a_traceback():
  program = """
import runpy, sys
class Interrupt:
  def find_spec(self, name, path=None, target=None):
    if name == "experiments.cli":
      raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
runpy.run_module("experiments", run_name="__main__")
"""
  ended = run(["-c", program])
  assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
