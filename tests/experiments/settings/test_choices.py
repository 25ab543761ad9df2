"""A method and its settings in one word."""

import pytest

from agents import bonuses
from agents.bonuses.rnd import RNDConfig
from experiments.settings import choices
from experiments.settings.errors import UserError


def test_a_word_is_a_name_and_its_settings():
  assert choices.split("deep_sea", "--envs") == ("deep_sea", ())
  assert choices.split("a/b?x=1&y=[1,2]", "--envs") == ("a/b", ("x=1", "y=[1,2]"))
  with pytest.raises(UserError, match=r"--envs 'a\?x=1&': write name\?setting=value&setting=value"):
    choices.split("a?x=1&", "--envs")


def test_a_method_carries_its_settings_there_and_back():
  choice = choices.parse(bonuses.registry, "rnd?size=8&share=0.5", "--bonuses")
  assert (choice.name, choice.settings) == ("rnd", RNDConfig(size=8, share=0.5))
  assert choices.word(choice) == "rnd?size=8&share=0.5"
  assert choices.word(bonuses.registry.choice("none")) == "none"


@pytest.mark.parametrize(
  ("word", "message"),
  [
    ("rdn?size=8", "did you mean rnd"),
    ("rnd?sise=8", r"bonus 'rnd' has no setting 'sise'; did you mean size\?"),
    ("rnd?share=2", r"share is 2.0; it must lie in \(0, 1\]"),
    ("rnd?size=8&size=9", "size is given twice"),
    ("rnd?size=x", "--bonuses 'rnd\\?size=x': size: 'x' is no whole number"),
    ("none?size=8", "bonus 'none' has no setting 'size'; it has: none"),
  ],
)
def test_a_wrong_word_is_told(word, message):
  with pytest.raises(UserError, match=message):
    choices.parse(bonuses.registry, word, "--bonuses")


def test_settings_of_environments_are_literals_truths_or_words():
  pairs = ("a=true", "b=False", "c=1e-2", "d=rare", "e='true'")
  read = choices.literals(pairs, "--env-args")
  assert read == {"a": True, "b": False, "c": 0.01, "d": "rare", "e": "true"}
