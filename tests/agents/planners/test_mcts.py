"""mcts: each form with a true model, what is not allowed, noise, and what is refused."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import planners
from agents.heads import policies
from agents.planners import Context, Model, mcts
from agents.planners.mcts import MCTSConfig

KEY = jax.random.key(5)
ACTIONS, STATES, GAMMA = 4, 7, 0.9
DISCRETE = specs.DiscreteArray(ACTIONS)


def planner_of(actions=DISCRETE, horizon=5, **settings):
  context = Context(actions, policies.build(actions), horizon)
  return planners.registry.build(planners.registry.choice("mcts", **settings), context)


@functools.cache
def world():
  """A decision problem of a few states, whose best values are known: (next states, rewards of
  arriving in each, best values, action values [S, A])."""
  rng = np.random.default_rng(3)
  following = rng.integers(STATES, size=(STATES, ACTIONS))
  reward, value = rng.normal(size=STATES), np.zeros(STATES)
  for _ in range(500):
    q = (reward + GAMMA * value)[following]
    value = q.max(axis=1)
  return following, reward.astype(np.float32), value.astype(np.float32), q


def model():
  following, reward, value, _ = jax.tree.map(jnp.asarray, world())
  return Model(
    step=lambda state, action: following[state, action],
    read=lambda state: (jnp.zeros((*state.shape, ACTIONS)), value[state]),
    reward=lambda state: reward[state],
    discount=lambda state: jnp.full(state.shape, GAMMA),
  )


def planned(p, **settings):
  """What each state's search comes to: (policy, target), probabilities [S, A]."""
  planner = planner_of(**settings)
  out, extras, memory = jax.jit(
    lambda p: planner.plan(model(), jnp.arange(STATES), p, None, (), KEY),
    compiler_options={"xla_backend_optimization_level": 0},
  )(p)
  assert memory == ()
  assert extras["value"].shape == (STATES,)
  return jax.nn.softmax(out), jax.nn.softmax(extras["target"])


@pytest.mark.parametrize("form", ["gumbel", "learn", "all"])
def test_with_a_true_model_each_form_finds_the_best_action_that_is_allowed(form):
  q = world()[3]
  legal = np.ones((STATES, ACTIONS), bool)
  legal[::2, q.argmax(axis=1)[::2]] = False  # in every other state not the best one
  p = policies.masked(jnp.zeros((STATES, ACTIONS)), jnp.asarray(legal))
  # A step down values are exact; further down they are means over what was tried.
  best = np.where(legal, q, -np.inf).argmax(axis=1)
  for policy in planned(p, form=form, simulations=64, depth=1):
    np.testing.assert_array_equal(policy.argmax(axis=1), best)
    np.testing.assert_allclose(policy.sum(axis=1), 1.0, rtol=1e-5)
    assert np.all(np.asarray(policy)[~legal] == 0.0)


def test_of_one_simulation_what_was_not_tried_has_the_value_of_its_state():
  """pi_bar by hand: the root's value is the mean of its own and of the one backed up."""
  _, _, value, q = world()
  policy, target = planned(jnp.zeros((STATES, ACTIONS)), form="all", simulations=1)
  np.testing.assert_array_equal(policy, target)
  for s in range(STATES):
    tried = np.argmax(np.abs(policy[s] - np.median(policy[s])))
    mean = 0.5 * (value[s] + q[s, tried])
    if abs(mean - q[s, tried]) < 1e-4:
      continue
    # One value at an end of [0, 1], all others at the other.
    assert (policy[s, tried] > 0.25) == (q[s, tried] > value[s])
    np.testing.assert_allclose(np.delete(policy[s], tried), (1 - policy[s, tried]) / 3, rtol=1e-4)


def test_roots_noise_is_a_share_of_what_is_allowed():
  legal = jnp.array([[True, True, False, True]])
  p = policies.masked(jnp.array([[50.0, 0.0, 0.0, 0.0]]), legal)
  noisy = jax.nn.softmax(planner_of(form="puct", dirichlet_fraction=0.5).explore(p, KEY))
  assert noisy[0, 2] == 0.0
  assert 0.5 <= noisy[0, 0] < 1.0
  assert planner_of(form="all").explore is None
  assert planner_of(form="puct", dirichlet_fraction=0.0).explore is None


@pytest.mark.parametrize(
  ("actions", "advice"),
  [
    (specs.BoundedArray((2,), np.float32, -1, 1), "continuous ones take --planner cem, mppi"),
    (
      specs.BoundedArray((2,), np.int32, 0, 3),
      "several at once take --planner none, with --objective vmpo",
    ),
  ],
)
def test_other_actions_are_refused_in_one_line(actions, advice):
  with pytest.raises(ValueError, match=advice):
    planner_of(actions)


def test_a_depth_past_the_horizon_is_refused_of_a_learned_model_alone():
  with pytest.raises(ValueError, match="depth is 6, but the world model learns to imagine 5 steps"):
    planner_of(depth=6)
  assert planner_of(depth=6, model="true").true_model


def test_without_mctx_it_says_what_to_install(monkeypatch):
  monkeypatch.setattr(mcts, "MISSING", "mctx is not here; pip install 'rarebird[search]'")
  with pytest.raises(ValueError, match=r"pip install 'rarebird\[search\]'"):
    planner_of()


@pytest.mark.parametrize(
  "wrong",
  [{"simulations": 0}, {"depth": -1}, {"dirichlet_fraction": 2.0}, {"dirichlet_alpha": 0.0}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
  with pytest.raises(ValueError, match="it must"):
    dataclasses.replace(MCTSConfig(), **wrong)
