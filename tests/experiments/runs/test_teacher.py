"""Runs that learn from a frozen teacher."""

import dataclasses
import math
import shutil
from pathlib import Path

import pytest

from agents import auxiliaries
from experiments.acting import rollout
from experiments.runs import experiment as experiments
from experiments.runtimes import scoring
from experiments.settings.errors import UserError
from tests.experiments.runs.test_transfer import saved
from tests.experiments.runs_of_everything import plain

BOTH = tuple(auxiliaries.registry.choice(name) for name in ("crd", "kd"))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
  """The folder of a run with other networks and another objective than the student's."""
  config = plain("soft_q")
  model = dataclasses.replace(config.agent.world_model, latent_size=6, core_size=6)
  agent = dataclasses.replace(config.agent, world_model=model)
  path = tmp_path_factory.mktemp("teacher") / "run"
  saved(dataclasses.replace(config, agent=agent, out=str(path)))
  return path


def student(path, out, runtime="on_device", chosen=BOTH, **changes):
  config = dataclasses.replace(plain("vmpo", runtime), teacher=str(path), out=str(out), **changes)
  return dataclasses.replace(config, agent=dataclasses.replace(config.agent, auxiliary=chosen))


@pytest.mark.parametrize("runtime", ["on_device", "actor_learner"])
def test_a_student_with_other_networks_learns_from_it(teacher, tmp_path, monkeypatch, runtime):
  monkeypatch.setattr(rollout, "split_player", lambda *_: lambda *_: {})
  monkeypatch.setattr(scoring.Scorer, "__call__", lambda *_: {})
  loop = experiments.build(student(teacher, tmp_path / "run", runtime)).loop
  (*_, last) = loop.train(loop.init(), lambda: False)
  (row,) = last.rows
  assert math.isfinite(row["loss"])
  assert row["kd_loss"] > 0.0
  assert row["crd_loss"] > 0.0


def test_a_run_keeps_its_teacher_and_needs_the_other_no_more(teacher, tmp_path):
  path = tmp_path / "teacher"
  shutil.copytree(teacher, path)
  config = student(path, tmp_path / "run")
  Path(config.out).mkdir()
  experiments.keep_teacher(config)
  shutil.rmtree(path)
  experiments.keep_teacher(config)  # there is nothing to do
  assert experiments.teacher(config).state.updates == 0


def test_a_teacher_brings_its_own(tmp_path):
  path = tmp_path / "taught"
  (path / "teacher" / "checkpoints").mkdir(parents=True)
  (path / "episode.gif").write_text("")
  config = student(path, tmp_path / "run")
  Path(config.out).mkdir()
  experiments.keep_teacher(config)
  kept = Path(config.out) / "teacher"
  assert (kept / "teacher" / "checkpoints").is_dir()
  assert not (kept / "episode.gif").exists()


def test_a_teacher_that_nothing_learns_from_is_one_line(teacher, tmp_path):
  with pytest.raises(UserError, match="nothing learns from the teacher"):
    experiments.build(student(teacher, tmp_path / "run", chosen=()))


def test_a_loss_without_a_teacher_is_one_line(tmp_path):
  with pytest.raises(
    UserError, match="'crd' learns from a trained run: rarebird train --teacher RUN"
  ):
    experiments.build(student("", tmp_path / "run"))


def test_a_teacher_that_is_not_there_is_one_line(tmp_path):
  with pytest.raises(UserError, match=r"holds no run \(no config.json\)"):
    experiments.build(student(tmp_path / "nowhere", tmp_path / "run"))


def test_a_teacher_of_other_spaces_is_one_line(teacher, tmp_path):
  config = student(teacher, tmp_path / "run", env_args=("size=5",))
  with pytest.raises(UserError, match="the teacher has other observations") as told:
    experiments.build(config)
  assert "\n" not in str(told.value)


def test_a_cluster_has_no_teacher(teacher, tmp_path):
  with pytest.raises(UserError, match="--teacher is for runs in one process"):
    experiments.build(student(teacher, tmp_path / "run", "cluster"))
