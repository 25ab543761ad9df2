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
  with pytest.raises(ValueError, match=r"NoSize' with {}: .*argument: 'size'; give"):
    envs.make("quirks_success:NoSize")


@pytest.mark.parametrize(
  "name", ["quirks_building:WrongTypes", "gym:quirks_building:QuirkWrongTypes-v0"]
)
def test_a_type_error_of_a_constructor_is_left_as_it_is(quirks, name):
  with pytest.raises(TypeError, match="has no len"):
    envs.make(name)


@pytest.mark.parametrize(
  ("name", "beginning"),
  [
    ("quirks_building:WrongTypes", "environment 'quirks_building:WrongTypes' with {'sise': 3}: "),
    ("gym:quirks_building:QuirkWrongTypes-v0", "gym:quirks_building:QuirkWrongTypes-v0: "),
  ],
)
def test_a_setting_that_does_not_exist_is_named_once(quirks, name, beginning):
  with pytest.raises(ValueError, match=r"unexpected keyword argument 'sise'$") as told:
    envs.make(name, sise=3)
  assert str(told.value).startswith(beginning + "got an")


@pytest.mark.parametrize("settings", [{}, {"seed": None}, {"size": 4}])
@pytest.mark.parametrize(
  "name", ["quirks_building:SeedFirst", "gym:quirks_building:QuirkSeedFirst-v0"]
)
def test_a_seed_that_is_required_is_drawn(quirks, name, settings):
  env = envs.make(name, stepping="serial", **settings)
  one, two, again = (env.make(seed).reset().observation for seed in (1, 2, 1))
  assert (one != two).all()
  np.testing.assert_array_equal(one, again)
