"""Stopping where it is solved, going on from lines, and suites of comparisons."""

import base64
import dataclasses
import io
import json
import shutil

import pytest
from PIL import Image
from rich.console import Console

from experiments.commands import compare as compare_command
from experiments.compare import comparison, data, films, plan, remaining, scores
from experiments.compare.meter import Meter
from experiments.compare.remaining import Foreseen
from experiments.compare.runner import Runner
from experiments.runs.run_folder import Folder
from experiments.settings import compare as compare_config
from experiments.settings import reader, suites
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import UserError
from tests.experiments.compare.test_compare import COST, Shared, compare
from tests.experiments.compare.test_worlds_of_recipes import TINY, read

FILES = ("curves.jsonl", "finals.jsonl", "instruments.jsonl")


class Solvable:
  """All that scores ask of an environment."""

  success_return = 0.5


def rows(*curves):
  return [
    {"seed": seed, "step": step, "episode/success": score}
    for seed, curve in enumerate(curves)
    for step, score in enumerate(curve)
  ]


@pytest.mark.parametrize(
  ("curve", "at"),
  [([0, 1, 1, 0.9], 1), ([1, 1, 0, 1, 1], None), ([1, 1, 1, 0], 0), ([0.89] * 5, None)],
)
def test_solved_from_the_first_of_three_points_in_a_row(curve, at):
  assert scores.solved_at(curve, list(range(len(curve))), Solvable()) == at


def test_a_cell_is_solved_when_every_seed_is_at_its_last_three_points():
  assert scores.is_solved(rows([0, 1, 1, 1], [1, 0.9, 0.8, 1]), Solvable())
  assert not scores.is_solved(rows([0, 1, 1, 1], [1, 1, 0.7, 1]), Solvable())
  assert not scores.is_solved(rows([1, 1], [1, 1]), Solvable())
  assert not scores.is_solved([], Solvable())


def test_a_world_that_is_added_is_described_beside_the_others(tmp_path):
  def described(*names):
    config = read("--envs", *names, "--steps", "400", "--no-tune", "--out", str(tmp_path))
    folder = Folder(tmp_path, config.to_json(), lambda: [], "comparison")
    worlds = plan.environments(config)
    runner, console = Runner(config), Console(quiet=True)
    comparison.Comparison(config, worlds, runner, folder, console)._write_maps()
    folder.close()
    return json.loads((tmp_path / "maps.json").read_text())

  before = described("catch")
  after = described("catch", "deep_sea?size=3")
  assert list(before) == ["catch"]
  assert after["catch"] == before["catch"]
  assert after["deep_sea?size=3"]["rows"] == 3


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
  """A comparison in which everything counts as solved."""
  out = tmp_path_factory.mktemp("stopped") / "compared"
  words = f"--envs catch --steps 600 --bonuses none rnd --no-tune --seeds 2 {TINY}"
  words += f" --curve-points 15 --stop-solved --eval-episodes 8 --out {out}"
  config = read(*words.split())
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(scores, "SOLVED", {"success": -1.0})
    assert compare(config) == 0
  return config, out


def test_a_solved_cell_stops_and_counts_on_as_it_ended(stopped):
  _, out = stopped
  for final in data.read(out, "finals.jsonl"):
    assert final["steps"] == 3 * 40
    assert final["solved_at"] == 40
    curve = [
      row["score"]
      for row in data.read(out, "curves.jsonl")
      if (row["variant"], row["seed"]) == (final["variant"], final["seed"])
    ]
    assert len(curve) == 3
    assert final["auc"] == pytest.approx((sum(curve) + 12 * curve[-1]) / 15)
    assert 0 <= final["score"] <= 1  # of an evaluation that was not due


def test_a_finished_cell_leaves_the_films_of_its_best_and_median_seed(stopped):
  _, out = stopped
  finals = data.read(out, "finals.jsonl")
  for variant in ("none", "rnd"):
    best, median = [row for row in data.read(out, "films.jsonl") if row["variant"] == variant]
    assert (best["which"], median["which"]) == ("best", "median")
    scores_of = {row["seed"]: row["score"] for row in finals if row["variant"] == variant}
    assert scores_of[best["seed"]] == max(scores_of.values())
    picture = Image.open(io.BytesIO(base64.b64decode(best["png"])))
    assert picture.format == "PNG"
    assert picture.height <= 96


@pytest.mark.parametrize(
  ("scores", "best", "median"),
  [([0.1, 0.9, 0.5], 1, 2), ([0.3, 0.7], 1, 1), ([0.4], 0, 0), ([0.2, 0.8, 0.6, 0.4], 1, 2)],
)
def test_the_seeds_that_are_filmed(scores, best, median):
  assert films.chosen(scores) == {"best": best, "median": median}


def test_a_comparison_goes_on_from_its_lines_alone(stopped, tmp_path, monkeypatch):
  config, out = stopped
  copy = tmp_path / "clone"
  copy.mkdir()
  for name in ("compare.json", "config.json", *FILES):
    shutil.copy(out / name, copy / name)
  for name in FILES:
    lines = (copy / name).read_text().splitlines(keepends=True)
    (copy / name).write_text("".join(line for line in lines if '"variant": "none"' in line))
  kept = {name: (copy / name).read_text() for name in FILES}
  trained = []
  run = Shared.run
  monkeypatch.setattr(
    Shared, "run", lambda self, cell, *a, **k: trained.append(cell) or run(self, cell, *a, **k)
  )
  monkeypatch.setattr(scores, "SOLVED", {"success": -1.0})
  assert compare(dataclasses.replace(config, out=str(copy))) == 0
  assert [cell.variant for cell in trained] == ["rnd"]
  for name in FILES:
    assert (copy / name).read_text().startswith(kept[name])
    assert data.cells(copy, name) == data.cells(out, name)


def finals(out):
  return [{k: v for k, v in r.items() if k not in COST} for r in data.read(out, "finals.jsonl")]


def test_a_cell_that_stopped_as_solved_is_measured_and_not_trained_on(
  stopped, tmp_path, monkeypatch
):
  config, out = stopped
  copy = shutil.copytree(out, tmp_path / "copy")
  (copy / "finals.jsonl").unlink()
  logs = {path: path.read_bytes() for path in copy.rglob("metrics.jsonl")}
  monkeypatch.setattr(scores, "SOLVED", {"success": -1.0})
  assert compare(dataclasses.replace(config, out=str(copy))) == 0
  assert {path: path.read_bytes() for path in logs} == logs
  assert finals(copy) == finals(out)


def test_a_cell_under_way_counts_the_points_from_before_it_was_stopped(
  stopped, tmp_path, monkeypatch
):
  config, out = stopped
  config = dataclasses.replace(config, out=str(tmp_path / "c"), bonuses=("none",))
  log = tmp_path / "c" / "runs" / "catch-none" / "metrics.jsonl"
  monkeypatch.setattr(scores, "SOLVED", {"success": -1.0})

  def two_points(self):
    return log.exists() and len(log.read_text().splitlines()) >= 4

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(comparison.Interrupted, "requested", two_points)
    assert compare(config) == 130
  assert compare(config) == 0
  (first, second) = finals(tmp_path / "c")
  assert (first["steps"], second["steps"]) == (120, 120)
  assert [first, second] == finals(out)[:2]


def test_the_time_of_a_cell_is_foreseen_from_its_first_timed_point():
  told, said = [], []
  foreseen = Foreseen(10, 3.0, lambda *args: told.append(args), said.append)
  foreseen.watch(2, 0.0)
  assert not foreseen.too_long
  assert not said
  foreseen.watch(3, 30.0)  # eight points more of half a minute each, this one among them
  foreseen.watch(4, 1000.0)
  assert said == [4.0]
  assert foreseen.too_long
  assert len(told) == 3
  unbounded = Foreseen(10, 0.0, lambda *args: None, said.append)
  unbounded.watch(1, 1e6)
  assert not unbounded.too_long


def test_a_cell_that_takes_too_long_is_left_out_and_goes_on_with_more_time(tmp_path):
  out, text = tmp_path / "compared", io.StringIO()
  words = f"--envs catch --steps 600 --bonuses none --no-tune --seeds 2 {TINY} --out {out}"
  config = read(*words.split(), "--curve-points", "15", "--eval-episodes", "8")
  short = dataclasses.replace(config, max_minutes=1e-9)
  assert compare(short, Console(file=text, width=200)) == 1
  assert "none in catch is left out: it would take about 0 minutes" in text.getvalue()
  assert "left out: none in catch, about 0 minutes" in text.getvalue()
  assert data.read(out, "finals.jsonl") == []
  assert compare(config) == 0
  assert len(data.read(out, "curves.jsonl")) == 2 * 15


def test_a_suite_is_its_parts_each_in_a_folder_of_its_own(tmp_path, monkeypatch):
  monkeypatch.setattr(suites, "FOLDER", tmp_path)
  (tmp_path / "both.toml").write_text(
    'about = "a"\n[[part]]\nname = "x"\nflags = "--seeds 2"\n[[part]]\nname = "y"\nflags = ""\n'
  )
  first, second = suites.expanded(["--suite", "both", "--seeds", "1", "--out", "o"])
  configs = [
    reader.read("compare", words, CompareConfig.of("byol_explore")) for words in (first, second)
  ]
  assert [(c.out, c.seeds, c.suite) for c in configs] == [("o/x", 1, ""), ("o/y", 1, "")]
  assert suites.expanded(["--seeds", "1"]) == [["--seeds", "1"]]
  (words,) = suites.expanded(["--suite", "both", "--parts", "y", "--seeds", "1"])
  config = reader.read("compare", words, CompareConfig.of("byol_explore"))
  assert (config.out, config.parts, config.seeds) == ("suites/both/y", (), 1)
  with pytest.raises(UserError, match=r"unknown part of suite both 'z': it has x, y\."):
    suites.expanded(["--suite", "both", "--parts", "z"])
  with pytest.raises(UserError, match=r"unknown suite .bth.: did you mean both"):
    suites.expanded(["--suite", "bth"])


def test_a_part_that_cannot_be_is_told_before_the_first_is_run(tmp_path, monkeypatch):
  monkeypatch.setattr(suites, "FOLDER", tmp_path)
  (tmp_path / "both.toml").write_text(
    'about = "a"\n[[part]]\nname = "x"\nflags = ""\n[[part]]\nname = "y"\nflags = "--seeds 0"\n'
  )
  with pytest.raises(UserError, match="--seeds is 0"):
    compare_command.read(["--suite", "both"], "")


@pytest.mark.parametrize("name", suites.names())
def test_each_suite_can_be_put_together(name):
  for words in suites.expanded(["--suite", name]):
    config = compare_config.with_worlds(
      reader.read("compare", words, CompareConfig.of("byol_explore"))
    )
    compare_config.check(config)
    assert config.train_config(config.names[0], config.envs[0]).steps > 0


def test_the_first_interruption_ends_a_suite(monkeypatch):
  statuses, run = iter([1, compare_command.INTERRUPTED, 0]), []
  monkeypatch.setattr(
    compare_command, "run", lambda config, console: run.append(config) or next(statuses)
  )
  assert compare_command.run_all(["a", "b", "c"], None) == compare_command.INTERRUPTED
  assert run == ["a", "b"]


@pytest.mark.parametrize("minutes", [0.0, 1e-9])
def test_what_is_solved_or_left_out_is_no_longer_to_be_done(
  stopped, tmp_path, monkeypatch, minutes
):
  config = dataclasses.replace(stopped[0], out=str(tmp_path / "c"), max_minutes=minutes)
  shares = []
  show = Meter.show

  def shown(self, part):
    shares.append(remaining.share(self._parts))
    show(self, part)

  monkeypatch.setattr(Meter, "show", shown)
  monkeypatch.setattr(scores, "SOLVED", {"success": -1.0})
  assert compare(config) == (1 if minutes else 0)
  assert shares[-1] == 1.0
