"""Replay in the on_device runtime: what is held, what is drawn, when is learned, how it resumes."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import envs
from agents import bonuses
from agents.agent import Agent, Learned
from agents.replay import ReplayConfig
from agents.soft_q import SoftQConfig, build
from agents.torsos import torso as torsos
from agents.trajectory import DataSpec, ReplaySpec
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.experience import priorities as trees
from experiments.runs import checkpoint
from experiments.runs import experiment as train
from experiments.runtimes import on_device, on_device_replay
from experiments.runtimes.program import compile_ahead
from experiments.settings.train import TrainConfig, steps
from tests.experiments.experience.conftest import needs_flashbax
from tests.experiments.experience.items import LENGTH, SIGNATURE, assert_intact, numbers, unroll

pytestmark = needs_flashbax

# Two updates follow an unroll, and the third unroll is the first to have one.
REPLAY = ReplayConfig(
  replay_capacity=16, replay_min_size=7, samples_per_insert=4.0, replay_environments=4
)
SMALL = SoftQConfig(
  batch_size=8,
  unroll_length=5,
  head_hidden=8,
  bonus=bonuses.registry.choice("none"),
  auxiliary=(),
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("linear"),
    latent_size=8,
    core_size=8,
    predictor_hidden=8,
    horizon=2,
  ),
  replay=REPLAY,
)
WARM_UP, UPDATES = 2, 2


@functools.cache
def deep_sea(updates_per_call=UPDATES, **replay):
  """The agent and the runtime in a world whose episodes take five steps, resets counted."""
  env = envs.make("deep_sea", size=4)
  config = dataclasses.replace(SMALL, replay=dataclasses.replace(REPLAY, **replay))
  agent = build(config, env)
  return agent, on_device.build(env, agent, updates_per_call)


@functools.cache
def large_program():
  _, runtime = deep_sea(4 * UPDATES, replay_capacity=50_000)
  return runtime, compile_ahead(runtime.run, runtime.init(keys(0)))[0]


def large():
  """A program of four unrolls a call with a replay of which most stays empty, and a carry."""
  runtime, program = large_program()
  return program, runtime.init(keys(0))


def keys(*seeds):
  return jnp.stack([jax.random.key(seed) for seed in seeds])


def filled(capacity, unrolls):
  """A replay into which these unrolls of numbered items went, and how many items they were."""
  items = jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), SIGNATURE)
  replay, count = on_device_replay.Replay(items, trees.init(capacity)), 0
  for new in unrolls:
    replay = on_device_replay.insert(replay, unroll(*new), jnp.int32(count))
    count += len(new)
  return replay, jnp.int32(count)


def weights(replay):
  capacity = len(replay.items.reward)
  return np.asarray(replay.nodes)[trees.beyond(capacity) - 1 :][:capacity]


sample = jax.jit(on_device_replay.sample, static_argnums=1)


def drawn(replay, count, batch=40, seed=0):
  return sample(replay, batch, jax.random.key(seed), count)


@pytest.mark.parametrize(
  ("batch", "replay", "expected"),
  [
    (32, None, (32, 1, 0)),
    (32, ReplaySpec(2000, 100, 4.0, 0.9), (8, 1, 13)),
    (32, ReplaySpec(1920, 96, 0.5, 0.9), (64, 1, 2)),
    (32, ReplaySpec(1920, 100, 4.0, 0.9, 32), (32, 4, 4)),
    (32, ReplaySpec(1920, 100, 3.0, 0.9, 32), (32, 3, 4)),
  ],
)
def test_schedule(batch, replay, expected):
  assert on_device_replay.schedule(DataSpec(16, batch, replay)) == expected


@pytest.mark.parametrize(
  ("replay", "message"),
  [
    (ReplaySpec(2000, 100, 3.0, 0.9), "whole numbers"),
    (ReplaySpec(2000, 100, 64.0, 0.9), "whole numbers"),
    (ReplaySpec(2000, 100, 4.0, 0.9, 4), "0.5 updates after an unroll of 4 environments"),
    (
      ReplaySpec(100, 100, 4.0, 0.9),
      "replay_capacity is 100; .* multiple of the 8 env.*: give 104",
    ),
    (ReplaySpec(50, 100, 4.0, 0.9), "min_size is 100"),
  ],
)
def test_what_does_not_come_out_is_refused(replay, message):
  with pytest.raises(ValueError, match=message):
    on_device_replay.schedule(DataSpec(16, 32, replay))


def test_items_come_back_bit_for_bit_with_their_memory():
  replay, count = filled(8, [(0, 1, 2)])
  trajectory, slots = drawn(replay, count)
  assert numbers(trajectory) == slots.tolist()
  assert set(numbers(trajectory)) == {0, 1, 2}
  np.testing.assert_allclose(trajectory.probability, 1 / 3, rtol=1e-6)
  assert_intact(jax.tree.map(np.asarray, trajectory._replace(probability=())))


def test_the_oldest_are_replaced():
  replay, count = filled(6, [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (12, 13, 14)])
  trajectory, slots = drawn(replay, count)
  assert set(numbers(trajectory)) == set(range(9, 15))
  np.testing.assert_array_equal(np.array(numbers(trajectory)) % 6, slots)


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_the_chance_of_an_item_is_its_priority_to_the_exponent(exponent):
  replay, count = filled(6, [(0, 1), (2, 3), (4, 5)])
  priorities = np.array([0.0, 0.5, 3.0, 8.0], np.float32)
  replay = on_device_replay.update_priorities(replay, jnp.arange(4), priorities, exponent)
  powers = np.append(np.where(priorities > 0, priorities**exponent, 0), [1, 1])
  expected = powers / powers.sum()
  counts = np.zeros(6)
  for seed in range(50):
    trajectory, slots = drawn(replay, count, seed=seed)
    np.testing.assert_allclose(trajectory.probability, expected[slots], rtol=1e-5)
    counts += np.bincount(slots, minlength=6)
  assert counts[0] == 0
  assert stats.chisquare(counts[1:], expected[1:] * counts.sum()).pvalue > 1e-6


def test_one_is_drawn_of_each_stratum():
  replay, count = filled(8, [(0, 1, 2, 3), (4, 5, 6, 7)])
  for seed in range(5):
    assert drawn(replay, count, batch=8, seed=seed)[1].tolist() == list(range(8))


def test_new_items_have_priority_1_whatever_lay_there():
  replay, _ = filled(4, [(0, 1), (2, 3)])
  replay = on_device_replay.update_priorities(replay, jnp.arange(4), jnp.full(4, 9.0), 1.0)
  replay = on_device_replay.insert(replay, unroll(4, 5), jnp.int32(4))
  np.testing.assert_allclose(weights(replay), [1, 1, 9, 9])


def test_if_all_priorities_are_0_all_items_are_drawn():
  replay, count = filled(4, [(0, 1, 2)])
  replay = on_device_replay.update_priorities(replay, jnp.arange(3), jnp.zeros(3), 0.5)
  trajectory, slots = drawn(replay, count)
  assert set(slots.tolist()) == {0, 1, 2}
  np.testing.assert_allclose(trajectory.probability, 1 / 3, rtol=1e-6)


def recorder(exponent=0.5, batch=8):
  """An agent that learns nothing: its state counts calls, an item's new priority is its number."""

  def learn(state, trajectory, key):
    number = trajectory.reward[0]
    return Learned(state + 1, {"chance": jnp.mean(trajectory.probability), "call": state}, number)

  data = DataSpec(LENGTH, batch, ReplaySpec(6, 1, 4.0, exponent, 6))
  return Agent(*[None] * len(Agent._fields))._replace(learn=learn, data=data)


def test_each_update_draws_a_batch_and_writes_its_priorities_back():
  replay, count = filled(6, [(10, 11, 12), (13, 14, 15)])
  calls, nodes, metrics = on_device_replay.learn(
    recorder(), jnp.float32(0), replay, jax.random.key(0), count
  )
  assert calls == 3  # 4 samples an insert, 6 inserts, batches of 8
  assert metrics["call"] == 1  # the mean of 0, 1, 2
  # The first batch by strata of 8 in 6 equal items holds every item.
  np.testing.assert_allclose(weights(replay._replace(nodes=nodes)), np.arange(10, 16) ** 0.5, 1e-6)
  assert metrics["chance"] != pytest.approx(1 / 6, rel=1e-3)  # the second has new chances


def test_without_an_exponent_priorities_do_not_matter():
  replay, count = filled(6, [(10, 11, 12), (13, 14, 15)])
  _, nodes, metrics = on_device_replay.learn(
    recorder(exponent=0.0), jnp.float32(0), replay, jax.random.key(0), count
  )
  np.testing.assert_array_equal(nodes, replay.nodes)
  np.testing.assert_allclose(metrics["chance"], 1 / 6, rtol=1e-6)


def test_nothing_is_learned_before_min_size_and_then_twice_an_unroll():
  _, runtime = deep_sea()
  carry = runtime.init(keys(0))
  before = jax.device_get(carry.learner.params)
  for unrolls in range(1, 6):
    carry, metrics = runtime.run(carry)
    assert carry.updates.tolist() == [2 * unrolls]
    calls = max(unrolls - WARM_UP, 0) * UPDATES
    assert carry.learner.updates.tolist() == [calls]
    assert np.isnan(metrics["loss"]).all() == (calls == 0)
    assert metrics["learned"].tolist() == [float(calls > 0)]
    if not calls:
      jax.tree.map(np.testing.assert_array_equal, before, carry.learner.params)
  changed = [
    not np.array_equal(x, y)
    for x, y in zip(jax.tree.leaves(before), jax.tree.leaves(carry.learner.params), strict=True)
  ]
  assert any(changed)


def test_the_agents_priorities_reach_the_replay():
  _, runtime = deep_sea()
  carry = runtime.init(keys(0))
  for _ in range(WARM_UP):
    carry, _ = runtime.run(carry)
  assert sorted(weights(jax.tree.map(lambda x: x[0], carry.replay))) == [0.0] * 8 + [1.0] * 8
  carry, _ = runtime.run(carry)
  held = weights(jax.tree.map(lambda x: x[0], carry.replay))
  assert (held[:12] > 0).all()
  assert (held[:12] != 1).sum() > 6
  assert (held[12:] == 0).all()


def test_what_is_held_is_what_was_acted_out():
  """The newest items are the trajectory that the same carry unrolls."""
  env = envs.make("deep_sea", size=4)
  agent, runtime = deep_sea()
  carry, _ = runtime.run(runtime.init(keys(0)))
  one = jax.tree.map(lambda x: x[0], carry)
  act = jax.jit(lambda c: on_device.unroll(AutoReset(env), agent, agent.variables(c.learner), c)[1])
  expected = jax.device_get(act(one))
  carry, _ = runtime.run(carry)
  held = jax.tree.map(lambda x: x[0, 4:8], carry.replay.items)
  np.testing.assert_array_equal(np.swapaxes(held.observation, 0, 1), expected.observation)
  np.testing.assert_array_equal(np.swapaxes(held.action, 0, 1), expected.action)
  np.testing.assert_allclose(held.memory.core, expected.memory.core, rtol=1e-6)


def test_it_compiles_once():
  _, runtime = deep_sea()
  carry = runtime.init(keys(0))
  before = runtime.run._cache_size()
  for _ in range(WARM_UP + 2):
    carry, _ = runtime.run(carry)
  assert runtime.run._cache_size() <= max(before, 1)


def test_calls_of_two_sizes_make_the_same_run():
  _, runtime = deep_sea()
  one = runtime.init(keys(0))
  for _ in range(4):
    one, _ = runtime.run(one)
  program, other = large()
  other, metrics = program(other)
  assert metrics["learned"] == 2
  for x, y in zip(jax.tree.leaves(one.learner), jax.tree.leaves(other.learner), strict=True):
    np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


def test_a_restored_run_goes_on_bit_for_bit(tmp_path):
  _, runtime = deep_sea()
  carry = runtime.init(keys(0))
  for _ in range(WARM_UP + 1):
    carry, _ = runtime.run(carry)
  saved = checkpoint.Checkpoints(tmp_path, {}, create=True)
  saved.save(1, carry)
  restored = saved.restore(runtime.init(keys(0)))
  saved.close()
  for _ in range(3):
    carry, _ = runtime.run(carry)
    restored, _ = runtime.run(restored)
  left, right = (jax.tree.leaves(checkpoint.to_arrays(x)) for x in (carry, restored))
  for x, y in zip(left, right, strict=True):
    np.testing.assert_array_equal(x, y)


def test_whether_to_learn_is_a_branch_also_with_several_seeds():
  _, runtime = deep_sea()
  text = runtime.run.lower(runtime.init(keys(0, 1))).as_text()
  assert text.count("stablehlo.case") + text.count("stablehlo.if") == 2  # and whether to diagnose


def test_the_items_are_not_copied():
  program, carry = large()
  items = sum(x.nbytes for x in jax.tree.leaves(carry.replay.items))
  assert program.memory_analysis().temp_size_in_bytes < items / 10


def test_several_devices_are_refused():
  agent, _ = deep_sea()
  with pytest.raises(ValueError, match="lies on one device; give --devices 1"):
    on_device.build(envs.make("deep_sea", size=4), agent, 2, jax.local_devices() * 2)


def test_a_log_interval_of_half_an_iteration_is_refused():
  agent, _ = deep_sea()
  with pytest.raises(ValueError, match="log_updates is 3; it must be a multiple of the 2 updates"):
    on_device.build(envs.make("deep_sea", size=4), agent, 3)


@pytest.mark.parametrize("name", ["reach", "her"])
def test_agents_that_replay_by_default_do_so_with_all_defaults(name):
  config = TrainConfig.of(name)
  config = dataclasses.replace(config, env="goals/random_maze", env_args=("size=5", "free=True"))
  assert train.build(config).agent.data.replay is not None


def test_the_log_counts_the_steps_that_were_taken():
  config = TrainConfig(
    env="deep_sea",
    env_args=("size=4",),
    steps=100,
    log_updates=UPDATES,
    eval_episodes=4,
    devices=1,
    agent_name="soft_q",
    agent=SMALL,
  )
  experiment = train.build(config)
  progress = list(experiment.loop.train(experiment.loop.init(), lambda: False))
  rows = list(itertools.chain.from_iterable(p.rows for p in progress))
  assert [row["step"] for row in rows] == [20, 40, 60, 80, 100]
  assert [p.updates for p in progress] == [2, 4, 6, 8, 10]
  assert [steps(experiment.agent.data, p.updates) for p in progress] == [20, 40, 60, 80, 100]
  assert sum(row["episode/count"] for row in rows) * 5 == 100
  assert ["loss" in row for row in rows] == [False, False, True, True, True]
