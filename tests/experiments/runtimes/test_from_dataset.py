"""Training on a dataset: its windows, a run that resumes to the bit, and what goes on from it."""

import dataclasses

import jax
import numpy as np
import pytest
from rich.console import Console

from agents import auxiliaries
from envs.environment import FIRST, LAST
from experiments.commands import collect
from experiments.datasets.collect import CollectConfig
from experiments.datasets.dataset import Dataset
from experiments.runs import experiment as experiments
from experiments.runtimes.from_dataset import Stream
from experiments.settings.errors import UserError
from experiments.settings.train import check
from tests.experiments.runs_of_everything import PROJECTED, plain

SWAV = {"long": 2, "short": 2, "gap": 1, "shorts": 0, "queue": 16, "prototypes": 2, **PROJECTED}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """Ten episodes of deep_sea, of four steps each."""
  out = tmp_path_factory.mktemp("data") / "sea"
  config = CollectConfig(str(out), "deep_sea", ("size=4",), episodes=10)
  assert collect.run(config, Console(quiet=True)) == 0
  return out


def asked(folder, **changes):
  config = plain("none")
  swav = auxiliaries.registry.choice("swav", **SWAV)
  agent = dataclasses.replace(config.agent, auxiliary=(swav,))
  return dataclasses.replace(config, dataset=str(folder), agent=agent, seeds=2, **changes)


def test_a_window_is_the_stream_of_its_episodes(folder):
  dataset = Dataset(folder)
  stream = Stream(dataset)
  window = stream.window(np.array([[3, 0]]), 7)
  assert window.reward.shape == (7, 1, 2)
  assert window.step_type[:, 0, 1].tolist() == [FIRST, 1, 1, 1, LAST, FIRST, 1]
  np.testing.assert_array_equal(window.step_type[:4, 0, 0], window.step_type[3:, 0, 1])
  one, two = dataset.episode(0), dataset.episode(1)
  np.testing.assert_array_equal(window.observation[:5, 0, 1], one.observation)
  np.testing.assert_array_equal(window.observation[5:, 0, 1], two.observation[:2])
  np.testing.assert_array_equal(window.action[:4, 0, 1], one.action)
  np.testing.assert_array_equal(window.reward[1:5, 0, 1], one.reward)
  np.testing.assert_array_equal(window.discount[1:5, 0, 1], one.discount)
  assert (window.reward[5, 0, 1], window.discount[5, 0, 1]) == (0.0, 1.0)


def test_a_run_goes_on_to_the_bit_and_each_seed_has_windows_of_its_own(folder):
  experiment = experiments.build(asked(folder))
  loop = experiment.loop
  batch = loop.batch(0)
  assert np.any(batch.observation[:, 0] != batch.observation[:, 1])

  steps = list(loop.train(loop.init(), lambda: False))
  rows, last = [row for step in steps for row in step.rows], None
  assert {row["seed"] for row in rows} == {0.0, 1.0}
  assert {"swav_loss", "collapsed", "effective_rank"} <= set(rows[0])
  half = next(loop.train(loop.init(), lambda: True)).state()
  for step in loop.train(half, lambda: False):
    last = step.state()
  jax.tree.map(np.testing.assert_array_equal, last.learner, steps[-1].state().learner)


def test_what_cannot_be_learned_from_a_dataset_is_one_line(folder, tmp_path):
  with pytest.raises(UserError, match="trains auxiliary losses alone; give --objective none"):
    check(dataclasses.replace(plain("vmpo"), dataset=str(folder)))
  with pytest.raises(UserError, match="has no actors"):
    check(asked(folder, runtime="actor_learner"))
  with pytest.raises(UserError, match="holds no dataset"):
    experiments.build(asked(tmp_path / "none")).loop.prepare()
  with pytest.raises(UserError, match="give another dataset"):
    experiments.build(asked(folder, env_args=("size=5",))).loop.prepare()
