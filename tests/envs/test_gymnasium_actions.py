"""Gymnasium's spaces of actions, each drawn here and taken there in the form that it contains."""

import gymnasium
import jax
import numpy as np
import pytest
from dm_env import specs
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from envs import action_specs
from envs.adapters import from_gymnasium, to_gymnasium, to_gymnasium_vector
from envs.environment import Environment, restart, transition
from envs.host.canonical import Canonical
from envs.random_action import random_action

SPACES = {
  "discrete": spaces.Discrete(3, start=-1),
  "several": spaces.MultiDiscrete([3, 2]),
  "several from a start": spaces.MultiDiscrete([3, 2], start=[-1, 5]),
  "several in two axes": spaces.MultiDiscrete([[2, 3], [4, 1]], start=[[0, 1], [-2, 7]]),
  "binary": spaces.MultiBinary(4),
  "binary in two axes": spaces.MultiBinary((2, 3)),
  "integers in a box": spaces.Box(-2, 3, (2,), np.int16),
  "no bounds": spaces.Box(-np.inf, np.inf, (2,), np.float32),
  "no bounds, written as the largest numbers": spaces.Box(
    np.finfo(np.float32).min, np.finfo(np.float32).max, (2,), np.float32
  ),
  "one bound": spaces.Box(np.float32([0, -np.inf]), np.float32([np.inf, 1]), dtype=np.float32),
  "both bounds": spaces.Box(-2.0, 5.0, (2,), np.float64),
}


class Taking(gymnasium.Env):
  """Keeps what it is told."""

  observation_space = spaces.Box(-1, 1, (1,), np.float32)

  def __init__(self, space):
    self.action_space, self.taken = space, []

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    return np.zeros(1, np.float32), {}

  def step(self, action):
    self.taken.append(action)
    return np.zeros(1, np.float32), 0.0, False, False, {}


def take(space, draws):
  """What an environment with this space gets of so many random actions of its spec."""
  inner = Taking(space)
  env = Canonical(from_gymnasium(inner), 10_000)
  assert action_specs.conforms(env.action_spec())
  env.reset()
  for action in np.asarray(random_action(env.action_spec(), jax.random.key(0), (draws,))):
    env.step(action)
  return inner.taken


@pytest.mark.parametrize("name", SPACES)
def test_what_arrives_is_contained_in_the_space_and_of_its_dtype(name):
  space = SPACES[name]
  for action in take(space, 50):
    assert space.contains(action)
    assert isinstance(action, int) or action.dtype == space.dtype


@pytest.mark.parametrize("name", ["several from a start", "several in two axes", "binary"])
def test_every_action_of_the_space_can_be_taken(name):
  space = SPACES[name]
  counts = space.nvec if isinstance(space, spaces.MultiDiscrete) else np.full(space.shape, 2)
  assert len({action.tobytes() for action in take(space, 400)}) == np.prod(counts)


def test_several_integers_are_told_as_a_spec_from_0():
  env = from_gymnasium(Taking(SPACES["several in two axes"]))
  assert env.action_spec() == specs.BoundedArray((2, 2), np.int32, 0, [[1, 2], [3, 0]], "action")


def test_a_wrong_one_of_several_integers_is_refused():
  env = from_gymnasium(Taking(SPACES["several"]))
  env.reset()
  with pytest.raises(ValueError, match=r"action \[2 2\] is out of range; expected"):
    env.step(np.int32([2, 2]))


@pytest.mark.parametrize("space", [spaces.Dict({"a": spaces.Discrete(2)}), spaces.Text(5)])
def test_a_space_that_is_no_array_of_numbers_is_refused_in_one_line(space):
  with pytest.raises(
    ValueError, match=r"action space .* expected a Box, .*TransformAction"
  ) as told:
    from_gymnasium(Taking(space))
  assert "\n" not in str(told.value)


class Sum(Environment):
  """One step that pays the sum of the action."""

  def __init__(self, actions):
    self.actions = actions

  def reset(self, key):
    return key, restart(np.zeros(1, np.float32))

  def step(self, state, action):
    return state, transition(np.zeros(1, np.float32), action.sum(), True)

  def observation_spec(self):
    return specs.BoundedArray((1,), np.float32, -1.0, 1.0)

  def action_spec(self):
    return self.actions


@pytest.mark.filterwarnings("ignore:.*For Box action spaces:UserWarning")
@pytest.mark.filterwarnings("ignore:.*A Box action space:UserWarning")
@pytest.mark.parametrize(
  ("spec", "space"),
  [
    (
      specs.BoundedArray((2, 2), np.int32, 0, [[1, 2], [3, 0]]),
      spaces.MultiDiscrete([[2, 3], [4, 1]]),
    ),
    (specs.Array((2,), np.float32), spaces.Box(-np.inf, np.inf, (2,), np.float32)),
  ],
)
def test_to_gymnasium_and_back(spec, space):
  env = to_gymnasium(Sum(spec))
  assert env.action_space == space
  check_env(env, skip_render_check=True)
  back = from_gymnasium(env, seed=0)
  found = back.action_spec()
  assert (found.shape, found.dtype) == (spec.shape, spec.dtype)
  np.testing.assert_array_equal(action_specs.bounds(found), action_specs.bounds(spec))
  action = np.asarray(random_action(found, jax.random.key(0)))
  back.reset()
  np.testing.assert_allclose(back.step(action).reward, action.sum(), rtol=1e-6)
  many = to_gymnasium_vector(Sum(spec), 3)
  many.reset(seed=0)
  actions = many.action_space.sample()
  np.testing.assert_allclose(many.step(actions)[1], actions.reshape(3, -1).sum(axis=1), rtol=1e-5)
