"""--sweep: what it names, and one program in which each lane does what a run of its own does."""

import dataclasses

import numpy as np
import pytest

from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from experiments.runs import experiment as train
from experiments.settings import sweeps
from experiments.settings.errors import UserError
from experiments.settings.train import (
  TrainConfig,
  build_agent,
  build_environment,
  from_json,
  to_json,
)


def small(**changes):
  config = TrainConfig.of("soft_q")
  agent = dataclasses.replace(
    config.agent,
    head_hidden=8,
    unroll_length=4,
    batch_size=4,
    auxiliary=(),
    world_model=WorldModelConfig(
      torso=torsos.registry.choice("linear"),
      latent_size=8,
      core_size=8,
      predictor_hidden=8,
      horizon=2,
    ),
  )
  config = dataclasses.replace(config, env="catch", steps=64, log_updates=2, agent=agent)
  return dataclasses.replace(config, runtime="on_device", eval_episodes=2, **changes)


def rows(config):
  loop = train.build(config).loop
  return [row for step in loop.train(loop.init(), lambda: False) for row in step.rows]


def test_lanes_are_all_combinations_with_every_seed():
  lanes = sweeps.lanes(("learning-rate=1e-4,1e-3", "auxiliary.byol.weight=.9"), range(3, 5))
  assert [lane.seed for lane in lanes] == [3, 4, 3, 4]
  assert [lane.numbers["learning_rate"] for lane in lanes] == [1e-4, 1e-4, 1e-3, 1e-3]
  assert lanes[2].name == "learning_rate=0.001,auxiliary.byol.weight=0.9"


def test_without_a_sweep_lanes_are_the_seeds():
  assert sweeps.lanes((), range(2)) == [sweeps.Lane(0, {}), sweeps.Lane(1, {})]


def test_a_lane_learns_as_a_run_of_its_own():
  swept = rows(small(sweep=("learning_rate=1e-3,3e-2",), seeds=2))
  assert [row["lane"] for row in swept[:4]] == [0, 1, 2, 3]
  config = small(seed=1)
  alone = rows(
    dataclasses.replace(config, agent=dataclasses.replace(config.agent, learning_rate=3e-2))
  )
  lane = [row for row in swept if row["lane"] == 3]
  assert [(row["seed"], row["learning_rate"]) for row in lane] == [(1, 3e-2)] * len(alone)
  for mine, own in zip(lane, alone, strict=True):
    np.testing.assert_allclose(mine["loss"], own["loss"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(mine["tau"], own["tau"], rtol=1e-6)
  others = [row for row in swept if row["lane"] == 1]
  assert others[-1]["loss"] != lane[-1]["loss"]


def test_a_number_that_is_not_traced_is_refused():
  config = small(sweep=("batch_size=2,4",))
  with pytest.raises(
    UserError, match=r"--sweep batch_size: it is not traced.*dual_learning_rate, bonus"
  ):
    build_agent(config, build_environment(config))


@pytest.mark.parametrize(
  ("words", "message"),
  [
    (("learning_rate",), "write name=value,value"),
    (("auxiliary..weight=1",), "write name=value,value"),
    (("learning_rate=a,b",), "give numbers"),
    (("learning_rate=1,1",), "each once"),
    (("learning_rate=nan",), "finite"),
    (("discount=.9", "discount=.8"), "given twice"),
  ],
)
def test_what_is_no_sweep_is_refused(words, message):
  with pytest.raises(UserError, match=message):
    sweeps.parse(words)


def test_a_sweep_needs_one_program():
  config = dataclasses.replace(small(sweep=("discount=.9,.8",)), runtime="actor_learner")
  with pytest.raises(UserError, match="--sweep needs one compiled program: --runtime on_device"):
    train.build(config)


def test_a_sweep_is_kept_with_the_run():
  config = small(sweep=("discount=.9,.8",))
  assert "discount=.9_.8" in config.folder()
  assert from_json(to_json(config)) == config
