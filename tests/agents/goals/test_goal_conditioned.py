"""Agents that pursue their own goals: which goals, when they walk, and what a step pays."""

import dataclasses

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import her, reach
from agents.cores import core as cores
from agents.goals.config import GoalsConfig
from agents.replay import ReplayConfig
from agents.torsos import torso as torsos
from agents.trajectory import Trajectory
from agents.world_model.world_model import WorldModelConfig
from envs.environment import FIRST, MID
from envs.observation import GOAL, VIEW

LENGTH, BATCH = 8, 6
ENV = envs.make("goals/random_maze", size=5, free=True)


def build(config, **goals):
  sizes = {"goal_capacity": 12, "goal_candidates": 8, "walks_kept": 12}
  goals = dataclasses.replace(config().goals, **sizes | goals)
  small = config(
    auxiliary=(),
    head_hidden=8,
    unroll_length=LENGTH,
    batch_size=BATCH,
    world_model=WorldModelConfig(
      torso=torsos.registry.choice("siamese"),
      core=cores.registry.choice("feedforward"),
      latent_size=8,
      core_size=8,
    ),
    replay=ReplayConfig(replay_capacity=60, replay_environments=6, priority_exponent=0.0),
    goals=goals,
  )
  return reach.build(small, ENV)


def views(rng, *shape):
  keys = jax.random.split(jax.random.key(rng.integers(2**31)), shape)

  def draw(key):
    return ENV.view(ENV.anywhere(key))

  for _ in shape:
    draw = jax.vmap(draw)
  return draw(keys)


def make_trajectory(agent, seed=0, walks=True):
  rng = np.random.default_rng(seed)
  shape = (LENGTH + 1, BATCH)
  seen, goal = views(rng, *shape), views(rng, BATCH)
  goal = jnp.broadcast_to(goal, seen.shape)
  types = np.full(shape, MID, np.int32)
  types[0] = FIRST
  return Trajectory(
    observation={VIEW: seen, GOAL: goal},
    action=jnp.asarray(rng.uniform(-1, 1, (*shape, 2)), jnp.float32),
    reward=jnp.asarray(rng.normal(size=shape), jnp.float32),
    discount=jnp.ones(shape),
    step_type=jnp.asarray(types),
    extras={
      "policy": jnp.zeros((*shape, 4)),
      "sample": jnp.zeros((*shape, 2)),
      "walks": jnp.full(shape, walks).at[-1].set(False),
    },
    memory=agent.initial_memory(BATCH),
    probability=jnp.full((BATCH,), 1 / BATCH),
  )


def make_trajectory_views(seed):
  """All that is seen in `make_trajectory`, [N, *O]."""
  return views(np.random.default_rng(seed), LENGTH + 1, BATCH).reshape(-1, 2)


@pytest.fixture(scope="module")
def agent():
  return build(reach.ReachConfig, walk_only_updates=2, goal_refresh_updates=2, walk_steps=3)


@pytest.fixture(scope="module")
def states(agent):
  """The learner state after 0, 1, 2, ... calls of `learn`, and the metrics of each call."""
  learn, state = jax.jit(agent.learn), agent.init(jax.random.key(0))
  out, metrics = [state], []
  for i in range(4):
    learned = learn(state, make_trajectory(agent, i), jax.random.key(i))
    state = learned.state
    out.append(state)
    metrics.append(learned.metrics)
  assert learn._cache_size() == 1
  return out, metrics


def play(agent, variables, count):
  """What was carried, done and left in each of so many steps; and the environment's goal."""
  act = jax.jit(agent.act, static_argnums=4)
  rng = np.random.default_rng(7)
  memory, goal, out = agent.initial_memory(BATCH), views(rng, BATCH), []
  for t in range(count):
    seen = views(rng, BATCH)
    step = dm_env.TimeStep(
      jnp.full((BATCH,), FIRST if t == 0 else MID, jnp.int32),
      jnp.zeros((BATCH,)),
      jnp.ones((BATCH,)),
      {VIEW: seen, GOAL: goal},
    )
    action, extras, memory = act(variables, memory, step, jax.random.key(t), True)
    out.append((memory, action, extras))
  return out, goal


def test_at_first_there_are_only_random_walks(agent, states):
  played, _ = play(agent, agent.variables(states[0][1]), 5)
  assert all(extras["walks"].all() for _, _, extras in played)


def test_then_goals_come_from_the_memory(agent, states):
  state = states[0][-1]
  size = int(state.memory.size)
  assert 0 < size <= 12
  (memory, _, _), *_ = play(agent, agent.variables(state), 1)[0]
  held = np.asarray(state.memory.views[:size])
  for goal in np.asarray(memory.goal):
    assert (np.abs(held - goal).max(axis=1) == 0).any()


def test_states_join_the_memory_at_a_refresh_alone(states):
  sizes = [int(state.memory.size) for state in states[0]]
  assert sizes[:2] == [0, 0]  # a refresh every two
  assert sizes[2] > 0
  assert sizes[3] == sizes[2]
  seen = [np.asarray(make_trajectory_views(i)) for i in range(2)]
  held = np.asarray(states[0][2].memory.views[: sizes[2]])
  assert all((np.abs(np.concatenate(seen) - view).max(axis=1) == 0).any() for view in held)


def test_rarely_met_entries_are_more_often_goals(states):
  state = states[0][-1]
  weights = jnp.zeros_like(state.graph.weights).at[0, 0].set(8.0)
  state = state._replace(
    memory=state.memory._replace(size=jnp.int32(3)), graph=state.graph._replace(weights=weights)
  )
  for rarity, first in ((0.5, 1 / 3), (0.0, 1.0)):
    shares = build(reach.ReachConfig, goal_rarity=rarity).variables(state).shares
    np.testing.assert_allclose(shares, [first, 1, 1] + [0] * 9, rtol=1e-6)


def test_a_goal_is_reached_where_the_way_is_nearly_as_likely_as_staying(states):
  variables = states[0][-1]
  for slack, near in ((1e9, True), (-1e9, False)):
    agent = build(reach.ReachConfig, walk_only_updates=0, goal_slack=slack)
    own = agent.variables(variables)
    # A network whose logits are all 1: every way is above 0.
    reach_params = jax.tree.map(jnp.zeros_like, own.reach)
    last = next(name for name, layer in reach_params.items() if layer["w"].shape[1] == 1)
    reach_params[last]["b"] += 1.0
    played, _ = play(agent, own._replace(reach=reach_params), 1)
    assert bool(played[0][2]["walks"].all()) == near


def test_a_walk_follows_a_goal_and_a_new_goal_the_walk(agent, states):
  variables = agent.variables(states[0][-1])
  played, _ = play(agent, variables, 16)
  walks = np.stack([extras["walks"] for *_, extras in played])
  goals = np.stack([memory.goal for memory, *_ in played])
  for b in range(BATCH):
    for t in range(1, 16):
      changed = (goals[t, b] != goals[t - 1, b]).any()
      # A goal is never dropped for another without a walk of three steps before.
      assert not changed or walks[t - 3 : t, b].all()
    lengths = [len(run) for run in "".join("w" if w else " " for w in walks[:, b]).split()]
    assert all(length <= 3 for length in lengths[:-1]) or not lengths


def test_where_it_is_judged_it_takes_the_environments_goals_and_never_walks(agent, states):
  for state in (states[0][1], states[0][-1]):
    played, goal = play(agent, agent.on_task(agent.variables(state)), 4)
    for memory, _, extras in played:
      np.testing.assert_array_equal(memory.goal, goal)
      assert not extras["walks"].any()


def test_what_was_done_is_what_the_closed_loop_is_told(agent, states):
  for memory, action, _ in play(agent, agent.variables(states[0][1]), 2)[0]:
    np.testing.assert_array_equal(memory.inner.action, action)


def test_rewards_of_the_environment_are_not_read(agent, states):
  state, trajectory = states[0][1], make_trajectory(agent, 9)
  learn = jax.jit(agent.learn)
  paid = learn(state, trajectory._replace(reward=100 + trajectory.reward), jax.random.key(0))
  plain = learn(state, trajectory, jax.random.key(0))
  jax.tree.map(np.testing.assert_array_equal, paid.state, plain.state)


def test_the_network_learns_from_random_walks_alone(agent, states):
  learn = jax.jit(agent.learn)
  still = learn(states[0][0], make_trajectory(agent, 5, walks=False), jax.random.key(0))
  assert still.metrics["reach_loss"] == 0.0
  assert states[1][0]["reach_loss"] > 0.0


def test_sparse_goals_pay_where_the_environment_says_they_are_reached():
  agent = build(her.HERConfig, hindsight_share=0.0)
  trajectory = make_trajectory(agent)
  goal = trajectory.observation[GOAL]
  arrived = trajectory.observation[VIEW].at[3:5].set(goal[3:5])
  trajectory = trajectory._replace(observation={VIEW: arrived, GOAL: goal})
  metrics = jax.jit(agent.learn)(
    agent.init(jax.random.key(0)), trajectory, jax.random.key(1)
  ).metrics
  there = [
    [bool(ENV.reached(arrived[t, b], goal[t, b])) for b in range(BATCH)]
    for t in range(1, LENGTH + 1)
  ]
  assert np.sum(there) >= 2 * BATCH
  np.testing.assert_allclose(metrics["goal_reward"], np.mean(there), rtol=1e-6)


def test_a_world_without_goals_is_refused():
  with pytest.raises(ValueError, match="'PointMass' has no goals; take one such as goals/u_maze"):
    reach.build(reach.ReachConfig(), envs.make("point_mass"))


def test_another_torso_is_refused():
  with pytest.raises(ValueError, match="torso is 'mlp'; goals need --torso siamese"):
    reach.build(
      reach.ReachConfig(world_model=WorldModelConfig(torso=torsos.registry.choice("mlp"))), ENV
    )


def test_a_ring_smaller_than_a_batch_is_refused():
  with pytest.raises(ValueError, match="walks_kept is 4; it must be at least the batch size"):
    build(reach.ReachConfig, walks_kept=4)


def test_settings_out_of_range_are_refused():
  with pytest.raises(ValueError, match="hindsight_share is 2"):
    GoalsConfig(hindsight_share=2.0)
