"""PQN against NumPy: its returns, its loss, how it explores, and its normalised layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import objectives
from agents.agent import Given
from agents.bonuses import registry as bonuses
from agents.byol_explore import ByolExploreConfig, build
from agents.cores import core as cores
from agents.heads import heads
from agents.heads.action_values import ActionValues
from agents.objectives.pqn import PQNConfig
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from envs.registry import Choice
from tests.agents import slow_action_values as slow
from tests.agents.slow_action_values import ACTIONS

KEY = jax.random.key(0)
Q = jnp.asarray([[0.1, 3.0, -2.0], [5.0, 4.0, 3.0]])


def slow_targets(now, lambda_):
  """G by its recursion, a step at a time, from the end."""
  best = now.q.max(axis=-1)
  targets = np.array(best)
  for t in reversed(range(len(best) - 1)):
    for b in range(best.shape[1]):
      if now.mask[t, b]:
        mixed = (1 - lambda_) * best[t + 1, b] + lambda_ * targets[t + 1, b]
        targets[t, b] = now.rewards[t, b] + now.discounts[t, b] * mixed
  return targets[:-1]


@pytest.mark.parametrize(("lambda_", "jitted"), [(0.0, True), (0.65, True), (1.0, False)])
def test_it_equals_numpy(make_trajectory, lambda_, jitted):
  inputs = slow.random_inputs(make_trajectory, seed=int(10 * lambda_))
  outcome = slow.run(slow.build("pqn", trace_lambda=lambda_), inputs, jitted)
  now = slow.read(inputs, inputs.q)
  targets = slow_targets(now, lambda_)
  np.testing.assert_allclose(outcome.targets, targets, rtol=1e-4, atol=1e-5)
  slow.assert_equal(outcome, *slow.squared(now, targets), now)


def test_random_actions_fall_along_a_line_to_their_last_share():
  objective = slow.build("pqn", epsilon_start=0.9, epsilon=0.1, epsilon_decay=0.5)
  for share, epsilon in ((0.0, 0.9), (0.25, 0.5), (0.5, 0.1), (1.0, 0.1)):
    p = objective.explore(objective.parameters({}, Q), jnp.float32(share))
    expected = np.full((2, ACTIONS), epsilon / ACTIONS)
    expected[[0, 1], [1, 0]] += 1.0 - epsilon
    np.testing.assert_allclose(jnp.exp(p), expected, rtol=1e-4)


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_its_mode_is_greedy_whatever_it_explores(epsilon):
  objective = slow.build("pqn", epsilon_start=epsilon, epsilon=epsilon)
  p = objective.parameters({}, Q)
  for of in (p, objective.explore(p, jnp.float32(0.5))):
    np.testing.assert_array_equal(objective.policy.mode(of), [1, 0])


def test_no_scale_of_what_the_head_reads_makes_its_values_large():
  network = heads.build(lambda: ActionValues(ACTIONS, 16, 2, normalised=True))
  belief = jax.random.normal(KEY, (5, 8))
  params = network.init(KEY, belief)
  values = np.asarray(network.apply(params, belief))
  weights = params["heads/q"]["w"]
  for scale in (1e3, 1e6):
    large = np.asarray(network.apply(params, scale * belief))
    # A normalised layer of n units has a length of at most sqrt(n).
    assert np.all(np.abs(large) <= 4.0 * np.linalg.norm(weights, axis=0) + 1e-5)
  assert np.any(np.abs(large - values) > 0)
  layers = [name for name in params if "norm" in name]
  assert len(layers) == 2


ENV = envs.make("deep_sea", size=4)
CONFIG = ByolExploreConfig(
  bonus=bonuses.choice("none"),
  objective=objectives.registry.choice("pqn", epsilon_decay=1.0, epochs=2, minibatches=2),
  head_hidden=8,
  unroll_length=4,
  batch_size=4,
  world_model=WorldModelConfig(
    torso=Choice("linear"), core=cores.registry.choice("feedforward"), latent_size=8, core_size=8
  ),
)


@pytest.mark.parametrize(("given", "epsilon"), [(Given(updates=4), 0.5025), (Given(), 0.005)])
def test_an_agent_explores_by_how_much_of_the_run_is_done(given, epsilon, quick_jit):
  # Half-way of a run of four updates; and, where nobody told its length, as at the end.
  agent = build(CONFIG, ENV, given)

  @quick_jit
  def probabilities():
    _, timestep = jax.vmap(AutoReset(ENV).reset)(jax.random.split(KEY, 4))
    variables = agent.variables(agent.init(KEY)._replace(updates=jnp.int32(2)))
    _, extras, _ = agent.act(variables, agent.initial_memory(4), timestep, KEY, True)
    return jnp.exp(extras["policy"])

  least = np.min(probabilities(), axis=-1)
  np.testing.assert_allclose(least, epsilon / 2, rtol=1e-3)


@pytest.mark.parametrize(
  "settings", [{"trace_lambda": 2.0}, {"epsilon_decay": -0.1}, {"epochs": 0}, {"minibatches": 0}]
)
def test_settings_that_cannot_be_are_refused(settings):
  with pytest.raises(ValueError, match=f"{next(iter(settings))} is"):
    PQNConfig(**settings)
