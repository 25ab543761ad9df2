"""`rarebird train` where an environment tells success, is seeded or drawn in its own way."""

import json
import math
import re
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from agents.agent import Agent, DataSpec
from experiments import clips, host_play, train_command
from experiments.config import TrainConfig, build_environment
from experiments.run_folder import read_rows

SERIAL = ("--env-args", "stepping=serial")


def scores(outcome):
  """Success in training, while it went on and at the end; None where there is none."""
  assert outcome.status == 0, outcome.err
  rows = read_rows(outcome.run)
  results = json.loads((outcome.run / "results.json").read_text())["train"]["success"]
  training = [row["episode/success"] for row in rows if "episode/success" in row]
  during = [row["eval/train/success"] for row in rows if "eval/train/success" in row]
  assert all(map(math.isfinite, training + during))
  return (
    np.mean(training) if training else None,
    np.mean(during) if during else None,
    results and results[0],
  )


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("quirks:InfoSuccess", 1),
    ("quirks_success:Contradicts", 0),
    ("quirks_success:Cost", 1),
    ("quirks_success:Unclear", None),
  ],
)
def test_rows_and_results_have_the_success_that_is_told(train_here, name, expected):
  outcome = train_here("--env", name, *SERIAL)
  assert scores(outcome) == (expected, expected, expected)
  assert ("100.0%" in outcome.out) == (expected == 1)
  assert "nan" not in outcome.out


def test_success_is_told_from_worker_processes_too(train_here):
  assert scores(train_here("--env", "quirks:InfoSuccess")) == (1, 1, 1)


def test_on_device_reports_no_success_where_nothing_tells_it(train_here):
  outcome = train_here("--env", "pendulum")
  assert scores(outcome) == (None, None, None)
  random = json.loads((outcome.run / "references.json").read_text())["train"]["random"]
  assert random["success"] is None
  assert math.isfinite(random["episode_return"])


def one_action():
  """An agent that always does the first thing."""

  def act(variables, memory, timestep, key, explore):
    return jax.numpy.zeros(timestep.reward.shape, "int32"), (), memory

  return Agent(
    init=lambda key: (),
    initial_memory=lambda batch: (),
    act=act,
    learn=lambda state, trajectory, key: (state, {}),
    variables=lambda state: state,
    diagnose=lambda state, trajectory: {},
    intrinsic=lambda state, trajectory, key: trajectory.reward[1:],
    data=DataSpec(5, 2),
  )


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("quirks_success:MiddleSuccess", True),
    ("quirks_success:LostSuccess", False),
    ("quirks_success:Unreached", False),
    ("quirks_success:Nothing", True),
    ("gym:quirks_success:QuirkZero-v0", True),
    ("gym:quirks_success:QuirkCost-v0", True),
  ],
)
def test_every_episode_that_is_played_has_the_success_that_is_told(quirks, name, expected):
  env = build_environment(TrainConfig(env=name, env_args=SERIAL[1:]))
  played = host_play.play(env, one_action(), (), 2, 0, 60.0)["train"].success
  assert played.tolist() == [[expected, expected]]


def test_an_environment_that_speaks_only_when_it_wins_loses_in_silence(quirks):
  env = build_environment(TrainConfig(env="quirks_success:OnlyWhenWon", env_args=SERIAL[1:]))
  played = host_play.play(env, one_action(), (), 64, 0, 60.0)["train"].success
  assert played.shape == (1, 64)
  assert 0.25 < played.mean() < 0.75


@pytest.mark.parametrize(
  ("name", "expected"), [("quirks_success:MiddleSuccess", True), ("quirks:Base", None)]
)
def test_a_clip_knows_what_was_told(quirks, name, expected):
  env = build_environment(TrainConfig(env=name, env_args=SERIAL[1:]))
  assert clips._play_on_host(env, one_action(), ()).success is expected


@pytest.mark.parametrize(
  ("row", "expected"),
  [
    ({"episode/success": 0.5, "episode/return": 7.0}, "3 ep. 50%"),
    ({"episode/return": 7.0}, "3 ep. return 7.0"),
  ],
)
def test_progress_shows_success_where_it_is_told(row, expected):
  row |= {"steps_per_second": 10.0, "episode/count": 3}
  assert expected in train_command._describe([row], {})


def test_copies_that_begin_alike_are_told_of_once(train_here):
  outcome = train_here("--env", "quirks_success:AllAlike", *SERIAL)
  assert outcome.status == 0
  words = " ".join(outcome.out.split())
  assert words.count("copies of quirks_success:AllAlike begin with the same observations") == 1


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("quirks_success:AllAlike", "note: copies of quirks_success:AllAlike begin with the same"),
    ("quirks_success:SeededWhenMade", ""),
    ("quirks_success:OneStart", ""),
    ("quirks_success:NoReset", "note: whether copies of .* is not known \\(OSError: no licence"),
    ("catch", ""),
    ("minigrid/Empty-5x5", ""),
  ],
)
def test_a_note_tells_of_copies_that_begin_alike(quirks, name, expected):
  config = TrainConfig(env=name, env_args=() if name == "catch" else SERIAL[1:])
  note = train_command._seeding_note(SimpleNamespace(env=build_environment(config), config=config))
  assert re.match(expected, note) if expected else note == ""


def test_what_asserts_that_no_picture_is_asked_for_trains_without_a_clip(train_here):
  outcome = train_here("--env", "gym:quirks:QuirkRenderAssert-v0", *SERIAL)
  assert outcome.status == 0
  assert "Traceback" not in outcome.out + outcome.err
  assert not (outcome.run / "episode.gif").exists()


def test_a_user_s_environment_that_draws_has_a_clip(quirks, tmp_path):
  env = build_environment(TrainConfig(env="quirks_success:Drawn", env_args=SERIAL[1:]))
  assert clips.write_episode(tmp_path / "a.gif", SimpleNamespace(env=env, agent=one_action()), ())


def test_what_a_constructor_raises_is_one_line(train_here):
  outcome = train_here("--env", "quirks_success:Broken")
  assert outcome.status == 2
  assert "KeyError: 'no such file: world.xml'" in " ".join(outcome.err.split())
  assert "Traceback" not in outcome.err
