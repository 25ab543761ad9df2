"""The canonical form of observations, actions and episodes."""

import dm_env
import numpy as np
import pytest
from dm_env import specs

from envs import action_specs
from envs.host.canonical import Canonical, action_spec
from envs.host.observations import Observed


class Fixed(dm_env.Environment):
  """Always shows the same, and never ends; keeps the last action."""

  def __init__(self, spec, observation, actions):
    self.spec, self.observation, self.actions = spec, observation, actions

  def reset(self):
    return dm_env.restart(self.observation)

  def step(self, action):
    self.taken = action
    return dm_env.transition(1.0, self.observation, 0.9)

  def observation_spec(self):
    return self.spec

  def action_spec(self):
    return self.actions


DISCRETE = specs.DiscreteArray(3)


@pytest.mark.parametrize(
  ("spec", "expected"),
  [
    (specs.BoundedArray((2,), np.uint8, 0, 255), specs.BoundedArray((2,), np.uint8, 0, 255)),
    (specs.Array((2,), np.float64), specs.Array((2,), np.float32)),
    (specs.BoundedArray((2,), np.int8, -1, 2), specs.BoundedArray((2,), np.int32, 0, 3)),
    (specs.DiscreteArray(500, np.int64), specs.DiscreteArray(500, np.int32)),
    (specs.BoundedArray((2,), np.int64, 0, 999), specs.BoundedArray((2,), np.float32, 0, 999)),
    (specs.Array((2,), np.int64), specs.Array((2,), np.float32)),
    (specs.Array((2,), np.bool_), specs.BoundedArray((2,), np.int32, 0, 1)),
  ],
)
def test_observation_specs(spec, expected):
  found = Observed(spec).spec
  assert (type(found), found) == (type(expected), expected)


def test_integers_are_counted_from_zero():
  spec = specs.BoundedArray((2,), np.int8, -1, 2)
  env = Canonical(Fixed(spec, np.array([-1, 2], np.int8), DISCRETE), 10)
  np.testing.assert_array_equal(env.reset().observation, [0, 3])


def test_a_nest_becomes_one_vector_in_the_order_of_its_keys():
  spec = {"b": specs.Array((2, 2), np.float64), "a": {"c": specs.Array((), np.int64)}}
  observation = {"b": np.arange(4.0).reshape(2, 2), "a": {"c": np.int64(9)}}
  env = Canonical(Fixed(spec, observation, DISCRETE), 10)
  assert env.observation_spec().shape == (5,)
  found = env.reset().observation
  assert found.dtype == np.float32
  np.testing.assert_array_equal(found, [0, 1, 2, 3, 9])


def test_an_episode_is_cut_off_at_its_limit():
  env = Canonical(Fixed(specs.Array((), np.float32), 0.0, DISCRETE), 3)
  kinds = [env.step(0) for _ in range(6)]
  assert [int(x.step_type) for x in kinds] == [0, 1, 1, 2, 0, 1]
  assert kinds[3].discount == 1.0
  assert kinds[1].discount == 0.9


def test_actions_are_given_in_the_form_that_the_environment_takes():
  numbers = specs.BoundedArray((1,), np.float64, -2, 2)
  env = Canonical(Fixed(specs.Array((), np.float32), 0.0, numbers), 9)
  env.reset()
  env.step(np.array([1.5], np.float32))
  assert env._env.taken.dtype == np.float64

  from_two = specs.BoundedArray((), np.int64, 2, 5)
  env = Canonical(Fixed(specs.Array((), np.float32), 0.0, from_two), 9)
  assert env.action_spec().num_values == 4
  env.reset()
  env.step(np.int32(1))
  assert env._env.taken == 3


def test_several_integers_count_from_0_and_reach_the_environment_in_its_own_form():
  raw = specs.BoundedArray((2, 2), np.int64, [[-3, 0], [1, 2]], [[-1, 0], [4, 6]])
  env = Canonical(Fixed(specs.Array((), np.float32), 0.0, raw), 9)
  wanted = specs.BoundedArray((2, 2), np.int32, 0, [[2, 0], [3, 4]])
  assert env.action_spec() == wanted
  env.reset()
  env.step(np.int32([[2, 0], [3, 0]]))
  np.testing.assert_array_equal(env._env.taken, [[-1, 0], [4, 2]])
  assert env._env.taken.dtype == np.int64
  with pytest.raises(ValueError, match=r"\[\[2 1\] \[3 0\]\] is out of range; expected"):
    env.step(np.int32([[2, 1], [3, 0]]))


@pytest.mark.parametrize(
  ("raw", "low", "high"),
  [
    (specs.Array((2,), np.float64), -np.inf, np.inf),
    (specs.BoundedArray((2,), np.float64, [-np.inf, 0.0], 1.0), [-np.inf, 0.0], 1.0),
    # The least and the greatest number of a dtype are how some environments write no bounds.
    (
      specs.BoundedArray((2,), np.float64, *(s * np.finfo(np.float64).max for s in (-1, 1))),
      -np.inf,
      np.inf,
    ),
    (
      specs.BoundedArray((2,), np.float32, *(s * np.finfo(np.float32).max for s in (-1, 1))),
      -np.inf,
      np.inf,
    ),
  ],
)
def test_floats_need_no_bounds(raw, low, high):
  found = action_spec(raw)
  assert found == specs.BoundedArray((2,), np.float32, np.broadcast_to(low, 2), high)


@pytest.mark.parametrize(
  "spec",
  [
    specs.Array((2,), np.int32),
    specs.BoundedArray((0,), np.float32, 0, 1),
    {"a": specs.Array((2,), np.float32)},
    specs.StringArray(()),
  ],
)
def test_actions_of_no_kind_are_refused(spec):
  with pytest.raises(ValueError, match=r"are not supported; expected .* an array of floats"):
    action_spec(spec)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_integers_of_too_many_values_are_refused(shape):
  limits = np.iinfo(np.int64)
  with pytest.raises(ValueError, match=r"integers of \d+ values; expected at most 1048576"):
    action_spec(specs.BoundedArray(shape, np.int64, limits.min, limits.max))


@pytest.mark.parametrize("low", [-0.1, -0.3])  # as float32 the first is less, the second more
def test_float64_actions_stay_within_their_own_bounds(low):
  actions = specs.BoundedArray((2,), np.float64, low, 0.1)
  inner = Fixed(specs.Array((1,), np.float32), np.zeros(1, np.float32), actions)
  env = Canonical(inner, 10)
  env.reset()
  env.step(np.stack([env.action_spec().minimum[0], env.action_spec().maximum[0]]))
  actions.validate(inner.taken)
  np.testing.assert_allclose(inner.taken, [low, 0.1], rtol=1e-7)


@pytest.mark.parametrize(
  ("actions", "action"),
  [
    (DISCRETE, np.int32(1)),
    (specs.BoundedArray((2,), np.int64, 1, 3), np.int32([0, 2])),
    (specs.BoundedArray((2,), np.float64, -1, 1), np.float32([0, 1])),
  ],
)
def test_a_step_works_nothing_out_of_the_specs(actions, action, monkeypatch):
  env = Canonical(Fixed(specs.Array((1,), np.float32), np.zeros(1, np.float32), actions), 10)
  env.reset()
  for name in ("kind", "bounds", "counts"):
    monkeypatch.setattr(action_specs, name, None)
  assert env.step(action).mid()
