"""Fixtures of the tests of experiments."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import jax
import pytest

from agents.byol_explore import ByolExploreConfig
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from envs.host.environment import HostEnvironment
from experiments import cli
from experiments.runs import experiment
from experiments.settings import train as settings


@pytest.fixture
def small_agent():
  """An agent that compiles in seconds."""
  return ByolExploreConfig(
    batch_size=8,
    unroll_length=5,
    head_hidden=8,
    world_model=WorldModelConfig(
      torso=torsos.registry.choice("linear"),
      latent_size=8,
      core_size=8,
      predictor_hidden=8,
      horizon=2,
    ),
  )


@pytest.fixture(scope="session", autouse=True)
def agents_are_shared():
  """One agent for all runs in this process that differ in nothing it is built from.

  So its programs, which are most of a short run, are traced and compiled once.
  """
  build, built = settings.build_agent, {}

  def shared(config, env, *teacher):
    if teacher:
      return build(config, env, *teacher)
    host = isinstance(env, HostEnvironment)
    length = (config.steps, config.log_updates)  # which schedules and exploration follow
    specs = jax.tree.flatten((env.observation_spec(), env.action_spec()))
    world = "host" if host else (config.env, config.env_args)
    key = repr((config.agent_name, config.agent, config.sweep, length, world, specs))
    if key not in built:
      built[key] = build(config, env)
    return built[key]

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(experiment, "build_agent", shared)
    yield


TINY = """
  --steps 200 --eval-episodes 2 --log-updates 5 --batch-size 4 --unroll-length 5 --latent-size 8
  --core-size 8 --predictor-hidden 8 --head-hidden 8 --bonus none --core feedforward
""".split()  # noqa: SIM905 - reads like a command line
"""A run of ten updates that compiles in seconds."""


class Outcome(NamedTuple):
  """How a command ended: its exit status, what it printed, and its run folder."""

  status: int
  out: str
  err: str
  run: Path


@pytest.fixture
def rarebird_here(monkeypatch, capfd):
  """`command_line.rarebird` in this process, which spares its start."""
  monkeypatch.setenv("COLUMNS", "80")

  def run(*arguments, cwd):
    monkeypatch.chdir(cwd)
    monkeypatch.setattr("sys.argv", ["rarebird", *arguments])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
      cli.main()
    return subprocess.CompletedProcess(arguments, ended.value.code, *capfd.readouterr())

  return run


@pytest.fixture
def train_here(rarebird_here, tmp_path):
  """`rarebird train` in this process, where tests/quirks.py lies.

  Called with flags, which follow those of `TINY`; the run folder is `tmp_path / "run"`.
  """

  def train(*flags):
    flags = (*TINY, "--out", str(tmp_path / "run"), *flags)
    done = rarebird_here("train", *flags, cwd=Path(__file__).parents[1])
    return Outcome(done.returncode, done.stdout, done.stderr, tmp_path / "run")

  return train
