"""Craftax behind the functional contract: shapes, time limit, death."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check_structure
from envs.environment import FIRST, LAST, MID

pytest.importorskip("craftax")


@pytest.fixture(scope="module")
def world():
  env = envs.make("craftax/classic", max_episode_steps=3)
  return env, jax.jit(env.reset), jax.jit(env.step)


@pytest.mark.parametrize(
  ("name", "size", "actions", "limit"),
  [("craftax/classic", 1345, 17, 10_000), ("craftax/full", 8268, 43, 100_000)],
)
def test_structure(name, size, actions, limit):
  env = envs.make(name)
  check_structure(env, jax.random.key(0))
  assert env.observation_spec().shape == (size,)
  assert (env.action_spec().num_values, env.max_episode_steps) == (actions, limit)


def test_time_that_is_up_is_a_truncation(world):
  _, reset, step = world
  state, timestep = reset(jax.random.key(0))
  kinds, discounts = [int(timestep.step_type)], [float(timestep.discount)]
  for _ in range(3):
    state, timestep = step(state, jnp.int32(0))
    kinds.append(int(timestep.step_type))
    discounts.append(float(timestep.discount))
  assert kinds == [FIRST, MID, MID, LAST]
  assert discounts == [1, 1, 1, 1]
  assert np.isfinite(timestep.observation).all()


def test_death_is_a_termination_on_the_last_step_too(world):
  _, reset, step = world
  state, _ = reset(jax.random.key(0))
  dead = state.world.replace(player_health=jnp.full_like(state.world.player_health, -5))
  for timestep in (0, 2):
    now = dead.replace(timestep=jnp.full_like(dead.timestep, timestep))
    _, after = step(state._replace(world=now), jnp.int32(0))
    assert int(after.step_type) == LAST
    assert float(after.discount) == 0
