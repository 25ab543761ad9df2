"""lookahead: against loops written from its formula, with a true model, and what it refuses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import planners
from agents.heads import policies
from agents.planners import Context, Model
from agents.planners.lookahead import LookaheadConfig
from tests.agents.fork import GO, STOP, Fork

KEY = jax.random.key(5)
ACTIONS, STATES, BATCH, GAMMA = 4, 7, 3, 0.9
DISCRETE = specs.DiscreteArray(ACTIONS)


def planner_of(actions=DISCRETE, horizon=5, **settings):
  context = Context(actions, policies.build(actions), horizon)
  return planners.registry.build(planners.registry.choice("lookahead", **settings), context)


def tables(seed=0):
  """A world of a few states: where actions lead, and what there is to know of each state."""
  rng = np.random.default_rng(seed)
  return {
    "next": rng.integers(STATES, size=(STATES, ACTIONS)),
    "reward": rng.normal(size=STATES).astype(np.float32),
    "discount": rng.uniform(size=STATES).astype(np.float32),
    "value": rng.normal(size=STATES).astype(np.float32),
    "logits": rng.normal(size=(STATES, ACTIONS)).astype(np.float32),
  }


def model_of(world):
  world = jax.tree.map(jnp.asarray, world)
  return Model(
    step=lambda state, action: {"number": world["next"][state["number"], action]},
    read=lambda state: (world["logits"][state["number"]], world["value"][state["number"]]),
    reward=lambda state: world["reward"][state["number"]],
    discount=lambda state: world["discount"][state["number"]],
  )


def slow_q(world, state, action, depth):
  """The return of an action and then the likeliest ones, up to `depth` steps and the value."""
  state = world["next"][state, action]
  after = world["value"][state]
  if depth > 1:
    after = slow_q(world, state, np.argmax(world["logits"][state]), depth - 1)
  return world["reward"][state] + world["discount"][state] * after


@pytest.mark.parametrize("depth", [1, 3])
def test_it_equals_slow_loops_and_obeys_masks(depth):
  world, planner = tables(), planner_of(depth=depth, temperature=0.5)
  begins = np.array([0, 3, 5])
  legal = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1]], bool)
  logits = np.random.default_rng(1).normal(size=(BATCH, ACTIONS)).astype(np.float32)
  p = policies.masked(jnp.asarray(logits), jnp.asarray(legal))
  state = {"number": jnp.asarray(begins)}
  out, extras, memory = jax.jit(
    lambda p, state: planner.plan(model_of(world), state, p, jnp.asarray(legal), (), KEY)
  )(p, state)
  assert (extras, memory) == ({}, ())
  np.testing.assert_array_equal(policies.possible(out), legal)
  for b in range(BATCH):
    weights = np.array(
      [
        legal[b, a] * np.exp(logits[b, a] + slow_q(world, begins[b], a, depth) / 0.5)
        for a in range(ACTIONS)
      ]
    )
    np.testing.assert_allclose(jax.nn.softmax(out[b]), weights / weights.sum(), rtol=1e-4)


def test_a_sampled_continuation_is_of_the_policy():
  """Where the policy is certain, drawing from it is taking its mode."""
  world = tables()
  certain = world | {"logits": 100.0 * np.eye(ACTIONS, dtype=np.float32)[np.arange(STATES) % 4]}
  state, p = {"number": jnp.arange(BATCH)}, jnp.zeros((BATCH, ACTIONS))

  def planned(world, continuation):
    planner = planner_of(depth=3, continuation=continuation)
    return planner.plan(model_of(world), state, p, None, (), KEY)[0]

  np.testing.assert_allclose(planned(certain, "sample"), planned(certain, "greedy"), rtol=1e-5)
  assert np.any(planned(world, "sample") != planned(world, "greedy"))


def true_model(env):
  """The environment itself as the model, of which nothing is known but its rewards and ends."""

  def step(state, action):
    return jax.vmap(env.step)(state[0], action)

  def read(state):
    batch = state[1].reward.shape
    return jnp.zeros((*batch, 2)), jnp.zeros(batch)

  return Model(step, read, lambda s: s[1].reward, lambda s: GAMMA * s[1].discount)


@pytest.mark.parametrize(
  ("depth", "best"),
  [(1, [STOP, STOP, STOP]), (2, [GO, STOP, STOP])],
)
def test_with_a_true_model_it_takes_the_right_action(depth, best):
  """Stopping pays .25, 1 or .5: at first it is worth going on, which two steps show and one not."""
  env = Fork()
  times = jnp.arange(3)
  timestep = jax.vmap(env.reset)(jax.random.split(KEY, 3))[1]
  planner = planner_of(env.action_spec(), depth=depth)
  p, _, _ = planner.plan(true_model(env), (times, timestep), jnp.zeros((3, 2)), None, (), KEY)
  np.testing.assert_array_equal(jnp.argmax(p, axis=-1), best)


@pytest.mark.parametrize(
  ("actions", "kind"),
  [
    (specs.BoundedArray((2,), np.float32, -1, 1), "continuous ones"),
    (specs.BoundedArray((2,), np.int32, 0, 3), "several at once"),
  ],
)
def test_other_actions_are_refused_in_one_line(actions, kind):
  with pytest.raises(ValueError, match=f"needs discrete ones, .* for {kind} take --planner none"):
    planner_of(actions)


def test_a_depth_past_the_horizon_is_refused():
  with pytest.raises(ValueError, match="depth is 6, but the world model learns to imagine 5 steps"):
    planner_of(depth=6)


@pytest.mark.parametrize("wrong", [{"depth": 0}, {"temperature": 0.0}])
def test_settings_that_make_no_sense_are_refused(wrong):
  with pytest.raises(ValueError, match="it must be"):
    dataclasses.replace(LookaheadConfig(), **wrong)
