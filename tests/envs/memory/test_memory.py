"""Worlds of memory against a slow walk through them, and against bsuite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check
from envs.memory.t_maze import EAST, NORTH, SOUTH, WEST


def t_maze(north, length=3):
  env = envs.make("memory/t_maze", length=length)
  seed = next(s for s in range(20) if bool(env.reset(jax.random.key(s))[0].north) == north)
  return env, *env.reset(jax.random.key(seed))


@pytest.mark.parametrize("north", [False, True])
def test_the_sign_says_where_the_reward_is(north):
  env, state, timestep = t_maze(north)
  np.testing.assert_array_equal(timestep.observation, [0, 1, 1] if north else [1, 1, 0])
  for seen in ([1, 0, 1], [1, 0, 1], [0, 1, 0]):
    state, timestep = env.step(state, jnp.int32(EAST))
    np.testing.assert_array_equal(timestep.observation, seen)
    assert (float(timestep.reward), int(timestep.step_type)) == (0.0, envs.MID)
  for action in (NORTH, SOUTH):
    _, last = env.step(state, jnp.int32(action))
    right = (action == NORTH) == north
    assert float(last.reward) == pytest.approx(4.0 if right else -0.1)
    assert (int(last.step_type), float(last.discount)) == (envs.LAST, 0.0)


def test_what_is_not_forward_costs_and_time_runs_out():
  env, state, _ = t_maze(True)
  walk = [NORTH, WEST, EAST, SOUTH, WEST, EAST, EAST, EAST]
  places, paid = [0, 0, 1, 1, 0, 1, 2, 3], [0, 0, 1, 0, 0, 1, 1, 1]
  for n, (action, place, forward) in enumerate(zip(walk, places, paid, strict=True)):
    state, timestep = env.step(state, jnp.int32(action))
    assert int(state.place) == place
    assert float(timestep.reward) == pytest.approx(0.0 if forward else -0.1)
    ended = n + 1 == env.max_episode_steps
    assert int(timestep.step_type) == (envs.LAST if ended else envs.MID)
  assert ended
  assert float(timestep.discount) == 1.0


@pytest.mark.parametrize("length", [1, 2, 5])
def test_memory_len_is_bsuites(length):
  memory_chain = pytest.importorskip("bsuite.environments.memory_chain")
  env = envs.make("memory/memory_len", length=length)
  for seed, action in ((0, 0), (1, 1), (2, 0), (3, 1)):
    state, timestep = env.reset(jax.random.key(seed))
    theirs = memory_chain.MemoryChain(length)
    theirs.reset()
    theirs._context[:] = int(state.bit)
    expected = theirs._get_observation()
    for _ in range(length + 2):
      np.testing.assert_allclose(timestep.observation, expected, atol=1e-6)
      if int(timestep.step_type) == envs.LAST:
        break
      state, timestep = env.step(state, jnp.int32(action))
      their_step = theirs._step(action)
      expected = their_step.observation
      assert float(timestep.reward) == their_step.reward
      assert int(timestep.step_type) == int(their_step.step_type)
    assert int(timestep.step_type) == envs.LAST


@pytest.mark.parametrize("name", ["memory/t_maze", "memory/memory_len"])
def test_lengths_below_one_are_refused(name):
  with pytest.raises(ValueError, match=f"environment '{name}': length is 0"):
    envs.make(name, length=0)


@pytest.mark.parametrize(("name", "best"), [("memory/t_maze", 4.0), ("memory/memory_len", 1.0)])
def test_it_keeps_the_contract_and_its_optimum_can_be_had(name, best):
  env = envs.make(name, length=3)
  check(env)
  reference = env.optimal()
  assert (reference.success, reference.episode_return, reference.length) == (1.0, best, 4.0)
  assert reference.discounted_return == pytest.approx(best * 0.99**3)
  assert best >= env.success_return
