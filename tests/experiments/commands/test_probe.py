"""`rarebird probe`, of a tiny agent."""

import json

import numpy as np
import pytest

from experiments.commands import probe
from experiments.evaluation import probe_data, probes


@pytest.fixture(autouse=True)
def little(monkeypatch):
  monkeypatch.setattr(probes, "ITERATIONS", 3)
  monkeypatch.setattr(probes, "TASKS", 4)
  monkeypatch.setattr(probe_data, "LONGEST", 12)


def rows(run):
  return [json.loads(line) for line in (run / "probes.jsonl").read_text().splitlines()]


def test_a_run_gets_its_files_and_a_second_call_adds_to_them(train_here, rarebird_here):
  done = train_here("--env", "zipf/gridworld-symbolic")
  assert done.status == 0, done.err
  words = ("probe", str(done.run), "--episodes", "64", "--policy")
  first = rarebird_here(*words, "random", cwd=done.run.parent)
  assert first.returncode == 0, first.stderr
  assert max(len(line) for line in first.stdout.splitlines() if "png" not in line) <= 80
  old = rows(done.run)
  assert {row["label"] for row in old if "label" in row} >= {"map", "target"}
  assert {(row["features"], row["encoder"]) for row in old} == {
    (features, encoder) for features in ("latents", "beliefs") for encoder in ("agent", "fresh")
  }
  assert all(len(row["by_rank"]) == 20 for row in old if row.get("label") == "map")
  assert (done.run / "probes.png").stat().st_size > 0
  assert rarebird_here(*words, "agent", cwd=done.run.parent).returncode == 0
  assert rows(done.run)[: len(old)] == old
  assert {row["policy"] for row in rows(done.run)[len(old) :]} == {"agent"}


def test_a_world_that_tells_nothing_is_one_line(train_here, rarebird_here):
  done = train_here("--env", "cartpole")
  assert done.status == 0, done.err
  refused = rarebird_here("probe", str(done.run), cwd=done.run.parent)
  assert refused.returncode == 2
  assert refused.stderr.count("\n") == 1
  assert "neither ranks nor places" in refused.stderr


def test_rows_go_behind_what_is_there(tmp_path):
  probe.append(tmp_path / "rows", [{"a": 1}])
  probe.append(tmp_path / "rows", [{"b": float("nan")}])
  assert (tmp_path / "rows").read_text() == '{"a": 1}\n{"b": null}\n'


def test_classes_are_numbered_by_how_frequent_they_are():
  values = np.array([[7, 7]] * 12 + [[3, 5]] * 11 + [[9, -1]] * 3)
  found = probe_data.by_frequency("room", values)
  assert found.classes == 3  # 9 lies in too few episodes
  assert found.values[0].tolist() == [0, 0]
  assert found.values[-1].tolist() == [-1, -1]
