"""The registry: names, hints for wrong ones, and `module:Name`."""

import inspect
import sys

import pytest

from envs.own_modules import UnknownNameError
from envs.registry import Registry


@pytest.fixture
def registry():
  registry = Registry("fruit")
  registry.register("apple")(lambda: "an apple")
  registry.register("kiwi", summary="Green, mostly.")(lambda: "a kiwi")
  return registry


def test_a_registered_builder_is_found_and_returned_by_the_decorator(registry):
  @registry.register("plum")
  def plum():
    """A plum.

    More.
    """
    return "a plum"

  assert registry.get("plum") is plum
  assert registry.names() == ["apple", "kiwi", "plum"]


def test_iterating_gives_entries_by_name_with_their_first_line(registry):
  @registry.register("fig")
  def fig():
    """A fig.

    More.
    """

  assert [(e.name, e.summary) for e in registry] == [
    ("apple", ""),
    ("fig", "A fig."),
    ("kiwi", "Green, mostly."),
  ]


def test_a_name_taken_twice_is_an_error(registry):
  with pytest.raises(ValueError, match="fruit 'apple' is registered already"):
    registry.register("apple")(lambda: None)


def test_an_unknown_name_hints_at_the_nearest(registry):
  with pytest.raises(UnknownNameError, match=r"unknown fruit 'aple': did you mean apple\?"):
    registry.get("aple")


def test_a_name_like_no_other_lists_what_is_known(registry):
  with pytest.raises(UnknownNameError, match="known: apple, kiwi"):
    registry.get("zzzzz")


def test_module_and_name_are_imported_from_the_working_directory(registry, tmp_path, monkeypatch):
  (tmp_path / "orchard_of_a_user.py").write_text("class Quince:\n  pass\n")
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, "path", list(sys.path))
  monkeypatch.delitem(sys.modules, "orchard_of_a_user", raising=False)
  assert registry.get("orchard_of_a_user:Quince").__name__ == "Quince"
  with pytest.raises(UnknownNameError, match=r"has no 'Quinc'; did you mean Quince\?"):
    registry.get("orchard_of_a_user:Quinc")
  with pytest.raises(UnknownNameError, match=r"has no 'Zzz'\.$"):
    registry.get("orchard_of_a_user:Zzz")


def test_a_module_that_cannot_be_imported_is_named(registry):
  with pytest.raises(UnknownNameError, match="cannot import module 'no_such_module_at_all'"):
    registry.get("no_such_module_at_all:Name")


def test_a_family_answers_to_all_names_with_its_prefix(registry):
  @registry.family("berry/", "colour", lambda: ["blue", "black"])
  def berry(colour, *, ripe=True):
    """A berry."""
    return colour, ripe

  assert registry.get("berry/blue")(ripe=False) == ("blue", False)
  assert list(inspect.signature(registry.get("berry/blue")).parameters) == ["ripe"]
  assert [(e.name, e.summary) for e in registry][1] == ("berry/<colour>", "A berry.")
  with pytest.raises(UnknownNameError, match="did you mean berry/blue or berry/black"):
    registry.get("berry/blau")
  with pytest.raises(UnknownNameError, match="did you mean berry/<colour>"):
    registry.get("bery/")


def test_a_family_whose_library_is_missing_leaves_the_error_to_its_builder(registry):
  def names():
    raise ImportError

  registry.family("nut/", "kind", names)(lambda kind: kind)
  assert registry.get("nut/any")() == "any"


def test_what_a_user_names_is_taken(tmp_path, monkeypatch):
  (tmp_path / "garden_of_a_user.py").write_text("Quince = 3\n")
  monkeypatch.syspath_prepend(str(tmp_path))
  assert Registry("fruit").get("garden_of_a_user:Quince") == 3


@pytest.fixture
def here(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, "path", list(sys.path))
  (tmp_path / "shed_of_a_user.py").write_text("import no_such_library\nclass Rake:\n  pass\n")


def test_a_failed_import_in_a_module_of_the_users_own_is_left_as_it_is(registry, here):
  with pytest.raises(ModuleNotFoundError, match=r"^No module named 'no_such_library'$"):
    registry.get("shed_of_a_user:Rake")


@pytest.mark.parametrize(
  ("name", "words"),
  [
    ("shed_of_a_user.py:Rake", r"did you mean shed_of_a_user:Rake\?"),
    ("./shed_of_a_user:Rake", r"did you mean shed_of_a_user:Rake\?"),
    ("garden/shed.py:Rake", r"did you mean garden\.shed:Rake\?"),
    ("../shed:Rake", "name its folder in PYTHONPATH"),
    ("shed_of_a_user", r"shed_of_a_user\.py lies here: write shed_of_a_user:NAME; it has Rake\."),
    ("shed_of_a_user.py", "write shed_of_a_user:NAME"),
    (":Rake", "write module:Name, both"),
    ("shed_of_a_user:", "write module:Name, both"),
  ],
)
def test_how_a_module_is_named_is_told(registry, here, name, words):
  with pytest.raises(UnknownNameError, match=words) as error:
    registry.get(name)
  assert str(error.value).startswith(f"fruit {name!r}: ")
