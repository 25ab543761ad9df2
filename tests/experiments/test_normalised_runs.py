"""Runs that normalise observations: resumed, on the host, and those made before the setting was."""

import dataclasses
import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.runs import experiment as train
from experiments.runs.checkpoint import Checkpoints
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig


def trained(experiment, path, *stops):
  """The learner's state after a run on_device that stops, saves and resumes at these updates."""
  for stop in stops:
    saved = train.checkpoints(experiment, path, create=True)
    steps = experiment.loop.train(train.restore(experiment, saved), lambda: False)
    state = next(step for step in steps if step.updates == stop).state()
    steps.close()
    saved.save(stop, state)
    saved.close()
  return jax.device_get(state.learner)


def test_a_resumed_run_that_normalises_equals_an_uninterrupted_one_to_the_bit(
  small_agent, tmp_path
):
  agent = dataclasses.replace(small_agent, normalise_observations="yes")
  experiment = train.build(
    TrainConfig(env="cartpole", log_updates=2, eval_rows=1000, seeds=2, agent=agent)
  )
  whole = trained(experiment, tmp_path / "whole", 8)
  parts = trained(experiment, tmp_path / "parts", 4, 8)
  assert whole.observation_moments.seen.tolist() == [8 * 5 * 8] * 2
  for x, y in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
    np.testing.assert_array_equal(x, y)


QUEUE = ("--objective", "ppo", "--objective.minibatches", "2")
REPLAY = ("--agent", "soft_q", "--replay-capacity", "40", "--replay-min-size", "8")


@pytest.mark.parametrize("flags", [QUEUE, REPLAY], ids=["queue", "replay"])
def test_a_run_on_the_host_says_that_it_normalises_and_keeps_the_moments(train_here, flags):
  cue = ("unit=1e4", "offset=1e5", "stepping=serial")
  ended = train_here("--env", "quirks:Cue", "--env-args", *cue, *flags)
  assert ended.status == 0, ended.err
  assert "observations normalised" in " ".join(ended.out.split())
  arrays = Checkpoints(ended.run, {}).read_arrays()
  mean = next(x for name, x in arrays.items() if "observation_moments" in name and "mean" in name)
  assert np.all(np.abs(mean - (1e5 + 1e4 / 3)) < 3e3), mean


def test_a_config_without_a_setting_is_refused():
  whole = json.loads(configs.to_json(TrainConfig()))
  del whole["agent"]["objective"]
  with pytest.raises(ValueError, match="objective"):
    configs.from_json(json.dumps(whole))


class Before(NamedTuple):
  weights: Any
  target: Any = ()


class Since(NamedTuple):
  weights: Any
  target: Any = ()
  moments: Any = ()


CONFIG = {"agent": {"bonus": "none", "normalise_observations": "no"}}


def save_before(folder):
  saved = Checkpoints(folder, CONFIG, create=True)
  saved.save(3, Before({"w": [jnp.arange(3.0), jnp.float32(2.0)]}))
  saved.close()


def test_a_checkpoint_from_before_an_empty_part_of_the_state_is_restored(tmp_path):
  save_before(tmp_path)
  like = Since({"w": [jnp.zeros(3), jnp.float32(0.0)]})
  restored = Checkpoints(tmp_path, CONFIG).restore(like)
  assert jax.tree.structure(restored) == jax.tree.structure(like)
  np.testing.assert_array_equal(restored.weights["w"][0], [0.0, 1.0, 2.0])
  assert restored.weights["w"][1] == 2.0


def test_a_checkpoint_of_a_run_that_did_not_normalise_is_refused_by_one_that_does(tmp_path):
  save_before(tmp_path)
  now = {"agent": {"bonus": "none", "normalise_observations": "auto"}}
  with pytest.raises(UserError, match=r"another config \(agent differ\)"):
    Checkpoints(tmp_path, now).restore(Since({"w": [jnp.zeros(3), jnp.float32(0.0)]}))


def test_a_checkpoint_without_an_array_that_is_needed_is_refused_by_its_name(tmp_path):
  save_before(tmp_path)
  like = Since({"w": [jnp.zeros(3), jnp.float32(0.0)]}, moments=jnp.zeros(2))
  with pytest.raises(UserError, match="moments is in it or in the run"):
    Checkpoints(tmp_path, CONFIG).restore(like)
