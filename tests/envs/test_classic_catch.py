"""Catch step by step against bsuite's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.classic.catch import Catch, CatchState
from envs.conformance import check


def assert_follows_bsuite(env, step, column, actions):
  catch = pytest.importorskip("bsuite.environments.catch")
  theirs = catch.Catch(env.rows, env.columns)
  timestep = theirs.reset()
  theirs._ball_x = column
  state = CatchState(jnp.int32(0), jnp.int32(column), jnp.int32(env.columns // 2))
  np.testing.assert_array_equal(env.observe(state), theirs._observation())
  for action in actions:
    timestep = theirs.step(action)
    state, ours = step(state, np.int32(action))
    assert ours.step_type == timestep.step_type
    assert (ours.reward, ours.discount) == (timestep.reward, timestep.discount)
    np.testing.assert_array_equal(ours.observation, timestep.observation)
  assert timestep.last()


@pytest.mark.parametrize("column", range(5))
def test_random_episodes_agree_with_bsuite_for_every_column_of_the_ball(column):
  env, rng = Catch(), np.random.default_rng(column)
  step = jax.jit(env.step)
  for _ in range(20):
    assert_follows_bsuite(env, step, column, rng.integers(0, 3, 9))


@pytest.mark.parametrize(("rows", "columns"), [(2, 1), (4, 6)])
def test_boards_of_other_sizes_agree_with_bsuite(rows, columns):
  env, rng = Catch(rows, columns), np.random.default_rng(0)
  for column in range(columns):  # and not jitted
    assert_follows_bsuite(env, env.step, column, rng.integers(0, 3, rows - 1))


def test_the_ball_falls_in_every_column_equally_often():
  _, first = jax.vmap(Catch().reset)(jax.random.split(jax.random.key(0), 5000))
  share = np.asarray(first.observation)[:, 0].mean(axis=0)
  np.testing.assert_allclose(share, 0.2, atol=0.03)


@pytest.mark.parametrize("column", range(5))
def test_following_the_ball_scores_what_optimal_says(column):
  env = Catch()
  state = CatchState(jnp.int32(0), jnp.int32(column), jnp.int32(2))
  rewards, step = [], jax.jit(env.step)
  for _ in range(env.max_episode_steps):
    state, timestep = step(state, 1 + jnp.sign(column - state.paddle))
    rewards.append(float(timestep.reward))
  reference = env.optimal()
  assert sum(rewards) == reference.episode_return == env.success_return
  assert len(rewards) == reference.length
  np.testing.assert_allclose(rewards @ 0.99 ** np.arange(9), reference.discounted_return)


def test_no_optimal_score_where_the_paddle_may_come_too_late():
  assert Catch(rows=3, columns=7).optimal() is None


def test_conforms():
  check(envs.make("catch"), steps=30)


def test_render_shows_ball_and_paddle():
  picture = jax.jit(Catch().render)(CatchState(jnp.int32(3), jnp.int32(4), jnp.int32(0)))
  assert picture.shape == (80, 40, 3)
  cells = np.asarray(picture)[::8, ::8]
  assert tuple(cells[3, 4]) == (255, 215, 0)
  assert tuple(cells[9, 0]) == (255, 255, 255)
  assert (cells == (0, 40, 90)).all(axis=-1).sum() == 48


def test_a_board_without_room_to_fall_is_refused():
  with pytest.raises(ValueError, match="the board is 1 by 5; expected at least 2 rows"):
    envs.make("catch", rows=1)
