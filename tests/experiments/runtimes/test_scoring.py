"""Which episodes a policy is scored on: of each seed and step others, in every runtime the same."""

import dataclasses
import types

import jax
import numpy as np
import pytest

import envs
from agents.byol_explore import ByolExploreConfig, build
from agents.world_model.world_model import WorldModelConfig
from experiments.acting import host_rollout, rollout
from experiments.runtimes.on_device_loop import OnDeviceLoop
from experiments.runtimes.scoring import Scorer
from experiments.settings.train import TrainConfig, steps

CONFIG = TrainConfig(env="deep_sea", steps=24, log_updates=1, eval_rows=2)


@pytest.fixture
def drawn(monkeypatch):
  """The keys of evaluations, in order, as bits; nothing is played."""
  bits = []

  def note(key):
    bits.append(np.asarray(jax.random.key_data(key)).ravel().tolist())
    return {}

  player = lambda *_: lambda variables, keys: note(keys)  # noqa: E731
  monkeypatch.setattr(rollout, "split_player", player)
  monkeypatch.setattr(host_rollout, "play", lambda *given, **_: note(given[4]))
  return bits


@pytest.mark.parametrize("name", ["deep_sea", "gym:CartPole-v1"])
def test_no_step_of_one_seed_is_scored_as_another_step_of_another(name, drawn):
  env, agent = envs.make(name), types.SimpleNamespace()
  for seed, step in ((0, 640), (640, 0), (0, 0), (640, 640), (320, 320)):
    Scorer(dataclasses.replace(CONFIG, seed=seed), env, agent)(step, ())
  assert len({tuple(key) for key in drawn}) == 5


def test_a_step_is_scored_alike_on_device_and_beside_a_learner(drawn):
  env = envs.make("deep_sea", size=4)
  model = WorldModelConfig(latent_size=4, core_size=4, predictor_hidden=4, horizon=2)
  agent = build(
    ByolExploreConfig(batch_size=2, unroll_length=3, head_hidden=4, world_model=model), env
  )
  loop = OnDeviceLoop(CONFIG, env, agent, jax.local_devices()[:1])
  progress = list(loop.train(loop.init(), lambda: False))
  scorer = Scorer(CONFIG, env, agent)
  for updates in (2, 4):
    scorer(steps(agent.data, updates), ())
  assert len(progress) == 4
  assert drawn[:2] == drawn[2:]
