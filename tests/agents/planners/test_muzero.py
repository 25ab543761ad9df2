"""Agent muzero: what is searched acts and is learned, reanalysis, the true model, and refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import objectives, planners
from agents.byol_explore import ByolExploreConfig
from agents.heads import policies
from agents.heads.policy_value import PolicyAndValue
from agents.latent import agent as latent_agent
from agents.latent import parts as latent_parts
from agents.latent import planning
from agents.latent.state import variables
from agents.muzero import MuZeroAgentConfig
from agents.objectives import muzero
from agents.objectives.objective import View, episodic
from agents.planners import Planner
from agents.replay import ReplayConfig
from agents.trajectory import Trajectory
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.acting.policy import AgentPolicy
from experiments.acting.rollout import episodes
from experiments.runtimes import on_device
from tests.agents.fork import Fork

KEY = jax.random.key(3)
ENV = Fork()
SIZES = WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2)
CONFIG = MuZeroAgentConfig(
  objective=objectives.registry.choice("muzero", reanalyse=0.5),
  planner=planners.registry.choice("mcts", bonus=True, simulations=3),
  head_hidden=8,
  unroll_length=5,
  batch_size=4,
  world_model=SIZES,
  replay=ReplayConfig(),
)


@pytest.fixture(scope="module")
def learned(quick_jit):
  """The agent's parts, its learner state, what it did, and what a call of `learn` left."""
  parts = latent_parts.build(CONFIG, ENV)
  agent = latent_agent.of_parts(parts)
  carry = quick_jit(on_device.build(ENV, agent, 1).init)(jax.random.key(0)[None])
  carry = jax.tree.map(lambda x: x[0], carry)
  _, trajectory, _ = quick_jit(
    lambda carry: on_device.unroll(AutoReset(ENV), agent, agent.variables(carry.learner), carry)
  )(carry)
  return parts, carry.learner, trajectory, quick_jit(agent.learn)(carry.learner, trajectory, KEY)


def test_what_is_searched_acts_and_is_kept_for_learning(learned):
  _, _, trajectory, done = learned
  plan = trajectory.extras["plan"]
  assert plan["target"].shape == trajectory.extras["policy"].shape
  # Of form `all` what acts is what is to be learned.
  np.testing.assert_array_equal(plan["target"], trajectory.extras["policy"])
  assert all(np.isfinite(x) for x in done.metrics.values())
  moved = jax.tree.map(
    lambda a, b: float(jnp.abs(a - b).max()), done.state.params, learned[1].params
  )
  assert all(x > 0.0 for x in jax.tree.leaves(moved.heads))


def test_a_share_of_the_batch_is_planned_anew(learned):
  parts, state, trajectory, _ = learned

  def plan(model, start, p, legal, memory, key):
    return p, {"target": jnp.full_like(p, 7.0) * model.read(start)[1][:, None] ** 0}, memory

  parts = parts._replace(planner=Planner(plan))
  starts = jnp.zeros((*trajectory.reward.shape, SIZES.core_size))
  out = parts.objective.heads.apply(state.params.heads, starts)
  view = View(state.params.heads, starts, out)
  new = planning.reanalyse(parts, variables(state), starts, view, trajectory, KEY)
  before, after = (x.extras["plan"]["target"] for x in (trajectory, new))
  np.testing.assert_array_equal(after[:, :2], 7.0)
  np.testing.assert_array_equal(after[:, 2:], before[:, 2:])


def random_case(make_trajectory, steps=6, batch=5, horizon=3, count=2):
  rng = np.random.default_rng(4)
  trajectory: Trajectory = make_trajectory(rng, steps, batch)
  trajectory.extras["plan"] = {
    "target": jnp.asarray(rng.normal(size=(steps + 1, batch, count)), jnp.float32)
  }

  def out(*lead):
    return PolicyAndValue(
      jnp.asarray(rng.normal(size=(*lead, count)), jnp.float32),
      jnp.asarray(rng.normal(size=lead), jnp.float32),
      (),
      jnp.asarray(rng.normal(size=lead), jnp.float32),
    )

  view = View((), (), out(steps + 1, batch), out(steps, horizon, batch))
  bonus = jnp.asarray(rng.uniform(size=(steps, batch)), jnp.float32)
  return trajectory, view, bonus


def test_the_loss_equals_slow_loops(make_trajectory):
  trajectory, view, bonus = random_case(make_trajectory)
  config = muzero.MuZeroConfig(n_steps=2)
  policy = policies.build(specs.DiscreteArray(2))
  streams = (episodic(trajectory.reward[1:] + bonus, 0.9, trajectory),)
  targets = muzero.prepare(config, {}, view, view, trajectory, streams, KEY)
  np.testing.assert_allclose(targets["bonus"], bonus, atol=1e-6)
  weights = trajectory.mask * np.linspace(0.5, 1.0, trajectory.mask.size).reshape(
    trajectory.mask.shape
  )
  done = muzero.loss(config, policy, {}, view, trajectory, targets, weights, KEY)
  (steps, batch), horizon = trajectory.mask.shape, view.imagined.value.shape[1]
  first, mask = np.asarray(trajectory.first), np.asarray(trajectory.mask)
  terms = {"kl": [], "value": [], "bonus": []}
  for t in range(steps):
    for b in range(batch):
      if not weights[t, b] > 0.0:
        continue
      each = {"kl": [], "value": [], "bonus": []}
      for k in range(horizon + 1):
        s = t + k
        if s > steps or first[t + 1 : s + 1, b].any():
          break
        if k:
          error = view.imagined.bonus[t, k - 1, b] - bonus[s - 1, b]
          each["bonus"].append(0.5 * error**2)
        if s == steps or not mask[s, b]:
          continue
        out = jax.tree.map(
          lambda now, later, k=k, t=t, b=b: later[t, k - 1, b] if k else now[t, b],
          view.out, view.imagined,
        )  # fmt: skip
        target = jax.nn.log_softmax(trajectory.extras["plan"]["target"][s, b])
        each["kl"].append(jnp.exp(target) @ (target - jax.nn.log_softmax(out.policy)))
        each["value"].append(0.5 * (out.value - targets["values"][0][s, b]) ** 2)
      for name, errors in each.items():
        if errors:
          terms[name].append(weights[t, b] * np.mean(errors))
  kl, value, paid = (np.mean(terms[name]) for name in ("kl", "value", "bonus"))
  np.testing.assert_allclose(done.metrics["policy_loss"], kl, rtol=1e-4)
  np.testing.assert_allclose(done.value, value, rtol=1e-4)
  np.testing.assert_allclose(done.total, kl + paid, rtol=1e-4)


TRUE = dataclasses.replace(
  ByolExploreConfig(head_hidden=8, unroll_length=5, batch_size=4, world_model=SIZES),
  planner=planners.registry.choice("mcts", form="gumbel", model="true", simulations=16),
)


def test_with_the_environment_as_its_model_an_agent_that_knows_nothing_plays_at_its_best(quick_jit):
  """Stopping pays .25 at once and 1 a step later, which only going there shows."""
  agent = latent_agent.build(TRUE, ENV)
  acting = agent.variables(agent.init(KEY))
  nothing = jax.tree.map(jnp.zeros_like, acting.params.heads)
  acting = acting._replace(params=acting.params._replace(heads=nothing))
  played, _ = quick_jit(lambda key: episodes(ENV, AgentPolicy(agent, False), acting, 4, key))(KEY)
  np.testing.assert_array_equal(played.episode_return, 1.0)


@pytest.mark.parametrize(
  ("config", "message"),
  [
    (
      dataclasses.replace(CONFIG, planner=planners.registry.choice("none")),
      "objective 'muzero' learns what a planner plans, and there is none",
    ),
    (
      dataclasses.replace(CONFIG, objective=objectives.registry.choice("vmpo")),
      "objective 'vmpo' does not learn what a bonus pays",
    ),
    (
      dataclasses.replace(CONFIG, planner=TRUE.planner),
      "give --objective muzero --objective.reanalyse 0",
    ),
    (
      dataclasses.replace(
        TRUE, planner=planners.registry.choice("mcts", model="true", bonus=True),
        objective=objectives.registry.choice("muzero"),
      ),
      "the true model does not say what a bonus pays",
    ),
  ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(config, message):
  with pytest.raises(ValueError, match=message) as error:
    latent_parts.build(config, ENV)
  assert "\n" not in str(error.value)


def test_the_true_model_of_a_host_environment_is_refused():
  class Specs:
    observation_spec, action_spec = ENV.observation_spec, ENV.action_spec

  with pytest.raises(ValueError, match=r"take an environment in JAX, or --planner.model learned"):
    latent_parts.build(TRUE, Specs())


@pytest.mark.parametrize("wrong", [{"n_steps": 0}, {"reanalyse": 1.5}, {"bonus_weight": -1.0}])
def test_settings_that_make_no_sense_are_refused(wrong):
  with pytest.raises(ValueError, match="it must"):
    muzero.MuZeroConfig(**wrong)
