"""The on_device runtime: compiled once, the same on any number of devices, nothing leaks."""

import itertools
import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

import envs
from agents.byol_explore import ByolExploreConfig, build
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.runs.checkpoint import Checkpoints
from experiments.runtimes import on_device

SMALL = ByolExploreConfig(
  batch_size=8,
  unroll_length=6,
  head_hidden=8,
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("linear"),
    latent_size=8,
    core_size=8,
    predictor_hidden=8,
    horizon=3,
  ),
)


def make(env, updates_per_call=2, config=SMALL):
  agent = build(config, env)
  return agent, on_device.build(env, agent, updates_per_call)


def keys(*seeds):
  return jax.numpy.stack([jax.random.key(seed) for seed in seeds])


@pytest.fixture(scope="module")
def deep_sea():
  env = envs.make("deep_sea", size=4)
  return env, *make(env)


def test_compiles_once(deep_sea):
  _, _, runtime = deep_sea
  carry = runtime.init(keys(0))
  for _ in range(3):
    carry, _ = runtime.run(carry)
  assert runtime.run._cache_size() == 1
  assert int(carry.updates[0]) == 6


def test_the_carry_is_donated(deep_sea):
  _, _, runtime = deep_sea
  carry = runtime.init(keys(0))
  runtime.run(carry)
  assert carry.timestep.observation.is_deleted()


def test_same_seed_same_bits_and_other_seed_other_bits(deep_sea):
  _, _, runtime = deep_sea
  _, a = runtime.run(runtime.init(keys(3)))
  _, b = runtime.run(runtime.init(keys(3)))
  _, c = runtime.run(runtime.init(keys(4)))
  assert all(np.array_equal(a[name], b[name]) for name in a)
  assert not np.array_equal(a["loss"], c["loss"])


def test_seeds_side_by_side_equal_seeds_alone(deep_sea):
  _, _, runtime = deep_sea
  _, both = runtime.run(runtime.init(keys(5, 6)))
  for i, seed in enumerate((5, 6)):
    _, alone = runtime.run(runtime.init(keys(seed)))
    for name in both:
      np.testing.assert_allclose(both[name][i], alone[name][0], rtol=2e-3, atol=2e-4, err_msg=name)


def test_calls_of_two_sizes_make_the_same_run(deep_sea):
  env, _, twos = deep_sea
  _, fours = make(env, updates_per_call=4)
  a = twos.init(keys(0))
  for _ in range(2):
    a, _ = twos.run(a)
  b, _ = fours.run(fours.init(keys(0)))
  for x, y in zip(jax.tree.leaves(a.learner), jax.tree.leaves(b.learner), strict=True):
    np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


def unrolled(env, agent, runtime, calls=4):
  """Trajectories and metrics of consecutive unrolls by one fixed agent."""
  carry = jax.tree.map(lambda x: x[0], runtime.init(keys(0)))
  run = jax.jit(lambda c: on_device.unroll(AutoReset(env), agent, agent.variables(c.learner), c))
  out = []
  for _ in range(calls):
    carry, trajectory, metrics = run(carry)
    out.append((jax.device_get(trajectory), jax.device_get(metrics)))
  return out


@pytest.fixture(scope="module")
def trajectories(deep_sea):
  return [t for t, _ in unrolled(*deep_sea)]


def test_trajectories_join_without_a_gap(trajectories):
  for a, b in itertools.pairwise(trajectories):
    np.testing.assert_array_equal(a.observation[-1], b.observation[0])
    np.testing.assert_array_equal(a.step_type[-1], b.step_type[0])
    np.testing.assert_array_equal(b.memory.action, a.action[-2])


def test_every_last_is_followed_by_a_first_and_nothing_else_is(trajectories):
  for t in trajectories:
    ends = t.step_type[:-1] == envs.LAST
    np.testing.assert_array_equal(t.step_type[1:] == envs.FIRST, ends)
    assert ends.any()


def test_episode_sums_equal_a_count_by_hand():
  env = envs.make("probe/truncation")
  parts = unrolled(env, *make(env))
  rewards = np.concatenate([t.reward[1:] for t, _ in parts])
  types = np.concatenate([t.step_type[1:] for t, _ in parts])
  episodes, returns, lengths = 0, 0.0, 0
  for b in range(rewards.shape[1]):
    total, length = 0.0, 0
    for reward, kind in zip(rewards[:, b], types[:, b], strict=True):
      total, length = (0.0, 0) if kind == envs.FIRST else (total + reward, length + 1)
      if kind == envs.LAST:
        episodes, returns, lengths = episodes + 1, returns + total, lengths + length
  assert episodes > 0
  assert sum(m["episodes"] for _, m in parts) == episodes
  assert sum(m["return_sum"] for _, m in parts) == pytest.approx(returns)
  assert sum(m["length_sum"] for _, m in parts) == lengths


def test_the_recurrent_state_of_a_finished_episode_changes_nothing_after_it(deep_sea):
  env, agent, runtime = deep_sea
  carry = jax.tree.map(lambda x: x[0], runtime.init(keys(0)))
  _, timestep = jax.vmap(env.reset)(jax.random.split(jax.random.key(1), 8))
  variables, key = agent.variables(carry.learner), jax.random.key(2)
  clean = agent.act(variables, agent.initial_memory(8), timestep, key, True)
  dirty_memory = jax.tree.map(lambda x: x + 1, agent.initial_memory(8))
  dirty = agent.act(variables, dirty_memory, timestep, key, True)
  for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(dirty), strict=True):
    np.testing.assert_array_equal(a, b)


def test_a_batch_that_devices_cannot_share_evenly_is_refused():
  env = envs.make("deep_sea", size=4)
  agent = build(SMALL, env)
  with pytest.raises(ValueError, match="batch_size is 8; it must be a multiple of the 3 devices"):
    on_device.build(env, agent, 2, devices=jax.local_devices() * 3)


PROGRAM = """
import sys
from pathlib import Path
import jax, numpy as np
import envs
from agents.byol_explore import ByolExploreConfig, build
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from experiments.runs.checkpoint import Checkpoints
from experiments.runtimes import on_device
model = WorldModelConfig(
  torso=torsos.registry.choice("linear"), latent_size=8, core_size=8, predictor_hidden=8, horizon=3
)
config = ByolExploreConfig(
  batch_size=16, unroll_length=6, head_hidden=8, world_model=model, normalise_observations="yes"
)
env = envs.make("cartpole")
agent = build(config, env)
results = []
for count, seeds in ((1, 2), (8, 2), (2, 2)):
  runtime = on_device.build(env, agent, 3, jax.devices()[:count], seeds)
  carry = runtime.init(jax.numpy.stack([jax.random.key(s) for s in (0, 1)]))
  for _ in range(2):
    carry, metrics = runtime.run(carry)
  assert len(carry.timestep.observation.sharding.device_set) == count
  saved = Checkpoints(Path(sys.argv[1]) / str(count), {}, create=True)
  saved.save(1, carry)
  again = saved.restore(carry)
  same = jax.tree.map(lambda a, b: a.sharding == b.sharding and bool((a == b).all()), carry, again)
  assert all(jax.tree.leaves(same))
  alone = {shard.data.shape[0] for shard in carry.learner.updates.addressable_shards}
  assert alone == {1 if count == seeds else 2}  # seeds apart, or all of them everywhere
  results.append(
    jax.device_get(
      (metrics, carry.learner.params, carry.learner.observation_moments, carry.timestep)
    )
  )
for result in results[1:]:
  for a, b in zip(*map(jax.tree.leaves, (results[0], result)), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
print("same numbers")
"""


def test_devices_that_share_environments_or_seeds_give_the_same_numbers_and_save(tmp_path):
  devices = "--xla_force_host_platform_device_count=8"
  flags = {"XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {devices}", "JAX_PLATFORMS": "cpu"}
  done = subprocess.run(
    [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)],
    env=os.environ | flags | {"PYTHONPATH": os.pathsep.join(sys.path)},
    capture_output=True,
    text=True,
  )
  assert done.stdout.strip() == "same numbers", done.stderr[-2000:]
  # And what several devices saved is read where there is one.
  for count in (1, 8, 2):
    arrays = Checkpoints(tmp_path / str(count), {}).read_arrays()
    assert arrays["['updates']"].tolist() == [6, 6]


SPREAD = """
import jax
from experiments.settings.train import TrainConfig, local_devices, spread
spread(6)
print(len(jax.local_devices()), *(len(local_devices(TrainConfig(seeds=s))) for s in (6, 1)))
"""


@pytest.mark.parametrize("flag", ["", "--xla_force_host_platform_device_count=4"])
def test_cores_are_devices_for_as_many_as_can_share_the_seeds(flag):
  ours = {"XLA_FLAGS": flag, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
  done = subprocess.run(
    [sys.executable, "-c", SPREAD], env=os.environ | ours, capture_output=True, text=True
  )
  cores = len(os.sched_getaffinity(0))
  shared = max(n for n in range(1, cores + 1) if 6 % n == 0)
  expected = [4, 3, 1] if flag else [shared, shared, 1]
  assert list(map(int, done.stdout.split())) == expected, done.stderr[-2000:]
