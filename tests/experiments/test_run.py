"""Whole runs through the command line: resume to the bit, faults, and what they leave behind."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess

import numpy as np
import pytest

from experiments import cli
from experiments.runs import run_folder
from tests.experiments.command_line import (
  kill_after,
  last_checkpoint,
  start,
  wait_for_rows,
)

SHORT = """
  --env deep_sea --env-args size=4 --log-updates 2 --eval-rows 3 --eval-episodes 8
  --batch-size 8 --unroll-length 5 --latent-size 8 --core-size 8 --predictor-hidden 8
  --head-hidden 8 --horizon 2 --checkpoint-rows 2 --seeds 2
  --torso linear --core feedforward --bonus none
""".split()  # noqa: SIM905 - reads like a command line
MORE = """
  --core transformer --core.layers 1 --core.window 6
  --bonus byol_explore --planner lookahead --planner.depth 2
  --auxiliary infomin swav --auxiliary.infomin.gap 2
  --auxiliary.swav.long 3 --auxiliary.swav.frozen 3 --auxiliary.swav.projector-hidden 8
""".split()  # noqa: SIM905
FLAGS = [*SHORT, *MORE]
CALL_STEPS = 2 * 8 * 5


def words(rows, *more):
  """Those of a run of so many rows."""
  return "train", *FLAGS, "--out", "run", "--steps", str(rows * CALL_STEPS), *more


def without_rate(rows):
  return [{k: v for k, v in row.items() if k != "steps_per_second"} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """A run of six rows that nothing interrupts, in this process, which later tests resume it in."""
  folder, out, err = tmp_path_factory.mktemp("whole"), io.StringIO(), io.StringIO()
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    patch.setenv("COLUMNS", "80")
    patch.setattr("sys.argv", ["rarebird", *words(6)])
    with (
      contextlib.redirect_stdout(out),
      contextlib.redirect_stderr(err),
      pytest.raises(SystemExit) as ended,
    ):
      cli.main()
  assert ended.value.code == 0, err.getvalue()
  return folder, out.getvalue()


def test_a_run_leaves_its_files(whole):
  folder, _ = whole
  present = set(os.listdir(folder / "run"))
  assert present >= {
    "config.json",
    "references.json",
    "metrics.jsonl",
    "tensorboard",
    "checkpoints",
    "curves.png",
    "episode.gif",
    "results.json",
  }


def test_a_run_ends_with_the_split_table_beside_random_and_optimal(whole):
  _, shown = whole
  assert "random" in shown
  assert "optimal" in shown
  assert "100%" in shown


def test_rows_hold_every_seed_once_a_log_interval(whole):
  rows = run_folder.read_rows(whole[0] / "run")
  assert [(r["step"], r["seed"]) for r in rows] == [
    (n * CALL_STEPS, seed) for n in range(1, 7) for seed in (0, 1)
  ]


def test_the_same_command_again_changes_nothing_and_says_so(whole, rarebird_here):
  folder, first = whole
  before = (folder / "run" / "metrics.jsonl").read_bytes()
  again = rarebird_here(*words(6), cwd=folder)
  assert again.returncode == 0
  assert (folder / "run" / "metrics.jsonl").read_bytes() == before
  assert first.split("┃ split")[1] == again.stdout.split("┃ split")[1]


def test_killed_and_resumed_equals_uninterrupted_to_the_bit(whole, tmp_path, rarebird_here):
  """kill -9 after the fifth row; the checkpoint is of the fourth."""
  kill_after(10, *words(6), cwd=tmp_path)
  with open(tmp_path / "run" / "metrics.jsonl", "a") as file:  # what a write cut in half leaves
    file.write('{"seed": 0, "st')
  resumed = rarebird_here(*words(6), cwd=tmp_path)
  assert resumed.returncode == 0, resumed.stderr
  assert f"resumed at step {4 * CALL_STEPS}" in " ".join(resumed.stdout.split())

  ours, theirs = (
    without_rate(run_folder.read_rows(folder / "run")) for folder in (tmp_path, whole[0])
  )
  assert ours == theirs
  a, b = last_checkpoint(tmp_path), last_checkpoint(whole[0])
  assert a[0] == b[0]
  assert a[1].keys() == b[1].keys()
  for name in a[1]:
    np.testing.assert_array_equal(a[1][name], b[1][name], err_msg=name)


def test_ctrl_c_saves_and_the_same_command_resumes(tmp_path):
  flags = [*SHORT, "--steps", str(100_000 * CALL_STEPS), "--checkpoint-rows", "100000"]
  running = start("train", *flags, "--out", "run", cwd=tmp_path, stdout=subprocess.PIPE, text=True)
  wait_for_rows(tmp_path, 2)
  running.send_signal(signal.SIGINT)
  output, _ = running.communicate()
  assert running.returncode == 130
  assert "the same command resumes" in output
  rows = len(run_folder.read_rows(tmp_path / "run")) // 2
  update, _ = last_checkpoint(tmp_path)
  assert update == 2 * rows


def test_a_changed_config_is_refused_and_nothing_is_touched(whole, tmp_path, rarebird_here):
  shutil.copytree(whole[0] / "run", tmp_path / "run")
  before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
  refused = rarebird_here(*words(6, "--discount", "0.5"), cwd=tmp_path)
  assert refused.returncode == 2
  assert refused.stderr.count("\n") == 1
  assert "discount was 0.99, now 0.5" in refused.stderr
  assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_a_truncated_checkpoint_is_refused_by_name(whole, tmp_path, rarebird_here):
  shutil.copytree(whole[0] / "run", tmp_path / "run")
  newest = max((tmp_path / "run" / "checkpoints").glob("[0-9]*"), key=lambda p: int(p.name))
  data = max((p for p in newest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
  data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
  refused = rarebird_here(*words(7), cwd=tmp_path)
  assert refused.returncode == 2
  assert "damaged or truncated" in refused.stderr
  assert str(newest.name) in refused.stderr
  assert refused.stderr.strip().count("\n") == 0


def test_a_checkpoint_of_another_config_is_refused(whole, tmp_path, rarebird_here):
  shutil.copytree(whole[0] / "run", tmp_path / "run")
  path = tmp_path / "run" / "config.json"
  config = json.loads(path.read_text())
  config["agent"]["learning_rate"] = 0.5
  path.write_text(json.dumps(config))
  refused = rarebird_here("evaluate", "run", cwd=tmp_path)
  assert refused.returncode == 2
  assert "is of another config (agent differ" in refused.stderr


def test_evaluate_prints_what_json_says(whole, rarebird_here):
  done = rarebird_here("evaluate", "run", "--episodes", "16", "--json", cwd=whole[0])
  assert done.returncode == 0, done.stderr
  scores = json.loads(done.stdout)["scores"]["train"]
  mean, low, high = scores["success"]
  assert low <= mean <= high
  assert scores["episodes_per_seed"] == 16
  shown = rarebird_here("evaluate", "run", "--episodes", "16", cwd=whole[0])
  assert f"{mean:.1%}" in shown.stdout
  assert max(len(line) for line in shown.stdout.splitlines()) <= 80


def test_a_foreign_folder_is_refused(tmp_path, rarebird_here):
  (tmp_path / "run").mkdir()
  (tmp_path / "run" / "thesis.txt").write_text("years of work")
  refused = rarebird_here(*words(1), cwd=tmp_path)
  assert refused.returncode == 2
  assert "not empty and holds no run" in refused.stderr
  assert os.listdir(tmp_path / "run") == ["thesis.txt"]


NAN_ENVIRONMENT = """
import envs, jax.numpy as jnp, numpy as np
from dm_env import specs

class Broken(envs.Environment):
  max_episode_steps = 30
  def reset(self, key):
    return jnp.int32(0), envs.restart(jnp.zeros(3))
  def step(self, state, action):
    reward = jnp.where(state == 20, jnp.nan, 0.0)
    end = state >= 29
    return state + 1, envs.transition(jnp.zeros(3), reward, terminated=end)
  def observation_spec(self):
    return specs.BoundedArray((3,), np.float32, 0, 1)
  def action_spec(self):
    return specs.DiscreteArray(2)
"""


def test_a_nan_reward_stops_the_run_and_keeps_the_last_checkpoint(
  tmp_path, rarebird_here, monkeypatch
):
  """A row is 10 steps of each environment: NaN comes in the third, the second is saved."""
  (tmp_path / "nan_later.py").write_text(NAN_ENVIRONMENT)
  monkeypatch.syspath_prepend(str(tmp_path))
  flags = [f for f in SHORT if f not in ("--env-args", "size=4")]
  flags[flags.index("deep_sea")] = "nan_later:Broken"
  stopped = rarebird_here("train", *flags, "--out", "run", "--steps", "800", cwd=tmp_path)
  assert stopped.returncode == 2
  assert "environment 'nan_later:Broken', seed 0, steps 160 to 240: reward nan;" in stopped.stderr
  assert last_checkpoint(tmp_path)[0] == 4
  assert len(run_folder.read_rows(tmp_path / "run")) == 4
