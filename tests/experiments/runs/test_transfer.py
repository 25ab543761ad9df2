"""Runs that begin from the networks of another."""

import dataclasses
import functools
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from rich.console import Console

from agents.latent.state import LearnerState
from experiments.commands import train as train_command
from experiments.runs import experiment as experiments
from experiments.runs import transfer
from experiments.runs.run_folder import RunFolder
from experiments.settings import train as settings
from experiments.settings.errors import UserError
from tests.experiments.runs_of_everything import plain, small


def saved(config):
  """Leaves a folder of a run that stopped before its first update."""
  experiment = experiments.build(config)
  folder = RunFolder(config)
  checkpoints = experiments.checkpoints(experiment, folder.path, create=True)
  state = experiment.loop.init()
  learners = jax.tree.map(lambda x: 2 * x, experiment.loop.learners(state))  # as if it had learned
  checkpoints.save(experiment.loop.updates(state), experiment.loop.with_learners(state, learners))
  checkpoints.close()
  folder.close()
  return learners


def pretrained(path, seeds=2):
  return dataclasses.replace(plain("none"), out=str(path), seed=7, seeds=seeds)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  """The folder of a run of the seeds 7 and 8, and its learners."""
  path = tmp_path_factory.mktemp("source") / "run"
  return path, saved(pretrained(path))


def following(path, tmp_path, objective="vmpo", runtime="on_device", **changes):
  config = dataclasses.replace(plain(objective, runtime), start_from=str(path), seed=8)
  return dataclasses.replace(config, **{"out": str(tmp_path / "next")} | changes)


def begun(config):
  """The learners of a new run, and of one that begins with nothing."""
  experiment = experiments.build(config)
  state = experiment.loop.init()
  bare = jax.device_get(experiment.loop.learners(state))
  started = transfer.begin(experiment, state, transfer.read(experiment))
  return experiment.loop.learners(started), bare


def same(one, other):
  pairs = zip(*(jax.tree.leaves(tree) for tree in (one, other)), strict=True)
  return all(np.array_equal(a, b) for a, b in pairs)


def picked(tree, *index):
  return jax.tree.map(lambda x: x[np.array(index)], tree)


def test_the_world_model_is_that_of_the_same_seed_and_all_else_begins_anew(source, tmp_path):
  path, learners = source
  found, bare = begun(following(path, tmp_path))
  donor = picked(learners, 1)  # seed 8
  assert same(found.params.world_model, donor.params.world_model)
  assert same(found.behaviour.world_model, donor.params.world_model)
  assert same(found.target_encoder, donor.target_encoder)
  assert not same(found.params.world_model, bare.params.world_model)
  world_model = {"world_model": None}
  for name in ("params", "behaviour"):
    own, fresh = (getattr(x, name)._replace(**world_model) for x in (found, bare))
    assert same(own, fresh)
  nothing = {"params": None, "behaviour": None, "target_encoder": None}
  assert same(found._replace(**nothing), bare._replace(**nothing))


def test_one_seed_begins_all(tmp_path):
  path = tmp_path / "one"
  learners = saved(pretrained(path, seeds=1))
  found, _ = begun(following(path, tmp_path, seed=0, seeds=2))
  assert same(found.params.world_model, picked(learners, 0, 0).params.world_model)


def test_a_seed_that_is_not_there_is_one_line(source, tmp_path):
  config = following(source[0], tmp_path, seeds=2)  # 8 and 9
  with pytest.raises(UserError, match="has the seeds 7 to 8, not 9"):
    transfer.read(experiments.build(config))


@pytest.mark.parametrize("runtime", ["on_device", "actor_learner"])
def test_heads_come_where_they_are_asked_for_in_each_runtime(runtime, tmp_path):
  config = dataclasses.replace(plain("vmpo", runtime), out=str(tmp_path / "first"), seed=3)
  learners = saved(config)
  found, bare = begun(following(config.out, tmp_path, runtime=runtime, from_heads=True))
  assert same(found.params.heads, learners.params.heads)
  assert same(found.behaviour.heads, learners.params.heads)
  assert not same(found.params.heads, bare.params.heads)
  assert same(found.params.duals, bare.params.duals)


def test_another_architecture_is_one_line_and_touches_nothing(source, tmp_path):
  config = following(source[0], tmp_path)
  larger = dataclasses.replace(config.agent.world_model, latent_size=9, core_size=9)
  config = dataclasses.replace(config, agent=dataclasses.replace(config.agent, world_model=larger))
  with pytest.raises(UserError, match=r"another architecture: world model .*\[8\].*\[9\]"):
    train_command.run(config, Console(quiet=True))
  assert not Path(config.out).exists()


def test_heads_of_another_objective_are_another_architecture(source, tmp_path):
  with pytest.raises(UserError, match=r"another architecture: heads .* is missing there"):
    transfer.read(experiments.build(following(source[0], tmp_path, from_heads=True)))


def test_a_folder_without_a_run_is_one_line(tmp_path):
  with pytest.raises(UserError, match=r"holds no run \(no config.json\)"):
    transfer.read(experiments.build(following(tmp_path, tmp_path)))


def test_heads_without_a_run_to_take_them_of_are_one_line():
  with pytest.raises(UserError, match="--from-heads are of --from"):
    experiments.build(dataclasses.replace(plain("vmpo"), from_heads=True))


def test_a_run_that_has_begun_needs_the_other_no_more(source, tmp_path, monkeypatch):
  path = tmp_path / "source"
  shutil.copytree(source[0], path)
  config = following(path, tmp_path)
  expected, _ = begun(config)
  monkeypatch.setattr(experiments, "advance", lambda *_: iter(()))  # killed before its first row
  train_command.run(config, Console(quiet=True))
  shutil.rmtree(path)
  assert transfer.read(experiments.build(config)) is None
  train_command.run(config, Console(quiet=True))
  assert same(experiments.load(Path(config.out))[1].learner, expected)


def test_runs_that_begin_with_nothing_are_stored_as_ever(tmp_path):
  assert "start_from" not in settings.to_json(plain("vmpo"))
  config = following(Path("runs/other"), tmp_path, from_heads=True)
  assert settings.from_json(settings.to_json(config)) == config
  assert "from_other" in dataclasses.replace(config, out="").folder()


def test_an_agent_with_goals_takes_the_networks_of_the_agent_inside():
  agent = experiments.build(small("her", replay=True)).agent
  state = jax.eval_shape(agent.init, jax.random.key(0))
  adopt = functools.partial(agent.adopt, heads=True)
  assert jax.tree.structure(jax.eval_shape(adopt, state, state)) == jax.tree.structure(state)
  of_latent = jax.eval_shape(experiments.build(plain("vmpo")).agent.init, jax.random.key(0))
  assert isinstance(of_latent, LearnerState)
  with pytest.raises(ValueError, match=r"world model .* is .* there and .* here"):
    jax.eval_shape(adopt, state, of_latent)
