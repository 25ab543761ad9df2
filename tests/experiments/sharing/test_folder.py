"""Runs that are pushed and pulled: what is taken is what was handed on, and nothing else is."""

import dataclasses
import json
import os

import pytest

from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, to_json
from experiments.sharing import card, contents, folder

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.fixture
def run(tmp_path):
  """A run folder as a run leaves it, with arrays that are none."""
  path = tmp_path / "run"
  for name in ("checkpoints/7/state/d", "checkpoints/12/state/d", "checksums", "tensorboard"):
    (path / name).mkdir(parents=True)
  asked = {"kind": "run"} | json.loads(to_json(TrainConfig(env="catch", out=str(path))))
  files = {
    "config.json": json.dumps(asked),
    "metrics.jsonl": '{"seed": 0, "step": 1}\n',
    "results.json": '{"train": {"success": [0.5, 0.25, 0.75], "seeds": 1}}',
    "checkpoints/7/state/d/old": "old",
    "checkpoints/12/state/d/arrays": "arrays",
    "checksums/12.json": "{}",
    "tensorboard/events": "private",
    "errors.log": "private",
  }
  for name, text in files.items():
    (path / name).write_text(text)
  (path / "curves.png").write_bytes(PNG)
  return path


@pytest.fixture
def pushed(run, tmp_path):
  folder.push(run, tmp_path / "pushed", "Apache-2.0", "Some words.")
  return tmp_path / "pushed"


def names(path):
  return {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}


def manifest(pushed, **changes):
  """Writes the manifest anew, of what is there, with some files' entries changed."""
  files = [
    folder._described(pushed, p)
    for p in sorted(pushed.rglob("*"))
    if p.is_file() and p.name != contents.MANIFEST
  ]
  files = [f._replace(**changes.get(f.path, {})) for f in files]
  (pushed / contents.MANIFEST).write_bytes(contents.written_manifest(files))


def refuses(pushed, tmp_path, trust_code=False, most=10**6):
  """The one line with which a pull is refused; nothing is left behind."""
  before = set(os.listdir(tmp_path))
  with pytest.raises(UserError) as told:
    folder.pull(pushed, tmp_path / "pulled", most, trust_code)
  assert set(os.listdir(tmp_path)) == before
  assert "\n" not in str(told.value)
  return str(told.value)


def test_the_newest_checkpoint_the_scores_and_a_card_are_handed_on_and_no_more(pushed):
  assert names(pushed) == {
    *("config.json", "metrics.jsonl", "results.json", "curves.png", "README.md", "manifest.json"),
    *("checkpoints/12/state/d/arrays", "checksums/12.json"),
  }
  text = (pushed / "README.md").read_text()
  assert card.licence_of(text) == "apache-2.0"
  assert "Some words." in text
  assert "| train | success | 0.500 | 0.250 to 0.750 |" in text


def test_what_is_pulled_is_what_was_pushed(pushed, tmp_path):
  assert folder.pull(pushed, tmp_path / "pulled", 10**6, False) == "apache-2.0"
  assert names(tmp_path / "pulled") == names(pushed) - {"manifest.json"}
  for name in names(tmp_path / "pulled") - {"config.json"}:
    assert (tmp_path / "pulled" / name).read_bytes() == (pushed / name).read_bytes()
  asked = json.loads((tmp_path / "pulled/config.json").read_text())
  assert asked == json.loads((pushed / "config.json").read_text())
  assert asked["out"] == ""


def test_a_second_push_takes_the_place_of_the_first_and_of_nothing_else(run, pushed, tmp_path):
  (pushed / "stale").write_text("x")
  folder.push(run, pushed, "MIT", "")
  assert "stale" not in names(pushed)
  (tmp_path / "thesis").mkdir()
  (tmp_path / "thesis/chapter").write_text("x")
  with pytest.raises(UserError, match="holds something else"):
    folder.push(run, tmp_path / "thesis", "MIT", "")
  assert names(tmp_path / "thesis") == {"chapter"}


def test_a_card_without_a_licence_is_taken_and_told(pushed, tmp_path):
  (pushed / "README.md").write_text("# A run\n")
  manifest(pushed)
  assert folder.pull(pushed, tmp_path / "pulled", 10**6, False) == ""


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "", "./config.json"])
def test_a_path_that_leads_out_is_refused(pushed, tmp_path, path):
  manifest(pushed, **{"results.json": {"path": path}})
  assert "leads out of the folder" in refuses(pushed, tmp_path)


@pytest.mark.parametrize("path", ["C:evil", "a\\b", "a\nb"])
def test_a_path_that_is_one_on_other_systems_is_refused(path):
  assert contents.refused(path, True)


@pytest.mark.parametrize("place", ["results.json", "checkpoints/12/state/d/arrays", "checkpoints"])
def test_a_link_is_refused_wherever_it_leads(pushed, tmp_path, place):
  (tmp_path / "elsewhere").mkdir()
  there = pushed / place
  there.rename(tmp_path / "elsewhere/it")
  there.symlink_to(tmp_path / "elsewhere/it")
  assert "is a link" in refuses(pushed, tmp_path)


def test_a_special_file_is_refused(pushed, tmp_path):
  os.mkfifo(pushed / "checkpoints/12/pipe")
  assert "neither a file nor a folder" in refuses(pushed, tmp_path)


def test_too_many_bytes_are_refused_before_they_are_read(pushed, tmp_path):
  manifest(pushed, **{"curves.png": {"size": 10**15}})
  assert "--max-megabytes" in refuses(pushed, tmp_path)
  manifest(pushed)
  assert "--max-megabytes" in refuses(pushed, tmp_path, most=100)


def test_a_file_that_is_larger_or_other_than_told_is_refused(pushed, tmp_path):
  (pushed / "curves.png").write_bytes(PNG + b"1")
  assert "larger" in refuses(pushed, tmp_path)
  (pushed / "curves.png").write_bytes(PNG[:-1] + b"1")
  assert "not as the manifest says" in refuses(pushed, tmp_path)


@pytest.mark.parametrize("name", ["weights.pt", "notes", "checkpoints/notes", "sub/config.json"])
def test_an_unknown_format_is_refused(pushed, tmp_path, name):
  (pushed / name).parent.mkdir(exist_ok=True)
  (pushed / name).write_text("x")
  manifest(pushed)
  assert "of no format that a run has" in refuses(pushed, tmp_path, trust_code=True)


def test_a_file_that_no_manifest_names_or_that_is_not_there_is_refused(pushed, tmp_path):
  (pushed / "probes.png").write_bytes(PNG)
  assert "alone" in refuses(pushed, tmp_path)
  (pushed / "probes.png").unlink()
  (pushed / "curves.png").unlink()
  assert "alone" in refuses(pushed, tmp_path)


@pytest.mark.parametrize("name", ["curves.png", "results.json", "metrics.jsonl"])
def test_a_file_that_is_not_of_its_format_is_refused(pushed, tmp_path, name):
  (pushed / name).write_text("{" * 5000)
  manifest(pushed)
  assert "is no " in refuses(pushed, tmp_path)


def test_code_is_refused_unless_it_is_trusted(pushed, tmp_path):
  (pushed / "mine.py").write_text("1")
  manifest(pushed)
  assert "is code" in refuses(pushed, tmp_path)
  (pushed / "mine.pkl").write_text("1")
  manifest(pushed)
  assert "is code" in refuses(pushed, tmp_path, trust_code=True)
  (pushed / "mine.pkl").unlink()
  manifest(pushed)
  folder.pull(pushed, tmp_path / "pulled", 10**6, True)
  assert "mine.py" in names(tmp_path / "pulled")


@pytest.mark.parametrize("env", ["mine:World", "gym:mine:World-v0", "atari/pong"])
def test_a_config_that_names_code_is_refused_unless_it_is_trusted(pushed, tmp_path, env):
  asked = json.loads((pushed / "config.json").read_text())
  changed = {"env": env} if ":" in env else {"agent": {"bonus": {"name": "mine:build"}}}
  (pushed / "config.json").write_text(json.dumps(asked | changed))
  manifest(pushed)
  assert "--trust-code" in refuses(pushed, tmp_path)
  folder.pull(pushed, tmp_path / "pulled", 10**6, True)


def test_an_environment_of_gymnasium_is_no_code(run):
  config = dataclasses.replace(TrainConfig(), env="gym:CartPole-v1")
  assert contents.named_code(json.loads(to_json(config))) == ""


def test_a_run_that_learns_from_another_is_neither_pushed_nor_pulled(run, pushed, tmp_path):
  for path in (run, pushed):
    asked = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(asked | {"teacher": "/somewhere"}))
  manifest(pushed)
  assert "a run elsewhere" in refuses(pushed, tmp_path, trust_code=True)
  with pytest.raises(UserError, match="learns from another run"):
    folder.push(run, tmp_path / "other", "MIT", "")


def test_another_form_of_the_manifest_is_refused(pushed, tmp_path):
  (pushed / contents.MANIFEST).write_text('{"format": 2, "files": []}')
  assert "format 2" in refuses(pushed, tmp_path)


def test_a_folder_that_is_there_already_is_left_alone(pushed, tmp_path):
  (tmp_path / "pulled").mkdir()
  assert "exists" in refuses(pushed, tmp_path)
