"""The README's code runs as it stands."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

import envs
from agents.byol_explore import ByolExploreConfig, build
from agents.world_model.world_model import WorldModelConfig
from envs import conformance
from experiments.runtimes import on_device

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture(scope="module")
def corridor():
  code = next(c for c in re.findall(r"```python\n(.*?)```", README, re.S) if "class Corridor" in c)
  names = {}
  exec(code, names)  # the point of the test
  return names["Corridor"]


def test_the_example_environment_conforms(corridor):
  conformance.check(corridor())


def test_the_example_environment_is_registered_by_its_decorator(corridor):
  assert isinstance(envs.make("corridor"), corridor)


def test_the_example_environment_trains(corridor):
  env = corridor()
  model = WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2)
  config = ByolExploreConfig(batch_size=4, unroll_length=5, head_hidden=8, world_model=model)
  runtime = on_device.build(env, build(config, env), updates_per_call=2)
  carry, metrics = runtime.run(runtime.init(jax.random.key(0)[None]))
  assert int(carry.updates[0]) == 2
  assert np.isfinite(metrics["largest_reward"][0])
