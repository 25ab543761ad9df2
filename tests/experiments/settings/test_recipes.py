"""Recipes: what they stand for, what is said of a wrong one, and their folders."""

import dataclasses

import pytest

from experiments.commands import train
from experiments.settings import reader, recipes
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import DEFAULT_AGENT, TrainConfig

RECIPE = """about = "a world"
train = "--env {env} --steps 100 --bonus rnd"
found = "by hand"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """Recipes `here` and `there`, for two environments."""
  monkeypatch.setattr(recipes, "FOLDER", tmp_path)
  for name, env in (("here", "deep_sea"), ("there", "catch")):
    (tmp_path / f"{name}.toml").write_text(RECIPE.format(env=env))
  return tmp_path


def config_of(*arguments):
  return train.read(arguments, "").args[0]


@pytest.mark.parametrize("name", recipes.names())
def test_each_recipe_is_a_run_that_can_be_built_and_says_what_it_reached(name):
  recipe = recipes.load(name)
  words = recipes.expanded(["--recipe", name], DEFAULT_AGENT)
  config = reader.read("train", words, TrainConfig.of(recipe.agent(DEFAULT_AGENT)))
  assert config.recipe == name
  configs.build_environment(config)
  assert recipe.results or recipe.found.endswith("not run yet")
  for result in recipe.results:
    assert len(result.scores) == len(result.seeds)
    assert result.steps >= config.steps or result.note


def test_flags_beside_a_recipe_go_before_its_own(folder):
  config = config_of("--steps", "7", "--recipe", "here", "--bonus.size", "32")
  assert (config.env, config.steps, config.agent.bonus.name) == ("deep_sea", 7, "rnd")
  assert config.agent.bonus.settings.size == 32


def test_a_changed_recipe_and_other_flags_have_folders_of_their_own(folder):
  before = [config_of("--recipe", "here", *more).folder() for more in ((), ("--steps", "7"))]
  (folder / "here.toml").write_text(RECIPE.format(env="deep_sea").replace("100", "200"))
  assert len({*before, config_of("--recipe", "here").folder()}) == 3


def test_seeds_of_a_recipe_share_its_name():
  config = TrainConfig(recipe="here", seed=1)
  other = dataclasses.replace(config, seed=2)
  assert config.folder().removesuffix("1") == other.folder().removesuffix("2")


@pytest.mark.parametrize(
  ("arguments", "told"),
  [
    (("--recipe", "her"), "unknown recipe 'her': did you mean here or there?"),
    (("--recipe", "zzz"), "unknown recipe 'zzz': see rarebird list recipes."),
    (("--recipe", "here", "--env", "catch"), "is for --env deep_sea; for catch there are there."),
    (("--recipe", "here", "--env", "none"), "is for --env deep_sea; there is none for none."),
    (("--recipe", "here", "--agent", "sac"), "is for --agent byol_explore; there is none for sac."),
  ],
)
def test_a_recipe_that_does_not_fit_names_those_that_do(folder, arguments, told):
  with pytest.raises(UserError, match=told.replace("?", r"\?")):
    config_of(*arguments)
