"""cem and mppi: where they go with a true model, what they remember, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import planners
from agents.heads import policies
from agents.planners import Context, Model

KEY = jax.random.key(5)
SPEC = specs.BoundedArray((2,), np.float32, -0.5, 0.5)
GOAL = np.array([0.3, -1.4], np.float32)
START = np.array([[0.0, 0.0], [0.5, -1.0], [0.3, -1.4]], np.float32)


def model(p):
  """A point in the plane, moved by the action; what it is paid falls with the way to the goal."""
  return Model(
    step=lambda state, action: state + action,
    read=lambda state: (jnp.broadcast_to(p[:1], (len(state), p.shape[1])), jnp.zeros(len(state))),
    reward=lambda state: -10.0 * jnp.sum(jnp.square(state - GOAL), axis=-1),
    discount=lambda state: jnp.full(len(state), 0.9),
  )


def planner_of(name, actions=SPEC, **settings):
  context = Context(actions, policies.build(actions), 5)
  return planners.registry.build(planners.registry.choice(name, **settings), context)


@pytest.fixture(scope="module", params=["cem", "mppi"])
def planned(request, quick_jit):
  """A plan of three steps from three places, by a policy that knows nothing."""
  planner, p = planner_of(request.param, depth=3, iterations=6), jnp.zeros((len(START), 4))
  plan = quick_jit(lambda memory: planner.plan(model(p), START, p, None, memory, KEY))
  return planner, plan(planner.init(len(START)))


def test_it_goes_to_the_goal_as_fast_as_it_may(planned):
  _, (p, extras, _) = planned
  policy = policies.build(SPEC)
  best = np.clip(GOAL - START, -0.5, 0.5)
  np.testing.assert_allclose(policy.action(policy.mode(p)), best, atol=0.08)
  np.testing.assert_array_equal(extras["target"], p)
  assert np.all(policy.moments(p)[1] >= 0.05 - 1e-6)
  assert np.all(policy.moments(p)[1] < 0.5)


def test_it_remembers_the_rest_of_its_plan(planned):
  planner, (_, _, (mean, scale)) = planned
  assert mean.shape == planner.init(len(START))[0].shape == (len(START), 3, 2)
  np.testing.assert_array_equal(mean[:, -1], 0.0)
  np.testing.assert_array_equal(scale, 0.0)
  # From the first place the goal is three steps away in the second direction.
  np.testing.assert_allclose(0.5 * np.clip(mean[0, 0, 1], -1, 1), -0.5, atol=0.15)


def test_moments_and_parameters_are_each_others_reverse():
  policy = policies.build(SPEC)
  mean, scale = jnp.array([[0.3, -2.0]]), jnp.array([[0.01, 40.0]])
  for a, b in zip(policy.moments(policy.from_moments(mean, scale)), (mean, scale), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4)


def test_discrete_actions_are_refused_in_one_line():
  with pytest.raises(ValueError, match=r"draws continuous actions, .* take --planner mcts"):
    planner_of("cem", specs.DiscreteArray(3))


def test_a_depth_past_the_horizon_is_refused():
  with pytest.raises(ValueError, match="depth is 6, but the world model learns to imagine 5 steps"):
    planner_of("mppi", depth=6)


@pytest.mark.parametrize(
  "wrong",
  [{"samples": 0}, {"depth": -1}, {"elites": 65}, {"least_scale": 0.0}, {"temperature": 0.0}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
  with pytest.raises(ValueError, match="it must be"):
    planner_of("mppi", **wrong)
