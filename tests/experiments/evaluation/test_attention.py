"""Attention in a clip: whose it is, where it is drawn, and runs that have none."""

import types

import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from envs.observation import Cells
from experiments.evaluation import attention, clips
from experiments.settings.errors import UserError
from tests.experiments.evaluation.test_clips import Walk, experiment, frames

PICTURE = specs.BoundedArray((4, 6, 3), np.uint8, 0, 255)
GRID = Cells((2, 2, 1), np.int32, 0, 3, 1)


def world(spec):
  return types.SimpleNamespace(observation_spec=lambda: spec)


def agent(*names):
  maps = {name: jnp.full((1, 2, 3), i) for i, name in enumerate(names)}
  return types.SimpleNamespace(probe=types.SimpleNamespace(attention=lambda v, o: maps))


def test_it_is_that_of_a_picture_before_other_leaves():
  look = attention.watch(world({"a": GRID, "b": PICTURE}), agent("a", "b"))
  seen, weights = look((), {"a": 7, "b": 8})
  assert seen == 8
  assert np.all(weights == 1)
  seen, weights = attention.watch(world({"a": GRID, "b": PICTURE}), agent("a"))(
    (), {"a": 7, "b": 8}
  )
  assert seen is None
  assert np.all(weights == 0)


def test_places_with_more_than_their_share_are_warm_and_the_first_is_framed():
  weights = np.full((1, 2, 3), 0.04)
  weights[0, 1, 2] = 0.8
  (picture,) = attention.drawn(np.full((1, 4, 6, 3), 200, np.uint8), weights)
  assert picture.shape == (320, 480, 3)
  assert tuple(picture[40, 40]) == (100, 100, 100)  # darkened alone
  red, green, blue = picture[240, 400].astype(int)
  assert red > green > blue
  framed = (picture == 255).all(-1)
  assert framed[160, 320:].all()
  assert framed[160:, 320].all()
  assert not framed[:160].any()
  assert not framed[:, :320].any()


def test_even_weights_have_no_colour():
  (picture,) = attention.drawn(None, np.full((1, 2, 2), 0.25))
  assert set(np.unique(picture)) == {0, 255}


def test_a_clip_shows_it_beside_what_is_seen(tmp_path):
  run, variables = experiment(Walk())
  run.agent.probe = types.SimpleNamespace(
    attention=lambda variables, observation: {
      "": jnp.tile(jnp.eye(2) / 2, (len(observation), 1, 1))
    }
  )
  clips.write_episode(tmp_path / "with.gif", run, variables, attends=True)
  clips.write_episode(tmp_path / "plain.gif", run, variables)
  (with_it, _), (plain, _) = frames(tmp_path / "with.gif"), frames(tmp_path / "plain.gif")
  assert len(with_it) == len(plain)
  assert with_it[0][0].shape[1] - plain[0][0].shape[1] == 330


def test_a_run_without_attention_is_refused_in_one_line():
  for probe in (None, types.SimpleNamespace(attention=None)):
    with pytest.raises(UserError, match=r"no attention to show; train one with --torso xcit"):
      attention.watch(world(PICTURE), types.SimpleNamespace(probe=probe))
