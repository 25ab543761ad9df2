"""Atari: one game against ALE's vector of games, endings, seeds."""

import numpy as np
import pytest

import envs
from envs.environment import FIRST, LAST, MID
from envs.host.atari import area_matrix, channels_last
from envs.host.conformance import check

pytest.importorskip("ale_py")


def test_the_vector_shows_what_one_game_shows():
  env = envs.make("atari/montezuma_revenge", sticky=0.0, noop_max=0)
  actions = np.random.default_rng(0).integers(18, size=60)
  one = env.make(3)
  with env.vector(2, 0) as many:
    single, batch = one.reset(), many.reset()
    for action in actions:
      # Sums are rounded in another order, so that a pixel in a thousand differs by one.
      gap = np.abs(batch.observation[1].astype(int) - single.observation)
      assert gap.max() <= 1
      assert (gap > 0).mean() < 0.005
      single, batch = one.step(action), many.step(np.full(2, action))
      assert batch.reward[1] == single.reward
      assert batch.step_type[1] == single.step_type


def test_an_episode_is_cut_off_after_its_steps_and_the_next_begins():
  env = envs.make("atari/pong", max_episode_steps=5)
  assert env.max_episode_steps == 5
  one = env.make(0)
  with env.vector(2, 0) as many:
    batches = [many.reset(), *(many.step(np.zeros(2, np.int32)) for _ in range(6))]
    single = [one.step(0) for _ in range(7)]
  for t, kind in enumerate([FIRST, MID, MID, MID, MID, LAST, FIRST]):
    assert (batches[t].step_type == kind).all()
    assert (batches[t].discount == 1).all()
    assert single[t].step_type == kind
  assert single[5].discount == 1.0


def test_the_end_of_a_game_is_a_termination():
  env = envs.make("atari/pong", sticky=0.0, noop_max=0)
  with env.vector(2, 0) as many:
    now = many.reset()
    total = np.zeros(2)
    for _ in range(env.max_episode_steps):
      now = many.step(np.zeros(2, np.int32))
      total += now.reward
      if (now.step_type == LAST).any():
        break
    assert (now.discount == 0).all()
    assert (total == -21).all()
    now = many.step(np.zeros(2, np.int32))
    assert (now.step_type == FIRST).all()
    assert (now.reward == 0).all()


def test_it_conforms_with_the_settings_of_the_literature():
  env = envs.make("atari/montezuma_revenge")
  assert env.observation_spec().shape == (84, 84, 4)
  assert env.action_spec().num_values == 18
  assert env.max_episode_steps == 27_000
  check(env, steps=20)


def test_the_full_action_set_is_a_setting():
  assert envs.make("atari/pong").action_spec().num_values == 6
  assert envs.make("atari/pong", full_action_set=True).action_spec().num_values == 18


def test_a_game_renders_in_colour():
  game = envs.make("atari/pong").make(0)
  game.reset()
  assert (game.render().shape, game.render().dtype) == ((210, 160, 3), np.uint8)


def test_stacked_frames_go_to_the_last_axis():
  frames = np.random.default_rng(0).integers(256, size=(3, 4, 84, 84), dtype=np.uint8)
  out = np.empty((3, 84, 84, 4), np.uint8)
  np.testing.assert_array_equal(channels_last(frames, out), np.moveaxis(frames, 1, -1))


def test_areas_average_a_line():
  np.testing.assert_allclose(area_matrix(6, 3) @ np.arange(6), [0.5, 2.5, 4.5])
  np.testing.assert_allclose(area_matrix(3, 2) @ np.array([3.0, 6.0, 9.0]), [4.0, 8.0])


def test_a_game_that_does_not_exist_hints_at_the_nearest():
  with pytest.raises(ValueError, match="did you mean atari/montezuma_revenge"):
    envs.make("atari/montezuma")
