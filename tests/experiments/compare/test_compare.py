"""Whole comparisons: their data, resuming, and that a cell is what `rarebird train` makes."""

import dataclasses
import io
import itertools
import json
import shlex
import signal

import pytest
from rich.console import Console

from agents.bonuses.payment import PaymentConfig
from agents.byol_explore import ByolExploreConfig
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from experiments.commands import compare as compare_command
from experiments.commands import report as report_command
from experiments.compare import command_line, comparison, data, tuning
from experiments.compare.runner import Runner
from experiments.runs import experiment as train
from experiments.runtimes import on_device_loop
from experiments.settings import reader
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig
from tests.experiments.command_line import start, wait_for_lines

COST = ("seconds", "compile_seconds", "memory_bytes", "steps_per_second")
FILES = ("tuning.jsonl", "curves.jsonl", "finals.jsonl", "instruments.jsonl")


class Shared(Runner):
  """Keeps what it has built for the next comparison, so that the tests compile it once."""

  built: dict = {}  # noqa: RUF012 - shared on purpose

  def __init__(self, config):
    super().__init__(config)
    self._built = self.built

  def forget(self, cell):
    pass


def compare(config, console=None):
  """Runs a comparison here, without a page where there is no console; returns the exit status."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(compare_command, "Runner", Shared)
    if console is None:
      patch.setattr(report_command, "run", lambda folder, console: 0)
      console = Console(quiet=True)
    return compare_command.run(config, console)


def rows_of(folder, name):
  return [
    {k: v for k, v in row.items() if k not in COST} for row in data.read(folder / "compared", name)
  ]


@pytest.fixture(scope="module")
def settings():
  agent = ByolExploreConfig(
    batch_size=8,
    unroll_length=5,
    head_hidden=8,
    world_model=WorldModelConfig(
      torso=torsos.registry.choice("linear"),
      latent_size=8,
      core_size=8,
      predictor_hidden=8,
      horizon=2,
    ),
  )
  return CompareConfig(
    bonuses=("none", "byol_explore"),
    envs=("deep_sea?size=4",),
    steps=6 * 5 * 40,
    seeds=2,
    weights=(0.5, 0.01),
    curve_points=6,
    tuning_share=0.5,
    checkpoint_rows=2,
    eval_episodes=8,
    agent=agent,
  )


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory):
  """A comparison that nothing interrupts, and how many programs it compiled."""
  folder, compiled = tmp_path_factory.mktemp("whole"), []
  real = on_device_loop.compile_ahead

  def counted(*args):
    compiled.append(args)
    return real(*args)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(on_device_loop, "compile_ahead", counted)
    status = compare(dataclasses.replace(settings, out=str(folder / "compared")))
  assert status == 0
  return folder, len(compiled)


def test_a_cell_is_compiled_once_for_tuning_and_comparison(whole):
  assert whole[1] == 2


def test_rows_have_the_keys_of_the_contract(whole):
  folder, _ = whole
  (tuned, *_), (curve, *_), (final, *_), (instrument, *_) = (rows_of(folder, f) for f in FILES)
  assert set(tuned) == {"variant", "env", "weight", "seed", "score"}
  assert set(curve) >= {"variant", "env", "seed", "step", "score", "episode/return", "coverage"}
  assert set(final) == {
    "variant", "env", "seed", "score", "return", "success", "auc", "coverage", "visits",
    "first_visit", "command", "steps", "solved_at",
  }  # fmt: skip
  assert set(data.read(folder / "compared", "finals.jsonl")[0]) == {*final, *COST}
  assert set(instrument) == {
    "variant", "env", "seed", "trajectory", "near_noise", "bonus_familiar", "bonus_novel",
    "discovery_loss",
  }  # fmt: skip
  assert set(instrument["trajectory"]) == {"place", "bonus", "real", "first", "near_noise"}
  settings = json.loads((folder / "compared" / "compare.json").read_text())
  assert set(settings) == {
    "vary", "baseline", "variants", "envs", "cells", "seeds", "steps", "steps_in", "machine",
    "versions", "command", "agent", "weights", "revisiting",
  }  # fmt: skip
  assert settings["cells"] == [
    {"variant": bonus, "env": "deep_sea?size=4"} for bonus in ("none", "byol_explore")
  ]
  (world,) = json.loads((folder / "compared" / "maps.json").read_text()).values()
  assert set(world) == {"rows", "columns", "reachable", "rooms", "reference", "metric"}


def test_every_seed_of_every_cell_has_its_rows(whole):
  folder, _ = whole
  finals = [(row["variant"], row["seed"]) for row in rows_of(folder, "finals.jsonl")]
  assert finals == [("none", 0), ("none", 1), ("byol_explore", 0), ("byol_explore", 1)]
  steps = [
    row["step"]
    for row in rows_of(folder, "curves.jsonl")
    if (row["variant"], row["seed"]) == ("none", 1)
  ]
  assert steps == [200 * (i + 1) for i in range(6)]
  assert all(sum(row["visits"]) == 1200 for row in rows_of(folder, "finals.jsonl"))


def test_weights_come_from_seeds_that_are_not_compared(whole):
  folder, _ = whole
  trials = rows_of(folder, "tuning.jsonl")
  assert [(t["variant"], t["weight"], t["seed"]) for t in trials] == [
    ("byol_explore", 0.5, 1000),
    ("byol_explore", 0.01, 1000),
  ]
  found = json.loads((folder / "compared" / "compare.json").read_text())["weights"]
  assert found == tuning.choose(trials, (0.5, 0.01), PaymentConfig().bonus_weight)


def experiment_of(command, **changes):
  words = shlex.split(command)
  assert words[:2] == ["rarebird", "train"]
  config = reader.read("train", words[2:], TrainConfig())
  return train.build(dataclasses.replace(config, **changes))


def last_rows(experiment):
  *_, last = experiment.loop.train(experiment.loop.init(), lambda: False)
  return [{k: v for k, v in row.items() if k != "steps_per_second"} for row in last.rows]


def test_the_command_of_a_cell_makes_the_same_bits(whole):
  folder, _ = whole
  finals = [row for row in rows_of(folder, "finals.jsonl") if row["variant"] == "byol_explore"]
  made = last_rows(experiment_of(finals[0]["command"]))
  curves = [row for row in rows_of(folder, "curves.jsonl") if row["variant"] == "byol_explore"]
  for seed, row in enumerate(made):
    (own,) = (c for c in curves if c["seed"] == seed and c["step"] == 1200)
    row["bonus_paid"] = row.pop("bonus")
    assert {k: own[k] for k in row} == row
    assert finals[seed]["success"] == finals[seed]["score"] == row["eval/train/success"]


def test_a_trial_is_a_run_with_its_weight_and_seed(whole, settings):
  """Of the second slot, by itself in a program of its own, up to what vmap does to rounding."""
  folder, _ = whole
  config = settings.train_config("byol_explore", "deep_sea?size=4", 0.01)
  config = dataclasses.replace(config, seed=1000, seeds=1)
  experiment = train.build(config)
  steps = experiment.loop.train(experiment.loop.init(), lambda: False)
  rows = [row for step in itertools.islice(steps, 3) for row in step.rows]
  (log,) = (folder / "compared" / "runs" / "tuning").glob("*/metrics.jsonl")
  logged = [json.loads(line) for line in log.read_text().splitlines()]
  logged = [row for row in logged if row["seed"] == 1]
  assert len(rows) == len(logged) == 3
  assert [r["loss"] for r in rows] == pytest.approx([r["loss"] for r in logged], rel=1e-4)


def test_stopped_after_a_cell_it_goes_on_with_the_next(whole, settings, tmp_path):
  config = dataclasses.replace(settings, out=str(tmp_path / "compared"))

  def requested(self):
    return (tmp_path / "compared" / "finals.jsonl").exists()

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(comparison.Interrupted, "requested", requested)
    assert compare(config) == 130
  assert {row["variant"] for row in rows_of(tmp_path, "finals.jsonl")} == {"none"}
  first = (tmp_path / "compared" / "runs" / "deep_sea_size=4-none" / "metrics.jsonl").read_bytes()
  assert compare(config) == 0
  again = (tmp_path / "compared" / "runs" / "deep_sea_size=4-none" / "metrics.jsonl").read_bytes()
  assert again == first
  for name in FILES:
    assert rows_of(tmp_path, name) == rows_of(whole[0], name)


def test_killed_while_tuning_it_resumes_to_the_same_data(whole, settings, tmp_path):
  words = shlex.split(command_line.command("compare", settings))[1:]
  words += ["--no-films", "--out", str(tmp_path / "compared")]
  log = tmp_path / "compared/runs/tuning/deep_sea_size=4-byol_explore-0/metrics.jsonl"
  with start(*words, cwd=tmp_path) as run:
    wait_for_lines(log, 3)  # two points of a row for each seed make a checkpoint
    run.send_signal(signal.SIGKILL)
  assert not (tmp_path / "compared" / "finals.jsonl").exists()
  console = Console(width=80, file=io.StringIO())
  assert compare(reader.read("compare", words[1:], CompareConfig()), console) == 0
  shown = console.file.getvalue()
  assert "rarebird train --env deep_sea --env-args size=4" in shown
  assert max(len(line) for line in shown.splitlines() if "│" in line) <= 80
  for name in FILES:
    assert rows_of(tmp_path, name) == rows_of(whole[0], name)
  assert (tmp_path / "compared" / "report.html").exists()


def test_another_config_and_another_folder_are_refused_in_one_line(whole, settings, tmp_path):
  folder, _ = whole
  before = (folder / "compared" / "config.json").read_bytes()
  with pytest.raises(UserError, match=r"comparison of another config \(seed was 0, now 5\)"):
    compare(dataclasses.replace(settings, out=str(folder / "compared"), seed=5))
  assert (folder / "compared" / "config.json").read_bytes() == before
  (tmp_path / "letter.txt").touch()
  with pytest.raises(UserError, match="not empty and holds no comparison"):
    compare(dataclasses.replace(settings, out=str(tmp_path)))
