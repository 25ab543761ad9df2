"""Recipes as worlds of a comparison, stopping where it is solved, going on from lines, suites."""

import base64
import dataclasses
import io
import json
import shlex
import shutil

import pytest
from PIL import Image
from rich.console import Console

from experiments.commands import compare as compare_command
from experiments.compare import command_line, comparison, data, films, plan, remaining, scores
from experiments.compare.meter import Meter
from experiments.compare.remaining import Foreseen
from experiments.compare.runner import Runner
from experiments.runs.run_folder import Folder
from experiments.settings import compare as compare_config
from experiments.settings import reader, recipes, suites
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import UserError
from tests.experiments.compare.test_compare import COST, Shared, compare

TINY = "--batch-size 8 --unroll-length 5 --head-hidden 8 --latent-size 8 --core-size 8 --horizon 2"
FILES = ("curves.jsonl", "finals.jsonl", "instruments.jsonl")
RECIPES = {
  "sea": f"--env deep_sea --env-args size=3 --steps 600 --bonus-weight 2 {TINY}",
  "tenth": f"--env catch --steps 400 --learning-rate 1e-3 {TINY}",
  "sea_again": f"--env deep_sea --env-args size=3 --steps 900 {TINY}",
  "far": "--agent soft_q --env catch",
  "host": "--env gym:CartPole-v1",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.setattr(recipes, "FOLDER", tmp_path)
  for name, words in RECIPES.items():
    text = f'about = "a"\nfound = "b"\ntrain = """{words}"""\n'
    (tmp_path / f"{name}.toml").write_text(text)
  return tmp_path


def read(*words):
  config = reader.read("compare", words, CompareConfig.of("byol_explore"))
  return compare_config.with_worlds(config)


def test_each_recipe_is_a_world_with_its_own_steps_and_settings(folder):
  config = read("--recipes", "sea", "tenth", "--bonuses", "none", "rnd", "--seeds", "2")
  assert config.envs == ("deep_sea?size=3", "catch")
  sea, catch = (config.train_config("rnd", env) for env in config.envs)
  assert (sea.steps, catch.steps) == (600, 400)
  assert (sea.agent.learning_rate, catch.agent.learning_rate) == (5e-4, 1e-3)
  assert sea.agent.bonus.name == "rnd"
  assert sea.agent.payment.bonus_weight == 2
  assert config.rows(sea) == 15
  assert config.steps_per_row(sea) == 40
  assert "learning_rate" not in config.flat_agent()


def test_steps_and_auxiliary_losses_given_beside_recipes_are_those_of_all_worlds(folder):
  config = read("--recipes", "sea", "tenth", "--steps", "900", "--auxiliary", "vicreg")
  runs = [config.train_config("none", env) for env in config.envs]
  assert [run.steps for run in runs] == [900, 900]
  assert [[a.name for a in run.agent.auxiliary] for run in runs] == [["vicreg"], ["vicreg"]]


def test_where_nothing_is_named_recipes_are_compared_for_a_million_steps():
  config = read()
  assert config.recipes == compare_config.RECIPES
  assert {config.train_config("rnd", env).steps for env in config.envs} == {1_000_000}
  assert {config.train_config("rnd", env).agent.objective.name for env in config.envs} == {"ppo"}


@pytest.mark.parametrize(
  "words",
  [
    ("--objective", "ppo"),
    ("--learning-rate", "1e-3"),
    ("--vary", "agent", "byol_explore", "soft_q"),
  ],
)
def test_an_agent_of_the_users_own_goes_to_the_same_worlds_without_recipes(words):
  config = read(*words)
  assert not config.recipes
  assert (config.envs, config.steps) == (read().envs, 1_000_000)


@pytest.mark.parametrize(
  "words",
  [
    (),
    ("--bonuses", "none", "rnd"),
    ("--recipes", "nine_rooms"),
    ("--recipes", "nine_rooms", "--steps", "900"),
    ("--envs", "catch"),
    ("--objective", "ppo"),
  ],
)
def test_the_command_that_is_kept_gives_the_comparison_again(words):
  config = read(*words)
  again = command_line.command("compare", compare_config.as_given(config))
  assert read(*shlex.split(again)[2:]) == config


def test_weights_are_tried_of_all_bonuses_but_a_recipes_own(folder):
  config = read("--recipes", "sea", "tenth", "--bonuses", "none", "byol_explore", "rnd")
  envs = plan.environments(config)
  tuned = plan.tuned(config, envs, plan.cells(config, envs))
  assert [(cell.variant, cell.env) for cell in tuned] == [("rnd", env) for env in config.envs]
  assert not plan.tuned(dataclasses.replace(config, tune=False), envs, plan.cells(config, envs))


def test_the_weight_chosen_in_a_recipe_is_for_it_alone(folder, tmp_path):
  words = ("--recipes", "sea", "tenth", "--bonuses", "byol_explore", "rnd", "--seeds", "1")
  config = read(*words, "--weights", "0.1", "1", "--out", str(tmp_path / "out"))
  kept = Folder(tmp_path / "out", config.to_json(), list, "comparison")
  try:
    envs = plan.environments(config)
    under_way = comparison.Comparison(config, envs, Runner(config), kept, Console())
    sea, catch = (plan.Cell("rnd", env) for env in config.envs)
    for cell, best in ((sea, 0.1), (catch, 1.0)):
      rows = [{"weight": w, "seed": 1000, "score": float(w == best)} for w in (0.1, 1.0)]
      data.replace(kept.path, "tuning.jsonl", cell, rows)
    weights = [under_way._weight(cell) for cell in (sea, catch, plan.Cell("byol_explore", sea.env))]
  finally:
    kept.close()
  assert weights == [0.1, 1.0, 2.0]


def test_a_single_bonus_has_a_weight_of_its_own(folder):
  words = ("--no-tune", "--recipes", "sea", "--bonuses", "rnd", "icm", "--bonus-weights")
  config = read(*words, "rnd=0.5")
  weights = [
    config.train_config(name, "deep_sea?size=3").agent.payment.bonus_weight
    for name in config.bonuses
  ]
  assert weights == [0.5, 2]


@pytest.mark.parametrize(
  ("words", "message"),
  [
    ("rnd --bonus-weights ngu=0.5 --no-tune", "ngu is not compared; there are rnd."),
    ("rnd --bonus-weights rnd --no-tune", "'rnd': write name=number"),
    ("rnd --bonus-weights rnd=nan --no-tune", "'rnd=nan': write name=number, the number above 0"),
    ("rnd --bonus-weights rnd=-1 --no-tune", "above 0"),
    ("rnd --bonus-weights rnd=1 rnd=2 --no-tune", "rnd is given twice"),
    ("rnd --bonus-weights rnd=1", "give --no-tune"),
    ("rnd --max-minutes -1", "--max-minutes is -1.0; give 0"),
    ("rnd --max-minutes nan", "--max-minutes is nan; give 0"),
    ("rnd --parts x", "--parts are of a suite"),
  ],
)
def test_a_weight_a_limit_and_a_part_that_cannot_be_are_told(words, message):
  with pytest.raises(UserError, match=message):
    compare_config.check(read("--bonuses", *words.split()))


def test_weights_are_of_variants_with_settings_and_of_all_that_there_are():
  words = ("--no-tune", "--bonuses", "rnd?size=8", "--bonus-weights", "rnd?size=8=0.5")
  config = read(*words)
  assert config.given_weights() == {"rnd?size=8": 0.5}
  assert read("--no-tune", "--bonuses", "all", "--bonus-weights", "rnd=2").given_weights() == {
    "rnd": 2.0
  }


def test_a_recipe_of_the_host_is_told_to_be_trained_by_itself(folder):
  with pytest.raises(UserError, match=r"gym:CartPole-v1.*runs on the host"):
    plan.environments(read("--recipes", "host"))


@pytest.mark.parametrize(
  ("words", "message"),
  [
    (["--recipes", "sea", "--envs", "catch"], "leave out --envs"),
    (["--recipes", "sea", "--learning-rate", "1"], "leave out the agent's settings"),
    (["--recipes", "sea", "sea_again"], "sea and sea_again are both of deep_sea.size=3"),
    (["--recipes", "sae"], "unknown recipe 'sae': did you mean sea"),
    (["--recipes", "far"], "recipe 'far' is for --agent soft_q; for byol_explore there are"),
  ],
)
def test_what_recipes_stand_in_for_is_refused_beside_them(folder, words, message):
  with pytest.raises(UserError, match=message):
    read(*words)


def test_a_changed_recipe_is_another_comparison(folder):
  config = read("--recipes", "sea")
  old = json.loads(config.to_json())
  assert compare_config.differences(old, config) == []
  path = folder / "sea.toml"
  path.write_text(path.read_text().replace("--bonus-weight 2", "--bonus-weight 3"))
  (difference,) = compare_config.differences(old, read("--recipes", "sea"))
  assert difference.startswith("worlds.deep_sea?size=3.agent.payment.bonus_weight was 2")


def test_worlds_and_bonuses_may_be_added_to_a_comparison_without_tuning(folder):
  old = json.loads(read("--recipes", "sea", "--bonuses", "none").to_json())
  more = read("--recipes", "sea", "tenth", "--bonuses", "none", "rnd")
  assert compare_config.differences(old, more) == []
  less = json.loads(more.to_json())
  assert compare_config.differences(less, read("--recipes", "sea", "--bonuses", "none"))
  tuned = json.loads(read("--envs", "catch").to_json())
  assert compare_config.differences(tuned, read("--envs", "catch", "deep_sea"))


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
