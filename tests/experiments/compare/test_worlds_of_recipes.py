"""Recipes as worlds of a comparison, and the weights of bonuses there."""

import dataclasses
import json
import shlex

import pytest
from rich.console import Console

from experiments.compare import command_line, comparison, data, plan
from experiments.compare.runner import Runner
from experiments.runs.run_folder import Folder
from experiments.settings import compare as compare_config
from experiments.settings import reader, recipes
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import UserError

TINY = "--batch-size 8 --unroll-length 5 --head-hidden 8 --latent-size 8 --core-size 8 --horizon 2"
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
