"""Pictures are asked for where they are offered, and a constructor's error is one line."""

import numpy as np
import pytest

import envs


def picture(name, **settings):
  copy = envs.make(name, stepping="serial", **settings).make(0)
  copy.reset()
  return copy.render()


@pytest.mark.parametrize(
  "name",
  [
    "quirks_success:Drawn",
    "quirks_success:PassesOn",
    "quirks_success:drawn",
    "gym:quirks_success:QuirkDrawn-v0",
    "gym:quirks_success:QuirkPassesOn-v0",
    "gym:quirks_success:QuirkMaker-v0",
    "gym:CartPole-v1",
  ],
)
def test_pictures_are_asked_for_where_they_are_offered(quirks, name):
  assert picture(name).dtype == np.uint8


@pytest.mark.parametrize(
  "name",
  [
    "quirks:RenderAssert",
    "gym:quirks:QuirkRenderAssert-v0",
    "quirks_success:NotAsked",
    "gym:quirks_success:QuirkNotAsked-v0",
    "quirks_success:not_drawn",
  ],
)
def test_nothing_else_is_asked_for_them(quirks, name):
  assert envs.make(name, stepping="serial").make(0).reset().first()


@pytest.mark.parametrize("name", ["quirks_success:Drawn", "gym:quirks_success:QuirkDrawn-v0"])
def test_a_render_mode_given_by_hand_is_kept(quirks, name):
  env = envs.make(name, stepping="serial", render_mode="human")
  assert env.make(0)._env._env.unwrapped.render_mode == "human"


@pytest.mark.parametrize("name", ["quirks_success:Broken", "gym:quirks_success:QuirkBroken-v0"])
def test_what_a_constructor_raises_is_left_as_it_is(quirks, name):
  with pytest.raises(KeyError, match=r"no such file: world\.xml"):
    envs.make(name)


def test_a_setting_that_is_missing_is_named(quirks):
  with pytest.raises(ValueError, match=r"NoSize' with {}: .*argument: 'size'$"):
    envs.make("quirks_success:NoSize")
