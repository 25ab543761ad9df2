"""`rarebird train` where an environment tells success, is seeded or drawn in its own way."""

import json
import math
import re
import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents.agent import Agent
from agents.trajectory import DataSpec
from envs.auto_reset import AutoReset
from experiments.acting import episodes, host_rollout, rollout
from experiments.acting.policy import AgentPolicy
from experiments.commands import train as train_command
from experiments.evaluation import clips, host_clips
from experiments.evaluation import scores as evaluation
from experiments.runs import rows
from experiments.runs.run_folder import read_rows
from experiments.runtimes import on_device
from experiments.settings.train import TrainConfig, build_environment

SERIAL = ("--env-args", "stepping=serial")


def scores(outcome):
  """Success in training, while it went on and at the end; None where there is none."""
  assert outcome.status == 0, outcome.err
  log = read_rows(outcome.run)
  results = json.loads((outcome.run / "results.json").read_text())["train"]["success"]
  training = [row["episode/success"] for row in log if "episode/success" in row]
  during = [row["eval/train/success"] for row in log if "eval/train/success" in row]
  assert all(map(math.isfinite, training + during))
  return (
    np.mean(training) if training else None,
    np.mean(during) if during else None,
    results and results[0],
  )


def test_success_told_in_worker_processes_is_in_rows_results_and_table(train_here):
  outcome = train_here("--env", "quirks:InfoSuccess")
  assert scores(outcome) == (1, 1, 1)
  assert "100.0%" in outcome.out


def test_a_threshold_below_zero_is_reached(train_here):
  outcome = train_here("--env", "quirks_success:Cost", *SERIAL)
  assert scores(outcome) == (1, 1, 1)
  assert "100.0%" in outcome.out


def test_without_success_or_seeds_that_count_it_says_so(train_here):
  outcome = train_here("--env", "quirks_success:AllAlike", *SERIAL)
  assert scores(outcome) == (None, None, None)
  assert "nan" not in outcome.out
  words = " ".join(outcome.out.split())
  assert words.count("copies of quirks_success:AllAlike begin with the same observations") == 1


def test_on_device_no_success_is_reported_where_nothing_tells_it():
  env = envs.make("catch")
  env.success_return = math.inf
  agent = one_action(env)
  assert rollout.episodes(env, AgentPolicy(agent), (), 2, jax.random.key(0))[0].success is None
  random = evaluation.references(env, 2)["train"]["random"]
  assert random["success"] is None
  assert math.isfinite(random["episode_return"])
  stream = AutoReset(env)
  state, timestep = jax.vmap(stream.reset)(jax.random.split(jax.random.key(0), 2))
  carry = on_device.Carry((), state, timestep, (), episodes.init(2), (), (), jax.random.key(1), 0)
  metrics = jax.jit(lambda carry: on_device.unroll(stream, agent, (), carry)[2])(carry)
  metrics = {name: x for name, x in metrics.items() if name not in on_device.LARGEST}
  row = rows.make(metrics, 0, 0, 1.0)
  assert row["episode/count"] > 0
  assert "episode/return" in row
  assert "episode/success" not in row


def one_action(env):
  """An agent that always does the first thing."""
  spec = env.action_spec()

  def act(variables, memory, timestep, key, explore):
    return jnp.zeros((*timestep.reward.shape, *spec.shape), spec.dtype), (), memory

  return Agent(
    init=lambda key: (),
    initial_memory=lambda batch: (),
    act=act,
    learn=lambda state, trajectory, key: (state, {}),
    variables=lambda state: state,
    data=DataSpec(20, 2),
  )


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("quirks_success:MiddleSuccess", True),
    ("quirks_success:LostSuccess", False),
    ("quirks_success:Contradicts", False),
    ("quirks_success:Unreached", False),
    ("quirks_success:Nothing", True),
    ("gym:quirks_success:QuirkZero-v0", True),
    ("gym:quirks_success:QuirkCost-v0", True),
    ("quirks_success:Unclear", None),
  ],
)
def test_every_episode_that_is_played_has_the_success_that_is_told(quirks, name, expected):
  env = build_environment(TrainConfig(env=name, env_args=SERIAL[1:]))
  played = host_rollout.play(env, one_action(env), (), 2, jax.random.key(0), 60.0)["train"].success
  assert (None if played is None else played.tolist()) == (
    None if expected is None else [[expected, expected]]
  )


def test_an_environment_that_speaks_only_when_it_wins_loses_in_silence(quirks):
  env = build_environment(TrainConfig(env="quirks_success:OnlyWhenWon", env_args=SERIAL[1:]))
  played = host_rollout.play(env, one_action(env), (), 64, jax.random.key(0), 60.0)["train"].success
  assert played.shape == (1, 64)
  assert 0.25 < played.mean() < 0.75


@pytest.mark.parametrize(
  ("name", "expected"), [("quirks_success:MiddleSuccess", True), ("quirks:Base", None)]
)
def test_a_clip_knows_what_was_told(quirks, name, expected):
  env = build_environment(TrainConfig(env=name, env_args=SERIAL[1:]))
  episode = host_clips.draw(env, AgentPolicy(one_action(env)), (), 0, 100, time.monotonic)
  assert episode.success is expected


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


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("quirks_success:AllAlike", "note: copies of quirks_success:AllAlike begin with the same"),
    ("quirks_success:SeededWhenMade", ""),
    ("quirks_success:OneStart", ""),
    ("catch", ""),
    ("minigrid/Empty-5x5", ""),
  ],
)
def test_a_note_tells_of_copies_that_begin_alike(quirks, name, expected):
  config = TrainConfig(env=name, env_args=() if name == "catch" else SERIAL[1:])
  env = build_environment(config)
  notes = train_command._notes(SimpleNamespace(env=env, config=config))
  found = [f"note: {note}" for note in notes if "begin" in note]
  assert re.match(expected, found[0]) if expected else not found


def test_what_asserts_that_no_picture_is_asked_for_trains_without_a_clip(train_here):
  outcome = train_here("--env", "gym:quirks:QuirkRenderAssert-v0", *SERIAL)
  assert outcome.status == 0
  assert "Traceback" not in outcome.out + outcome.err
  assert not (outcome.run / "episode.gif").exists()


def test_a_user_s_environment_that_draws_has_a_clip(quirks, tmp_path):
  env = build_environment(TrainConfig(env="quirks_success:Drawn", env_args=SERIAL[1:]))
  clips.write_episode(tmp_path / "a.gif", SimpleNamespace(env=env, agent=one_action(env)), ())
  assert (tmp_path / "a.gif").exists()


def test_what_a_constructor_raises_is_one_line(train_here):
  outcome = train_here("--env", "quirks_success:Broken")
  assert outcome.status == 2
  assert "KeyError: 'no such file: world.xml'" in " ".join(outcome.err.split())
  assert "Traceback" not in outcome.err
