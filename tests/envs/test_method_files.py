"""Methods are found by their files, which are read but not imported."""

import importlib
import sys

import pytest

from envs import method_files
from envs.own_modules import UnknownNameError
from envs.registry import RegistrationError, Registry

FILES = {
  "__init__.py": "from orchard.contract import registry\n",
  "contract.py": '''
"""Fruits, by `@registry.register("fig")`."""
from envs.registry import Registry
registry = Registry("fruit", "orchard")
''',
  "apple.py": '''
"""Apples."""
import dataclasses
from orchard.contract import registry

@dataclasses.dataclass(frozen=True)
class AppleConfig:
  weight: int = 3

@registry.register("apple", AppleConfig, summary="round")
def build(settings, shop):
  return settings.weight, shop
''',
  "kiwi.py": '''
"""Kiwis."""
from orchard.contract import registry

@registry.register("kiwi")
class Kiwi:
  """Green, mostly.

  More.
  """
''',
}


@pytest.fixture
def orchard(tmp_path, monkeypatch):
  """Writes the package with more files, and gives its registry."""

  def write(**more):
    folder = tmp_path / "orchard"
    folder.mkdir()
    for name, text in (FILES | {f"{n}.py": text for n, text in more.items()}).items():
      (folder / name).write_text(text)
    return importlib.import_module("orchard").registry

  monkeypatch.syspath_prepend(str(tmp_path))
  monkeypatch.setattr(sys, "dont_write_bytecode", True)
  yield write
  for name in [n for n in sys.modules if n.partition(".")[0] == "orchard"]:
    del sys.modules[name]


def test_names_and_summaries_are_read_without_importing(orchard):
  registry = orchard()
  assert [(line.name, line.summary) for line in registry] == [
    ("apple", "round"),
    ("kiwi", "Green, mostly."),
  ]
  assert registry.names() == ["apple", "kiwi"]
  assert "orchard.apple" not in sys.modules


def test_only_what_is_asked_for_is_imported(orchard):
  registry = orchard()
  assert registry.get("kiwi").__name__ == "Kiwi"
  assert "orchard.kiwi" in sys.modules
  assert "orchard.apple" not in sys.modules


def test_a_choice_holds_settings_and_is_built_with_them(orchard):
  registry = orchard()
  assert registry.build(registry.choice("apple", weight=5), "shop") == (5, "shop")
  assert registry.build(registry.choice("apple"), "shop") == (3, "shop")
  assert registry.choice("kiwi").settings is None
  with pytest.raises(
    ValueError, match=r"fruit 'apple' has no setting 'wieght'; did you mean weight"
  ):
    registry.choice("apple", wieght=5)


def test_settings_of_another_method_are_refused(orchard):
  registry = orchard()
  wrong = type(registry.choice("apple"))("apple", settings=3)
  with pytest.raises(ValueError, match="fruit 'apple' takes AppleConfig, not int"):
    registry.build(wrong, "shop")


OTHER = 'from orchard.contract import registry\nregistry.register("quince")(print)\n'


def test_a_file_that_registers_another_name_is_told_and_the_others_work(orchard):
  registry = orchard(pear=OTHER)
  line = r"pear\.py registers 'quince'; a file registers its own name alone, 'pear'"
  for name in ("pear", "quince"):
    with pytest.raises(RegistrationError, match=line) as error:
      registry.get(name)
    assert "\n" not in str(error.value)
  assert next(one.summary for one in registry if one.name == "pear").startswith("/")
  assert registry.names() == ["apple", "kiwi"]
  assert registry.get("kiwi")


def test_two_of_one_name_are_told(orchard):
  registry = orchard(pear=OTHER.replace("quince", "apple"))
  with pytest.raises(RegistrationError, match=r"pear\.py registers 'apple'"):
    registry.get("pear")
  assert registry.get("apple")


@pytest.mark.parametrize(
  ("text", "told"),
  [
    ('import no_such_library\nregistry.register("pear")(print)\n', "line 1, ModuleNotFoundError"),
    (
      'from orchard.contract import registry\nx = 1 / 0\nregistry.register("pear")\n',
      "line 2, Zero",
    ),
    ('registry.register("pear")(\n', r"pear\.py is no Python: .*, line 1"),
  ],
)
def test_a_file_that_does_not_import_is_told_and_the_others_work(orchard, text, told):
  registry = orchard(pear=text)
  with pytest.raises(RegistrationError, match=f"fruit 'pear': .*{told}") as error:
    registry.get("pear")
  assert "\n" not in str(error.value)
  assert registry.get("apple")


def test_a_users_own_may_not_take_a_name_of_ours(orchard):
  registry = orchard()
  with pytest.raises(RegistrationError, match="fruit 'kiwi' is one of ours"):
    registry.register("kiwi")(print)


def test_an_unknown_name_hints_at_one_that_was_not_imported(orchard):
  with pytest.raises(UnknownNameError, match=r"unknown fruit 'aple': did you mean apple\?"):
    orchard().get("aple")


def test_a_folder_below_and_several_names_a_file_where_that_is_so(tmp_path, monkeypatch):
  folder = tmp_path / "garden" / "bed"
  folder.mkdir(parents=True)
  text = (
    '"""Herbs."""\nfrom envs.registry import Registry\nregistry = Registry("herb")\n'
    'registry.register("mint", summary="cool")(print)\nregistry.register("sage")(print)\n'
    'registry.family("wild/", "kind")(print)\n'
  )
  (folder / "herbs.py").write_text(text)
  (folder / "more.py").write_text('registry.register("mint")(print)\n')
  monkeypatch.syspath_prepend(str(tmp_path))
  lines = method_files.read("garden", several=True).listed
  assert [(line.name, line.summary, line.prefix) for line in lines] == [
    ("mint", "cool", ""),
    ("mint", "", ""),
    ("sage", "Herbs.", ""),
    ("wild/<kind>", "Herbs.", "wild/"),
  ]
  with pytest.raises(RegistrationError, match=r"registered by both .*herbs\.py and .*more\.py"):
    Registry("herb", "garden", several=True).get("mint")
