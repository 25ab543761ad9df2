"""Each objective on each kind of action, each bonus on several integers, and what is learned."""

import dataclasses
import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import auxiliaries, bonuses, objectives, planners
from agents.bonuses import payment
from agents.bonuses.payment import PaymentConfig
from agents.byol_explore import ByolExploreConfig, build
from agents.objectives import ObjectiveConfig
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from envs.capabilities import Oracle, Places
from envs.environment import Environment, restart, transition
from envs.random_action import random_action
from experiments.runtimes import on_device
from tests.agents.bonuses.slow_networks import CONTEXT, random_outputs
from tests.agents.bonuses.small_world import KEY

KINDS = {
  "discrete": specs.DiscreteArray(3),
  "factored": specs.BoundedArray((2, 2), np.int32, 0, [[2, 0], [3, 1]]),
  "bounded": specs.BoundedArray((2,), np.float32, -1.0, 2.0),
  "unbounded": specs.Array((2,), np.float32),
}


class Cue(Environment):
  """One step that shows a cue c of 0 or 1; what it pays is for the test to say.

  Attributes:
    actions: spec of the actions.
    pay: (c, action) -> reward.
  """

  max_episode_steps = 1

  def __init__(self, actions, pay=lambda cue, action: jnp.float32(0.0)):
    self.actions, self.pay = actions, pay

  def reset(self, key):
    cue = jax.random.bernoulli(key).astype(jnp.int32)
    return cue, restart(jax.nn.one_hot(cue, 2))

  def step(self, state, action):
    return state, transition(jax.nn.one_hot(state, 2), self.pay(state, action), True)

  def observation_spec(self):
    return specs.BoundedArray((2,), np.float32, 0.0, 1.0)

  def action_spec(self):
    return self.actions


CONFIG = ByolExploreConfig(
  bonus=bonuses.registry.choice("none"),
  head_hidden=8,
  unroll_length=4,
  batch_size=4,
  world_model=WorldModelConfig(latent_size=4, core_size=4, predictor_hidden=4, horizon=2),
)

HEADS = {"vmpo", "ppo", "vtrace"}
VALUES = {"soft_q", "soft_pg", "pcl", "soft_retrace", "munchausen", "double_q", "pqn"}
ONE = "need discrete actions, one at a time; for {} take --objective {}"
REFUSED = {
  **{(o, "factored"): ONE.format("several at once", "vmpo, ppo or vtrace") for o in VALUES},
  **{(o, "bounded"): ONE.format("continuous ones", "sac, vmpo, ppo or vtrace") for o in VALUES},
  **{(o, "unbounded"): ONE.format("continuous ones", "vmpo, ppo or vtrace") for o in VALUES},
  ("muzero", "factored"): "for several at once take --planner none, with --objective vmpo",
  ("sac", "discrete"): "for discrete ones take --objective soft_q",
  ("sac", "factored"): "for several integers at once take --objective vmpo, ppo or vtrace",
  ("sac", "unbounded"): "needs finite bounds: take --objective vmpo, ppo or vtrace, or give them",
}
"""What is refused, and how; every other pair learns."""
PLANNERS = {"bounded": "cem", "unbounded": "mppi"}
"""By what muzero plans; by mcts else."""


def test_every_objective_is_in_the_table():
  assert set(objectives.registry.names()) == HEADS | VALUES | {"none", "sac", "muzero"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objective", sorted(HEADS | VALUES | {"none", "sac", "muzero"}))
def test_an_objective_learns_from_a_kind_of_action_or_says_what_does(objective, kind):
  env = Cue(KINDS[kind])
  config = dataclasses.replace(
    CONFIG,
    objective=objectives.registry.choice(objective),
    auxiliary=(auxiliaries.registry.choice("byol"),) if objective == "none" else (),
    planner=planners.registry.choice(
      PLANNERS.get(kind, "mcts") if objective == "muzero" else "none"
    ),
  )
  line = REFUSED.get((objective, kind))
  if line:
    with pytest.raises(ValueError, match=re.escape(line)) as told:
      build(config, env)
    assert "\n" not in str(told.value)
    return
  agent = build(config, env)
  runtime = on_device.build(env, agent, 1)
  # Tracing tells all that can go wrong with shapes and dtypes, without the time of a compiler.
  carry = jax.eval_shape(runtime.init, KEY[None])
  after, metrics = jax.eval_shape(runtime.run, carry)
  assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
    lambda x: (x.shape, x.dtype), carry
  )
  assert metrics["loss"].dtype == jnp.float32


PLACES = Places(1, 2, np.ones(2, bool), np.full(2, -1))


@pytest.mark.parametrize(
  ("name", "kind"),
  [
    *((name, "factored") for name in bonuses.registry.names()),
    *((name, "unbounded") for name in ("icm", "disagreement", "ride")),  # that read the action
  ],
)
def test_a_bonus_pays_and_learns_from_a_kind_of_action(name, kind, make_trajectory, quick_jit):
  spec = KINDS[kind]
  told = {"action_spec": lambda: spec, "places": lambda: PLACES}
  env = types.SimpleNamespace(**vars(CONTEXT.env) | told)
  settings = {"horizon": 2} if name == "ndigo" else {}
  choice = bonuses.registry.choice(name, **settings)
  bonus = bonuses.registry.build(choice, CONTEXT._replace(env=env))
  rng = np.random.default_rng(0)
  trajectory = make_trajectory(rng, 4, 3)
  shape = trajectory.reward.shape
  nowhere, no_object = jnp.zeros(shape, jnp.int32), jnp.zeros((*shape, 0), jnp.int32)
  trajectory = trajectory._replace(
    action=random_action(spec, KEY, shape),
    oracle=Oracle(nowhere, no_object, jnp.zeros(shape, bool)),
  )
  if bonus.condition is not None:
    read = jnp.asarray(rng.normal(size=(*shape, bonus.condition.size)), jnp.float32)
    trajectory = trajectory._replace(extras=trajectory.extras | {"condition": read})
  memory = bonus.initial_memory(3)
  outputs, config = random_outputs(rng, trajectory), PaymentConfig(clip_at_mean=False)

  @quick_jit
  def run():
    whole = trajectory._replace(memory=types.SimpleNamespace(bonus=memory))
    params, statistics = bonus.init(KEY)
    state = payment.init(statistics)
    paid, _, _ = payment.pay(bonus, config, 0.9, params, state, whole, outputs, KEY)
    return paid, jax.grad(bonus.loss)(params, statistics, whole, outputs, KEY)

  paid, gradient = run()
  assert np.all(np.isfinite(paid))
  assert np.any(paid) == (name != "none")
  assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradient))


LEARNING = dataclasses.replace(
  CONFIG,
  learning_rate=1e-2,
  dual_learning_rate=0.1,
  head_hidden=16,
  unroll_length=8,
  batch_size=16,
  returns=ObjectiveConfig(discount=0.0),
)


def pay_one(cue, action):
  """1 for the one action of 24 that is right."""
  right = jnp.where(cue, jnp.array([[1, 0], [2, 1]]), jnp.array([[2, 0], [0, 0]]))
  return jnp.all(action == right).astype(jnp.float32)


def pay_nearness(cue, action):
  """The best actions lie outside of [-1, 1], within which nothing pays more than -1.7."""
  best = jnp.where(cue, jnp.array([3.0, -2.0]), jnp.array([-2.0, 2.0]))
  return -jnp.mean(jnp.square(action - best))


@pytest.mark.parametrize(
  ("objective", "kind", "pay", "updates", "least"),
  [
    ("ppo", "factored", pay_one, 40, 0.99),
    ("vmpo", "factored", pay_one, 200, 0.99),
    ("ppo", "unbounded", pay_nearness, 60, -0.6),
  ],
)
def test_what_pays_is_learned(objective, kind, pay, updates, least):
  env = Cue(KINDS[kind], pay)
  agent = build(dataclasses.replace(LEARNING, objective=objectives.registry.choice(objective)), env)
  runtime = on_device.build(env, agent, updates)
  carry, _ = runtime.run(runtime.init(KEY[None]))
  variables = agent.variables(jax.tree.map(lambda x: x[0], carry.learner))
  state, timestep = jax.vmap(AutoReset(env).reset)(jax.random.split(jax.random.key(1), 64))
  action, _, _ = agent.act(variables, agent.initial_memory(64), timestep, KEY, False)
  assert jnp.mean(jax.vmap(pay)(state.inner, action)) >= least
