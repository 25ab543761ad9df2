"""Planners in the agent: what they plan acts, is what is learned from, and what they remember."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import agent as agents
from agents import auxiliaries, objectives, planners
from agents.agent import NOTHING_GIVEN
from agents.byol_explore import ByolExploreConfig
from agents.latent import agent as latent_agent
from agents.latent import parts as latent_parts
from agents.latent import planning
from agents.planners import Planner
from agents.sac import SACAgentConfig
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from envs.environment import FIRST
from envs.registry import Entry
from experiments.acting.policy import AgentPolicy
from experiments.acting.rollout import episodes
from experiments.runtimes import on_device
from tests.agents.fork import STOP, Fork

KEY = jax.random.key(3)
ENV = Fork()
CONFIG = ByolExploreConfig(
  head_hidden=8,
  unroll_length=7,
  batch_size=4,
  world_model=WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2),
)
LOOKAHEAD = dataclasses.replace(CONFIG, planner=planners.registry.choice("lookahead", depth=2))


def always(action):
  """Always the same action, nearly for certain; it remembers the steps of the episode."""

  def plan(model, state, p, legal, memory, key):
    steps = memory["steps"] + 1
    logits = jnp.full_like(p, -30.0).at[:, action].set(0.0)
    return logits, {"steps": steps[:, 0, 0]}, {"steps": steps}

  return Planner(plan, lambda batch: {"steps": jnp.zeros((batch, 1, 2), jnp.int32)})


def agent_with(planner):
  return latent_agent.of_parts(latent_parts.build(CONFIG, ENV)._replace(planner=planner))


def unroll(agent, config=CONFIG):
  """The carry before, and a trajectory that was played from it."""
  carry = jax.jit(on_device.build(ENV, agent, 1).init)(jax.random.key(0)[None])
  carry = jax.tree.map(lambda x: x[0], carry)
  after, trajectory, _ = jax.jit(
    lambda carry: on_device.unroll(AutoReset(ENV), agent, agent.variables(carry.learner), carry)
  )(carry)
  return carry, after, trajectory


@pytest.fixture(scope="module")
def going():
  """An agent whose planner always goes on, and what it did."""
  agent = agent_with(always(1))
  return agent, *unroll(agent)


def test_what_is_planned_acts_and_is_the_behaviour_policy(going):
  _, _, _, trajectory = going
  np.testing.assert_array_equal(trajectory.action[:-1], 1)
  np.testing.assert_array_equal(trajectory.extras["policy"][:-1, ..., 0], -30.0)
  np.testing.assert_array_equal(trajectory.extras["policy"][:-1, ..., 1], 0.0)


def test_what_is_planned_is_played_in_an_evaluation():
  agent = agent_with(always(STOP))
  carry, _, _ = unroll(agent)
  variables = agent.variables(carry.learner)
  played, _ = jax.jit(lambda key: episodes(ENV, AgentPolicy(agent, False), variables, 4, key))(KEY)
  np.testing.assert_array_equal(played.length, 1)


def test_a_planners_memory_starts_anew_with_each_episode_and_its_extras_are_kept(going):
  _, _, after, trajectory = going
  steps = np.asarray(trajectory.extras["plan"]["steps"])[:-1]
  first = np.asarray(trajectory.step_type)[:-1] == FIRST
  assert first.sum() > first.shape[1]
  np.testing.assert_array_equal(steps[first], 1)
  np.testing.assert_array_equal(steps[1:][~first[1:]], steps[:-1][~first[1:]] + 1)
  np.testing.assert_array_equal(after.memory.planner["steps"][:, 0, 1], steps[-1])


def test_no_trajectory_keeps_a_planners_memory(going):
  agent, _, _, trajectory = going
  assert trajectory.memory.planner == ()
  assert agent.initial_memory(2).planner["steps"].shape == (2, 1, 2)


def test_an_agent_with_a_planner_learns_from_what_it_did(going):
  agent, carry, _, trajectory = going
  learned = jax.jit(agent.learn)(carry.learner, trajectory, KEY)
  assert all(np.isfinite(x) for x in learned.metrics.values())
  # The policy that learns is not the one that acted, which V-MPO's KL sees.
  assert learned.metrics["kl"] > 0.1


def test_lookahead_brings_the_losses_that_its_model_learns_by():
  parts = latent_parts.build(LOOKAHEAD, ENV)
  assert list(parts.auxiliaries) == ["byol", "outcomes", "consistency"]
  chosen = dataclasses.replace(
    LOOKAHEAD, auxiliary=(auxiliaries.registry.choice("outcomes", weight=0.5),)
  )
  assert latent_parts.build(chosen, ENV).auxiliaries["outcomes"].weight == 0.5


@pytest.mark.parametrize("objective", ["vmpo", "ppo", "soft_q", "double_q"])
def test_the_model_is_the_world_model_with_its_heads(objective):
  """Asked for one step by itself, it says what lookahead makes of it."""
  config = dataclasses.replace(
    LOOKAHEAD,
    objective=objectives.registry.choice(objective),
    planner=planners.registry.choice("lookahead"),
  )
  parts = latent_parts.build(config, ENV)
  agent = latent_agent.of_parts(parts)
  state = jax.jit(agent.init)(KEY)
  variables = agent.variables(state)
  model = planning.model(parts, variables)
  timestep = jax.vmap(ENV.reset)(jax.random.split(KEY, 3))[1]
  memory = agent.initial_memory(3)
  _, extras, memory = agent.act(variables, memory, timestep, KEY, True)
  plain = latent_agent.of_parts(parts._replace(planner=Planner(None)))
  prior = plain.act(variables, agent.initial_memory(3), timestep, KEY, True)[1]["policy"]
  q = []
  for action in range(2):
    led_to = model.step(memory.core, jnp.full((3,), action))
    q.append(model.reward(led_to) + model.discount(led_to) * model.read(led_to)[1])
  improved = jax.nn.log_softmax(prior) + 10.0 * jnp.stack(q, axis=-1)
  np.testing.assert_allclose(
    jax.nn.softmax(extras["policy"]), jax.nn.softmax(improved), rtol=1e-4, atol=1e-6
  )
  assert np.all(model.discount(led_to) < config.returns.discount)


def test_values_that_the_agent_lacks_are_refused_in_one_line(monkeypatch):
  entry = Entry("reads_values", lambda settings, context: Planner(None, reads_values=True))
  monkeypatch.setitem(planners.registry._entries, "reads_values", entry)
  choice = planners.registry.choice("reads_values")
  with pytest.raises(ValueError, match="reads values of states, which objective 'sac' does not"):
    latent_parts.build(SACAgentConfig(planner=choice), envs.make("pendulum"))
  with pytest.raises(ValueError, match="leave share_encoder on"):
    latent_parts.build(dataclasses.replace(CONFIG, planner=choice, share_encoder=False), ENV)


def test_a_planner_that_does_not_say_what_it_needs_is_told():
  def plan(model, state, p, legal, memory, key):
    return p + model.reward(state)[:, None], {}, memory

  with pytest.raises(ValueError, match=r"its builder must say needs=\('outcomes',\)"):
    unroll(agent_with(Planner(plan)))


@pytest.mark.parametrize("agent", ["reach", "her", "sac"])
def test_agents_of_continuous_actions_refuse_lookahead_in_one_line(agent):
  config = dataclasses.replace(
    agents.registry.get(agent).config(), planner=planners.registry.choice("lookahead")
  )
  env = envs.make("pendulum" if agent == "sac" else "goals/u_maze")
  with pytest.raises(ValueError, match=r"needs discrete ones.* take --planner none"):
    agents.registry.get(agent).build(config, env, NOTHING_GIVEN)
