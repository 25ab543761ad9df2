"""Trackers: they are told what the log holds, and none of them stops a run."""

import importlib.util
import json
import threading

import pytest

from envs.registry import Choice
from experiments import trackers
from experiments.runs.logs import Logs
from experiments.settings import stored
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, check, from_json, to_json
from experiments.trackers import tracker
from experiments.trackers.background import Guarded

ROWS = [
  {"seed": 0, "step": 10, "loss": 0.5},
  {"seed": 1, "step": 10, "loss": 0.25, "lane": 1},
  {"seed": 0, "step": 20, "loss": 0.125},
]
WITHOUT_A_NETWORK = {
  "wandb": {"mode": "offline"},
  "mlflow": {"uri": "sqlite:///{folder}/mlflow.db"},
  "trackio": {},
}


class Kept:
  """A tracker that keeps what it is told, or fails at one of the calls."""

  library = ""

  def __init__(self, fails="", waits=True):
    self.calls, self.fails, self.waits = [], fails, waits
    self.answers = threading.Event()
    self.answers.set()

  def call(self, name, *what):
    self.answers.wait()
    if name == self.fails:
      raise ConnectionError("no route to host\nand much more")
    self.calls.append((name, *what))

  def open(self):
    self.call("open")

  def write(self, rows):
    self.call("write", rows)

  def close(self):
    self.call("close")


@pytest.mark.parametrize("waits", [True, False])
def test_a_tracker_is_opened_told_every_row_in_order_and_closed(waits):
  kept, told = Kept(waits=waits), []
  guarded = Guarded("kept", kept, told.append)
  for row in ROWS:
    guarded.write([row])
  guarded.close()
  assert kept.calls == [("open",), *(("write", [row]) for row in ROWS), ("close",)]
  assert told == []


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("fails", ["open", "write", "close"])
def test_a_tracker_that_fails_is_told_in_one_line_and_let_go(waits, fails):
  kept, told = Kept(fails, waits), []
  guarded = Guarded("kept", kept, told.append)
  for row in ROWS:
    guarded.write([row])
  guarded.close()
  assert told == ["--log kept is let go, the run goes on: ConnectionError: no route to host"]
  assert not any(name == "write" for name, *_ in kept.calls) or fails == "close"


def test_a_tracker_that_does_not_answer_holds_up_neither_the_run_nor_its_end():
  kept, told = Kept(waits=False), []
  kept.answers.clear()
  guarded = Guarded("kept", kept, told.append, patience=0.01)
  guarded.write(ROWS)
  guarded.close()
  assert told == [
    "--log kept is let go, the run goes on: it did not answer within 0.01 seconds of the end"
  ]
  kept.answers.set()


def test_metrics_are_named_by_seed_and_lane():
  assert tracker.by_step(ROWS) == {
    10: {"seed0/loss": 0.5, "seed1-lane1/loss": 0.25, "seed1-lane1/lane": 1},
    20: {"seed0/loss": 0.125},
  }


def test_the_log_is_written_where_a_tracker_fails_and_the_line_is_kept(tmp_path, monkeypatch):
  monkeypatch.setattr(trackers.registry, "build", lambda choice, tracked: Kept("write"))
  told = []
  logs = Logs(tmp_path, (Choice("kept"),), told.append)
  logs.write(ROWS)
  logs.close()
  assert [json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text().splitlines()] == ROWS
  assert (tmp_path / "warnings.log").read_text().splitlines() == told


def test_rows_that_stand_in_the_log_are_told_to_no_tracker_again(tmp_path, monkeypatch):
  kept = Kept()
  monkeypatch.setattr(trackers.registry, "build", lambda choice, tracked: kept)
  for rows in (ROWS[:2], ROWS):
    logs = Logs(tmp_path, (Choice("kept"),))
    logs.write(rows)
    logs.close()
  assert [rows for name, *rows in kept.calls if name == "write"] == [[ROWS[:2]], [ROWS[2:]]]


def test_a_resumed_run_has_the_same_id_and_no_two_runs_have_one(tmp_path, monkeypatch):
  ids = []
  monkeypatch.setattr(
    trackers.registry, "build", lambda choice, tracked: ids.append(tracked.id) or Kept()
  )
  for name in ("a", "a", "b"):
    (tmp_path / name).mkdir(exist_ok=True)
    Logs(tmp_path / name, (Choice("kept"),)).close()
  assert ids[0] == ids[1] != ids[2]


def test_a_config_with_the_usual_log_is_written_as_before_there_was_a_choice():
  assert "log" not in stored.data(TrainConfig())
  config = TrainConfig(log=(trackers.registry.choice("wandb", mode="offline"),))
  assert from_json(to_json(config)) == config


def test_a_tracker_whose_library_is_missing_is_refused_in_one_line(monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  with pytest.raises(UserError, match=r"^--log wandb needs .*pip install 'rarebird\[wandb\]'$"):
    check(TrainConfig(log=(trackers.registry.choice("wandb"),)))


@pytest.mark.parametrize("name", WITHOUT_A_NETWORK)
def test_the_real_library_takes_a_run_and_goes_on_with_it(name, tmp_path, monkeypatch):
  if importlib.util.find_spec(name) is None:
    pytest.skip(f"{name} is not installed: pip install 'rarebird[{name}]'")
  monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
  settings = {k: v.format(folder=tmp_path) for k, v in WITHOUT_A_NETWORK[name].items()}
  (tmp_path / "config.json").write_text('{"env": "catch", "agent": {"learning_rate": 0.5}}')
  told = []
  for rows in (ROWS[:2], ROWS):
    logs = Logs(tmp_path, (trackers.registry.choice(name, **settings),), told.append)
    logs.write(rows)
    logs.close()
  assert told == []
  if name == "wandb":
    id = (tmp_path / "tracker_id").read_text()
    assert len(list((tmp_path / "wandb").glob(f"offline-run-*-{id}/run-{id}.wandb"))) >= 1
  elif name == "mlflow":
    import mlflow

    client = mlflow.MlflowClient(settings["uri"])
    number = client.get_experiment_by_name("rarebird").experiment_id
    (run,) = client.search_runs([number])
    assert run.data.params == {"env": "catch", "agent.learning_rate": "0.5"}
    history = client.get_metric_history(run.info.run_id, "seed0/loss")
    assert [(m.step, m.value) for m in history] == [(10, 0.5), (20, 0.125)]
    assert run.info.status == "FINISHED"
  else:
    files = (tmp_path / "trackio").glob("*.db*")
    assert any(b"seed0/loss" in path.read_bytes() for path in files)
