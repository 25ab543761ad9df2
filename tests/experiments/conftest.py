"""Fixtures of the tests of experiments."""

from pathlib import Path
from typing import NamedTuple

import pytest

from agents.byol_explore import ByolExploreConfig
from agents.world_model.world_model import WorldModelConfig
from experiments import cli


@pytest.fixture
def small_agent():
  """An agent that compiles in seconds."""
  return ByolExploreConfig(
    batch_size=8,
    unroll_length=5,
    head_hidden=8,
    world_model=WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2),
  )


TINY = """
  --steps 200 --eval-episodes 2 --log-updates 5 --batch-size 4 --unroll-length 5 --latent-size 8
  --core-size 8 --predictor-hidden 8 --head-hidden 8 --horizon 2
""".split()  # noqa: SIM905 - reads like a command line
"""A run of ten updates that compiles in seconds."""


class Outcome(NamedTuple):
  """How a command ended: its exit status, what it printed, and its run folder."""

  status: int
  out: str
  err: str
  run: Path


@pytest.fixture
def train_here(monkeypatch, capfd, tmp_path):
  """`rarebird train` in this process, which spares its start, where tests/quirks.py lies.

  Called with flags, which follow those of `TINY`; the run folder is `tmp_path / "run"`.
  """

  def train(*flags):
    monkeypatch.chdir(Path(__file__).parents[1])
    monkeypatch.setattr(
      "sys.argv", ["rarebird", "train", *TINY, "--out", str(tmp_path / "run"), *flags]
    )
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
      cli.main()
    return Outcome(ended.value.code, *capfd.readouterr(), tmp_path / "run")

  return train
