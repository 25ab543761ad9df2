"""The four regimes of noise, which share one world, and the goal."""

import jax
import numpy as np
import pytest
import scipy.stats

import envs
from envs.environment import LAST
from envs.mazes import maze

STAY = 4
REGIMES = ("none", "brownian", "pixel", "on_demand")
SNOW = (maze.DARK, maze.BRIGHT)


def long(noise):
  return envs.make("maze/nine_rooms", noise=noise, max_episode_steps=4000)


@pytest.fixture(scope="module")
def played(play, random_actions):
  """The same long walk in every regime."""
  return {noise: play(long(noise), 5, random_actions(4000, 5)) for noise in REGIMES}


def snowy(observations):
  return np.isin(observations, SNOW).all((1, 2, 3))


def test_all_regimes_have_the_same_actions_and_observations():
  made = [envs.make("maze/nine_rooms", noise=noise) for noise in REGIMES]
  assert {env.action_spec().num_values for env in made} == {5}
  assert len({str(env.observation_spec()) for env in made}) == 1


def test_without_noise_nothing_depends_on_the_key(play, random_actions, played):
  again = play(long("none"), 6, random_actions(4000, 5))
  for one, other in zip(played["none"][1:], again[1:], strict=True):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("noise", ["pixel", "on_demand"])
def test_snow_covers_the_view_and_leaves_the_world_alone(played, noise):
  (states, timesteps, _), (clear, clear_steps, _) = played[noise], played["none"]
  np.testing.assert_array_equal(states.cell, clear.cell)
  np.testing.assert_array_equal(states.objects, clear.objects)
  np.testing.assert_array_equal(states.directions, clear.directions)
  covered = snowy(timesteps.observation)
  np.testing.assert_array_equal(covered, states.snow.falls)
  np.testing.assert_array_equal(timesteps.observation[~covered], clear_steps.observation[~covered])


def test_brownian_noise_changes_the_objects_alone(played):
  (states, timesteps, oracles), (clear, _, _) = played["brownian"], played["none"]
  np.testing.assert_array_equal(states.cell, clear.cell)
  np.testing.assert_array_equal(states.objects[0], clear.objects[0])
  assert (states.objects != clear.objects).mean() > 0.5
  assert not np.isin(timesteps.observation, SNOW).any()
  assert 0.05 < oracles.near_noise.mean() < 0.95


def test_without_noise_there_is_none_to_be_near(played):
  assert not played["none"][2].near_noise.any()
  assert not np.isin(played["none"][1].observation, SNOW).any()


def test_pixel_noise_takes_a_quarter_of_the_frames_independently(played):
  falls = played["pixel"][0].snow.falls
  assert scipy.stats.binomtest(int(falls.sum()), falls.size, 0.25).pvalue > 1e-3
  assert abs(np.corrcoef(falls[:-1], falls[1:])[0, 1]) < 4 / np.sqrt(falls.size)
  np.testing.assert_array_equal(played["pixel"][2].near_noise, falls)


def test_first_frames_are_noisy_as_often_as_others():
  env = envs.make("maze/nine_rooms", noise="pixel")
  states, _ = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), 2000))
  assert scipy.stats.binomtest(int(states.snow.falls.sum()), 2000, 0.25).pvalue > 1e-3


def test_noise_on_demand_follows_staying_and_nothing_else(played, random_actions):
  falls = played["on_demand"][0].snow.falls
  assert not falls[0]
  np.testing.assert_array_equal(falls[1:], random_actions(4000, 5) == STAY)
  np.testing.assert_array_equal(played["on_demand"][2].near_noise, falls)


@pytest.mark.parametrize("noise", ["pixel", "on_demand"])
def test_pixels_of_snow_are_fair_and_independent(played, noise):
  observations = played[noise][1].observation
  frames = (observations[snowy(observations)] == maze.BRIGHT).reshape(-1, 25)
  n = len(frames)
  assert n > 500
  # 25 means, and the correlations of 25 pixels with each other and with those a frame later.
  assert (np.abs(frames.mean(0) - 0.5) < 4.5 * 0.5 / np.sqrt(n)).all()
  signs = 2.0 * frames - 1.0
  together = signs.T @ signs / n - np.eye(25)
  later = signs[:-1].T @ signs[1:] / (n - 1)
  assert max(np.abs(together).max(), np.abs(later).max()) < 5 / np.sqrt(n)


@pytest.mark.parametrize("noise", REGIMES)
def test_the_goal_pays_once_and_ends_the_episode(play, noise):
  env = envs.make("maze/nine_rooms", noise=noise, reward=True)
  to_goal = env.world.distances(env.goal)
  cell, actions = env.start, []
  while cell != env.goal:
    actions.append(int(np.argmin(to_goal[env.world.next_cell[cell]])))
    cell = env.world.next_cell[cell, actions[-1]]
  _, timesteps, _ = play(env, 0, actions)
  reference = env.optimal()
  assert len(actions) == reference.length
  assert timesteps.reward.sum() == timesteps.reward[-1] == reference.episode_return == 1.0
  assert timesteps.reward.sum() >= env.success_return
  assert timesteps.step_type[-1] == LAST
  assert (timesteps.step_type[:-1] != LAST).all()
  assert timesteps.discount[-1] == 0.0
  powers = 0.99 ** np.arange(len(actions))
  np.testing.assert_allclose(reference.discounted_return, (timesteps.reward[1:] * powers).sum())


def test_without_reward_the_far_corner_is_floor():
  env = envs.make("maze/nine_rooms")
  assert env.optimal() is None
  state, _ = env.reset(jax.random.key(0))
  corner = state._replace(cell=np.int32(env.world.room_cells(8)[-1]))
  view = np.asarray(env.observe(corner))
  assert set(view.ravel()) <= {maze.FLOOR, maze.WALL}
  _, timestep = env.step(corner, np.int32(STAY))
  assert float(timestep.reward) == 0.0
  assert int(timestep.step_type) != LAST
