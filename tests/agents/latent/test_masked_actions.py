"""Actions that are not allowed: never taken, in training, in evaluation, or at random."""

import dataclasses

import jax
import numpy as np
import pytest
from dm_env import specs

from agents import bonuses, objectives, planners
from agents.byol_explore import build
from agents.cores import core as cores
from envs.auto_reset import AutoReset
from envs.conformance import ConformanceError, check
from experiments.acting import rollout
from experiments.acting.policy import AgentPolicy
from experiments.acting.random_play import random_play
from experiments.runtimes import on_device
from tests.agents.latent.test_probes_learned import CONFIG, QUICK
from tests.worlds_of_trees import Masked, Nothing

KEY = jax.random.key(3)
SEVERAL = specs.BoundedArray((2,), np.int32, 0, [2, 1])
OBJECTIVES = ("vmpo", "vtrace", "soft_q", "pcl", "soft_retrace", "double_q", "pqn")
MODEL = dataclasses.replace(CONFIG.world_model, core=cores.registry.choice("feedforward"))
TINY = dataclasses.replace(CONFIG, world_model=MODEL, head_hidden=0, batch_size=8)


def agent_of(objective, env, planner="none"):
  # One of them with a bonus, which does not see the mask.
  bonus = "rnd" if objective == "vmpo" else "none"
  one_step = {"epochs": 1, "minibatches": 1} if objective == "pqn" else {}
  config = dataclasses.replace(
    TINY,
    objective=objectives.registry.choice(objective, **one_step),
    bonus=bonuses.registry.choice(bonus),
    planner=planners.registry.choice(planner),
  )
  return build(config, env)


@pytest.mark.parametrize(
  ("objective", "actions", "planner"),
  [
    *((name, None, "none") for name in OBJECTIVES),
    ("ppo", SEVERAL, "none"),
    ("vmpo", None, "lookahead"),
    ("double_q", None, "lookahead"),
  ],
)
def test_an_agent_takes_only_what_is_allowed_and_what_it_learns_is_finite(
  objective, actions, planner
):
  env = Masked(actions)
  agent = agent_of(objective, env, planner)
  runtime = on_device.build(env, agent, 1)

  def run(key):
    carry = jax.tree.map(lambda x: x[0], runtime.init(key[None]))
    carry, trajectory, _ = on_device.unroll(
      AutoReset(env), agent, agent.variables(carry.learner), carry
    )
    learned = agent.learn(carry.learner, trajectory, key)
    variables = agent.variables(learned.state)
    played, _ = rollout.episodes(env, AgentPolicy(agent, False), variables, 8, key)
    return trajectory, learned, played

  trajectory, learned, played = jax.jit(run, compiler_options=QUICK)(KEY)
  np.testing.assert_array_equal(trajectory.reward, 0)
  np.testing.assert_array_equal(played.episode_return, 0)
  for tree in (learned.metrics, learned.state.params):
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(tree))


@pytest.mark.parametrize("actions", [None, SEVERAL])
def test_random_play_takes_only_what_is_allowed(actions):
  assert random_play(Masked(actions), KEY, 50).episode_return == 0


@pytest.mark.parametrize("actions", [None, SEVERAL])
def test_a_masked_environment_passes_the_conformance_test(actions):
  check(Masked(actions), steps=20)


def test_a_mask_that_allows_nothing_fails_the_conformance_test():
  with pytest.raises(ConformanceError, match="'legal' allows no action at step 1 of episode 0"):
    check(Nothing(), steps=20)


def test_a_mask_of_another_shape_than_the_actions_is_refused():
  env = Masked()
  env.actions = specs.DiscreteArray(4)
  env.observation_spec = Masked().observation_spec
  with pytest.raises(ValueError, match=r"'legal' is bool \(3,\); of actions .* bool \(4,\)"):
    agent_of("vmpo", env)


def test_continuous_actions_have_no_mask():
  env = Masked()
  spec = env.observation_spec()
  env.observation_spec = lambda: spec
  env.actions = specs.BoundedArray((3,), np.float32, -1, 1)
  with pytest.raises(ValueError, match="continuous, and no mask can say"):
    agent_of("sac", env)
