"""The methods of docs/methods.md: six files outside the project, all in one run of training."""

import json
import re
import shlex

import pytest

from tests.experiments.command_line import ROOT, rarebird

TEXT = (ROOT / "docs" / "methods.md").read_text("utf-8")
FILES = (
  "my_novelty.py", "my_actor_critic.py", "my_torso.py", "my_core.py", "my_spread.py",
  "my_caution.py",
)  # fmt: skip
TINY = "--steps 512 --log-updates 2 --batch-size 8 --unroll-length 8 --eval-episodes 2 --seeds 1"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
  """A folder that holds the page's files alone."""
  folder = tmp_path_factory.mktemp("methods")
  for code in re.findall(r"```python\n(.*?)```", TEXT, re.S):
    name = code.partition("\n")[0].removeprefix("# ")
    (folder / name).write_text(code)
  assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
  return folder


def command():
  """The words of the page's command, after `rarebird`."""
  (text,) = re.findall(r"```\nrarebird (train .*?)```", TEXT, re.S)
  return shlex.split(text.replace("\\\n", " "))


def test_all_of_them_train_together_each_with_its_setting(here):
  ended = rarebird(*command(), *TINY.split(), "--out", "run", cwd=here, timeout=300)
  assert ended.returncode == 0, ended.stderr
  agent = json.loads((here / "run" / "config.json").read_text())["agent"]
  assert agent["bonus"] == {"name": "my_novelty:build", "settings": {"power": 0.5}}
  assert agent["objective"]["settings"] == {"lambda_return": 0.9}
  assert [one["name"] for one in agent["auxiliary"]] == ["byol", "my_spread:build"]
  assert agent["auxiliary"][1]["settings"]["floor"] == 0.5
  assert agent["planner"] == {"name": "my_caution:build", "settings": {"caution": 3.0}}
  assert agent["world_model"]["torso"]["settings"] == {"waves": 8}
  assert agent["world_model"]["core"]["settings"] == {"keep": 0.5}
  rows = [json.loads(line) for line in (here / "run" / "metrics.jsonl").read_text().splitlines()]
  assert all(
    {"rarest", "policy_loss", "lacking_spread", "discount_error"} <= set(row) for row in rows
  )
  assert rows[-1]["rarest"] > 1.0


def test_their_settings_are_shown_by_help(here):
  ended = rarebird("train", "--bonus", "my_novelty:build", "--help", cwd=here, timeout=120)
  assert "--bonus.power" in ended.stdout
  assert "To which the count is taken." in ended.stdout
