"""Flags of the command line, and the settings of what is chosen under it."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from agents import bonuses, objectives
from agents.bonuses.rnd import RNDConfig
from experiments.settings import flags, reader, stored
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig


def read(*words):
  return reader.read("train", words, TrainConfig.of("byol_explore"))


def test_flags_set_fields_wherever_they_lie():
  config = read(
    "--env", "catch", "--env_args", "a=1", "b=2", "--steps=5", "--no-share-encoder",
    "--latent-size", "8", "--discount", "0.5", "--runtime", "on_device",
  )  # fmt: skip
  assert (config.env, config.env_args, config.steps) == ("catch", ("a=1", "b=2"), 5)
  assert (config.runtime, config.agent.share_encoder) == ("on_device", False)
  assert (config.agent.world_model.latent_size, config.agent.returns.discount) == (8, 0.5)


def test_nothing_given_leaves_the_defaults():
  assert read() == TrainConfig.of("byol_explore")


def test_a_choice_brings_settings_of_its_own():
  config = read(
    "--bonus", "rnd", "--bonus.size", "256", "--objective", "ppo", "--objective.clip=.2"
  )
  assert config.agent.bonus == bonuses.registry.choice("rnd", size=256)
  assert config.agent.objective == objectives.registry.choice("ppo", clip=0.2)


def test_a_choice_in_one_word_may_be_changed_by_flags():
  config = read("--bonus", "rnd?size=9&share=0.5", "--bonus.size", "7")
  assert config.agent.bonus.settings == RNDConfig(size=7, share=0.5)


def test_an_agents_own_settings_of_its_choice_are_kept():
  config = reader.read("train", ["--objective", "sac"], TrainConfig.of("sac"))
  assert config.agent.objective.settings.temperature == 0.1
  other = reader.read("train", ["--objective", "vmpo"], TrainConfig.of("sac"))
  assert other.agent.objective == objectives.registry.choice("vmpo")


@pytest.mark.parametrize("value", ["-1e-3", "-2", "-.5"])
def test_negative_numbers_are_values(value):
  config = reader.read("train", ["--objective.entropy-target", value], TrainConfig.of("sac"))
  assert config.agent.objective.settings.entropy_target == float(value)


@pytest.mark.parametrize(
  ("words", "message"),
  [
    ("--latent-sice 8", r"there is no --latent-sice; did you mean --latent-size\?"),
    (
      "--bonus.share 1",
      "--bonus.share belongs to rnd, and --bonus is byol_explore; give --bonus rnd",
    ),
    ("--bonus.size 1", "--bonus.size belongs to .*ngu.*rnd.*; give --bonus with one of them"),
    ("--rnd-size 1", "there is no --rnd-size; rnd has it: give --bonus rnd --bonus.size"),
    ("--bonus rnd --rnd-size 1", "rnd has it: give --bonus.size"),
    ("--adam-epsilon 1", "adam has it: give --optimiser.epsilon"),
    ("--objective ppo --clip 1", "ppo has it: give --objective.clip"),
    ("--bonus rnd --bonus.sice 1", r"did you mean --bonus.size\?"),
    ("--objective ppo --objective.no-clip-valu", r"did you mean --objective.no-clip-value\?"),
    ("--zzzzzz 1", "there is no --zzzzzz; see rarebird train --help all"),
    ("catch", "'catch' is not expected here"),
    ("--steps", "--steps: expected one argument"),
    ("--steps 1.5", "--steps: '1.5' is no whole number"),
    ("--discount x", "--discount: 'x' is no number"),
    ("--runtime on_devise", r"is none of auto, .*; did you mean on_device\?"),
    ("--bonus rnd --bonus.share 2", r"^rnd: share is 2.0; it must lie in \(0, 1\]"),
    ("--horizon 0", "horizon is 0"),
    ("--bonus rmd", "did you mean rnd"),
  ],
)
def test_what_is_wrong_is_told_in_one_line(words, message):
  with pytest.raises(UserError, match=message) as error:
    read(*words.split())
  assert "\n" not in str(error.value)


def test_what_is_needed_is_told():
  @dataclasses.dataclass(frozen=True)
  class Config:
    run: str = flags.positional()
    name: str = "x"

  with pytest.raises(UserError, match=r"^RUN is needed"):
    reader.read("look", [], Config(flags.REQUIRED))
  assert reader.read("look", ["here", "--name", "y"], Config(flags.REQUIRED)) == Config("here", "y")


def test_what_is_given_without_a_name_may_be_left_out():
  @dataclasses.dataclass(frozen=True)
  class Config:
    run: Path | None = flags.positional(None)

  assert reader.read("look", [], Config()) == Config()
  assert reader.read("look", ["here"], Config()) == Config(Path("here"))


def test_help_shows_what_is_chosen_and_on_demand_the_rest(capsys):
  for words, others in ((["--help"], False), (["--help", "all"], True)):
    with pytest.raises(SystemExit) as end:
      read("--bonus", "rnd", *words)
    told = capsys.readouterr().out
    assert end.value.code == 0
    assert "--bonus.share" in told
    assert "Outputs of the random network" in told
    assert ("--bonus.neighbours" in told) == others
    assert ("--objective.clip-value" in told) == others


def test_a_config_is_read_back_from_its_words():
  config = read("--bonus", "rnd", "--bonus.size", "5", "--objective", "ppo", "--no-clip-at-mean")
  words = flags.words(config, TrainConfig.of("byol_explore"))
  assert words == [
    "--bonus", "rnd", "--objective", "ppo", "--bonus.size", "5", "--no-clip-at-mean",
  ]  # fmt: skip
  assert read(*words) == config


def test_a_config_is_read_back_from_json():
  config = read("--agent", "byol_explore", "--bonus", "rnd", "--bonus.size", "5")
  text = configs.to_json(config)
  assert json.loads(text)["agent"]["bonus"] == {
    "name": "rnd", "settings": {"size": 5, "share": 1.0},
  }  # fmt: skip
  assert configs.from_json(text) == config


def test_a_config_of_another_version_is_refused():
  values = json.loads(configs.to_json(TrainConfig()))
  with pytest.raises(stored.OtherFormatError, match="a newer Rarebird"):
    configs.from_json(json.dumps(values | {"format": 99}))
  del values["format"]
  with pytest.raises(stored.OtherFormatError, match=r"made by Rarebird 0\.1"):
    configs.from_json(json.dumps(values))


MINE = '''
"""A bonus of a user's own."""
import dataclasses

from agents.bonuses import registry
from agents.bonuses import none


@dataclasses.dataclass(frozen=True)
class MineConfig:
  """Mine."""

  depth: int = 3
  """How deep."""


@registry.register("bonus_of_a_test", MineConfig)
def build(settings, context):
  """Nothing."""
  return none.build(None, context)
'''


def test_a_users_own_method_has_flags_in_the_same_way(tmp_path, monkeypatch):
  (tmp_path / "mine_of_a_test.py").write_text(MINE)
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, "path", list(sys.path))
  config = read("--bonus", "mine_of_a_test:build", "--bonus.depth", "7")
  assert config.agent.bonus.name == "mine_of_a_test:build"
  assert config.agent.bonus.settings.depth == 7
  assert configs.from_json(configs.to_json(config)) == config
  with pytest.raises(UserError, match=r"did you mean --bonus.depth\?"):
    read("--bonus", "mine_of_a_test:build", "--bonus.depht", "7")
