"""What the command line loads before it is needed: nothing that takes seconds."""

import subprocess
import sys

import pytest

from tests.experiments.command_line import ENVIRONMENT, rarebird

PROGRAM = """
import sys
sys.argv = ["rarebird", *{words!r}]
from experiments.__main__ import main
try:
  main()
except SystemExit as end:
  assert not end.code, end.code
loaded = [name for name in {names!r} if name in sys.modules]
assert not loaded, loaded
"""
METHODS = ("agents.bonuses.rnd", "envs.classic.catch", "envs.zipf.gridworld", "agents.torsos.mlp")


def check(words, names):
  """Runs a command in a process of its own, and that none of these modules was imported."""
  program = PROGRAM.format(words=words, names=names)
  ended = subprocess.run(
    [sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True
  )
  assert ended.returncode == 0, ended.stderr
  return ended.stdout


def test_help_loads_no_jax():
  told = check(["--help"], ("jax", "haiku", "gymnasium", "numpy", "rich"))
  assert all(name in told for name in ("train", "compare", "list"))


@pytest.mark.parametrize(
  ("what", "name"),
  [
    ("envs", "atari/<game>"),
    ("agents", "fresh"),
    ("bonuses", "rnd "),
    ("objectives", "ppo"),
    ("torsos", "resnet_ws"),
    ("cores", "feedforward"),
    ("optimisers", "adam"),
    ("planners", "lookahead"),
  ],
)
def test_lists_load_neither_jax_nor_methods(what, name):
  assert name in check(["list", what], ("jax", "haiku", *METHODS))


def test_the_help_of_train_loads_what_is_chosen_alone():
  told = check(
    ["train", "--bonus", "icm", "--help"],
    ("agents.bonuses.rnd", "agents.objectives.ppo", "envs.classic.catch", "agents.cores.lstm"),
  )
  assert "--bonus.beta" in told


def test_a_command_that_there_is_not_names_the_nearest(tmp_path):
  ended = rarebird("trian", cwd=tmp_path)
  assert (ended.returncode, ended.stderr) == (
    2,
    "rarebird: there is no command 'trian'; did you mean train?\n",
  )
