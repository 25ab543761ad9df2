"""The bonus rle: directions in NumPy, when they are drawn, and the policy that reads them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import bonuses
from agents.bonuses import rle
from agents.bonuses.rle import Direction, RLEConfig
from agents.byol_explore import ByolExploreConfig, build
from agents.cores import core as cores
from agents.fresh import FreshConfig
from agents.offline import learner
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from envs.environment import FIRST
from envs.registry import Choice
from experiments.runtimes import on_device
from tests.agents.bonuses.slow_networks import mlp
from tests.agents.bonuses.small_world import KEY, SIZE, context, outputs

LENGTH, BATCH, SIZE_Z = 9, 4, 3


@pytest.mark.parametrize("of", ["observation", "latent"])
def test_rewards_of_two_batches_equal_a_slow_version(make_trajectory, of):
  bonus = rle.build(RLEConfig(of=of, size=SIZE_Z), context())
  reward, rng = jax.jit(bonus.reward), np.random.default_rng(0)
  params, statistics = bonus.init(KEY)
  assert params == ()
  seen = np.zeros((0, SIZE_Z))
  for _ in range(2):
    trajectory = make_trajectory(rng, LENGTH, BATCH, size=SIZE)
    z = rng.normal(size=(LENGTH + 1, BATCH, SIZE_Z))
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    trajectory = trajectory._replace(extras={"condition": jnp.asarray(z, jnp.float32)})
    out = outputs(rng, trajectory)
    rewards, statistics, _ = reward(params, statistics, trajectory, out, KEY)
    if of == "latent":
      features = np.asarray(out.latents, np.float64) @ np.asarray(statistics.network, np.float64)
    else:
      features = mlp(statistics.network, trajectory.observation)
    seen = np.concatenate([seen, features[1:].reshape(-1, SIZE_Z)])
    white = (features - seen.mean(axis=0)) / (seen.std(axis=0) + 1e-5)
    for t, b in np.ndindex(LENGTH, BATCH):
      arrived = white[t + 1, b]
      expected = z[t, b] @ arrived / np.linalg.norm(arrived)
      np.testing.assert_allclose(rewards[t, b], expected, rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize("interval", [0, 3])
def test_directions_last_an_episode_or_an_interval(make_step_types, interval):
  types = make_step_types(np.random.default_rng(1), 30, BATCH, end=0.1)
  types[0] = FIRST
  draw = jax.jit(rle.condition(SIZE_Z, interval).draw)
  memory = Direction(jnp.zeros((BATCH, SIZE_Z)), jnp.zeros((BATCH,), jnp.int32))
  age, before, drawn = np.zeros(BATCH, int), None, []
  for t, key in enumerate(jax.random.split(KEY, len(types))):
    z, memory = draw(memory, types[t] == FIRST, key)
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1.0, rtol=1e-5)
    new = (types[t] == FIRST) | ((age >= interval) & (interval > 0))
    if before is not None:
      np.testing.assert_array_equal(np.any(z != before, axis=-1), new)
    age, before = np.where(new, 1, age + 1), z
    drawn += [tuple(x) for x in np.asarray(z)[new].tolist()]
  assert len(set(drawn)) == len(drawn)


ENV = envs.make("deep_sea", size=4)
TINY = ByolExploreConfig(
  bonus=bonuses.registry.choice("rle", size=SIZE_Z),
  head_hidden=8,
  unroll_length=6,
  batch_size=4,
  world_model=WorldModelConfig(
    torso=Choice("linear"), core=cores.registry.choice("feedforward"), latent_size=8, core_size=8
  ),
)


def test_the_policy_that_acts_is_the_one_that_learns_and_reads_what_it_was_given(quick_jit):
  agent = build(TINY, ENV)
  carry = quick_jit(on_device.build(ENV, agent, 1).init)(KEY[None])
  carry = jax.tree.map(lambda x: x[0], carry)

  variables = agent.variables(carry.learner)
  play = quick_jit(lambda carry: on_device.unroll(AutoReset(ENV), agent, variables, carry)[1])
  trajectory, heads = play(carry), quick_jit(agent.probe.heads)
  other = {"condition": -trajectory.extras["condition"]}
  turned = trajectory._replace(extras=trajectory.extras | other)
  read, reread = (heads(carry.learner, x) for x in (trajectory, turned))
  np.testing.assert_allclose(trajectory.extras["policy"][:-1], read.policy[:-1], atol=1e-5)
  assert np.any(np.abs(read.policy - reread.policy) > 1e-6)
  assert np.any(np.abs(read.value[-1] - reread.value[-1]) > 1e-6)  # the last entry's as well
  # Within an episode z stays, over its end it changes.
  z, first = np.asarray(trajectory.extras["condition"][:-1]), np.asarray(trajectory.first[1:-1])
  np.testing.assert_array_equal(np.any(z[1:] != z[:-1], axis=-1), first)
  assert first.any()


def test_beside_a_planner_it_is_refused_by_one_line():
  config = dataclasses.replace(TINY, planner=Choice("lookahead"))
  with pytest.raises(ValueError, match="bonus 'rle' has them read more"):
    build(config, ENV)


def test_offline_it_is_refused_by_one_line():
  config = dataclasses.replace(FreshConfig(), bonus=bonuses.registry.choice("rle"))
  with pytest.raises(ValueError, match="bonus 'rle' is for agents that act"):
    learner.build(config, envs.make("goals/u_maze"))


@pytest.mark.parametrize("settings", [{"size": 1}, {"interval": -1}])
def test_settings_that_cannot_be_are_refused(settings):
  with pytest.raises(ValueError, match=f"{next(iter(settings))} is"):
    RLEConfig(**settings)
