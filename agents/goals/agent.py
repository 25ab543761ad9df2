"""How an agent that pursues its own goals is put together, around one of the latent world model.

While acting it heads for a goal, walks at random from where it got, and takes the next goal. While
learning it gives each trajectory a goal in hindsight, lets reachability say what its steps pay, and
hands it to the agent inside. Beside that agent, the reachability network learns from the latest
random walks, on the latents of the target encoder. Every few updates what is new of what was
visited joins the goal memory, and the walks draw the graph over it. Rewards of the environment are
not read.

Sources: Mezghani et al. 2022, Walk the Random Walk (arXiv 2206.11733); Mezghani et al. 2023,
GO-FRESH (arXiv 2301.02099). See agents/reach.py and agents/her.py.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from agents import observation_normaliser
from agents.agent import Agent, HasSpecs, Learned, Metrics, Trajectory
from agents.goals.config import GoalAgentConfig
from agents.latent import agent as latent_agent
from agents.reachability import goal_memory, graph, network, pairs, walks
from agents.reachability.goal_memory import DIRECTIONS, Direction, GoalMemory
from agents.reachability.graph import Graph
from agents.reachability.reward import shaped
from agents.reachability.walks import Walks
from agents.when import when
from agents.world_model import world_model
from envs.capabilities import HasGoals
from envs.goals.goal_environment import GOAL, SEEN
from envs.random_action import random_action


class LearnerState(NamedTuple):
  """All that is learned and shared.

  Attributes:
    inner: the agent inside's.
    reach: parameters of the reachability network.
    optimiser: optax state of them.
    memory: the goal memory.
    graph: over its entries.
    visited: the latest states, a ring, [M, *O].
    density: of each of them among the others, float32 [M], at most 1, which it is until it is
      measured; 0 for an empty place.
    walks: the latest trajectories with random walks in them, a ring.
    updates: int32.
  """

  inner: Any
  reach: Any
  optimiser: Any
  memory: GoalMemory
  graph: Graph
  visited: jax.Array
  density: jax.Array
  walks: Walks
  updates: jax.Array


class Variables(NamedTuple):
  """What acting needs of the learner state.

  Attributes:
    inner: the agent inside's.
    encoder: the target encoder, and the moments by which what it reads is normalised.
    reach: parameters of the reachability network.
    goals: views to choose goals from, [M, *O].
    shares: float32 [M], how often each is chosen, not normalised; all 0 takes the environment's.
    wanders: bool, whether there are random walks at all.
    walks_only: bool, whether there is nothing else yet.
  """

  inner: Any
  encoder: tuple[Any, Any]
  reach: Any
  goals: jax.Array
  shares: jax.Array
  wanders: jax.Array
  walks_only: jax.Array


class Memory(NamedTuple):
  """What an environment carries while acting.

  Attributes:
    inner: the agent inside's.
    goal: what is pursued, [B, *O].
    walks: bool [B], whether a random walk is on.
    clock: int32 [B], steps since the goal was chosen or the walk began.
  """

  inner: Any
  goal: jax.Array
  walks: jax.Array
  clock: jax.Array


def build(config: GoalAgentConfig, env: HasSpecs) -> Agent:
  """Puts the agent together for an environment with goals.

  Raises:
    ValueError: if it has no goals, or the torso does not keep a view and a goal apart.
  """
  spec, goals = env.observation_spec(), config.goals
  if not isinstance(env, HasGoals):
    name = getattr(env, "name", type(env).__name__)
    raise ValueError(f"environment {name!r} has no goals; take one such as goals/u_maze.")
  if config.world_model.torso != "siamese":
    raise ValueError(f"torso is {config.world_model.torso!r}; goals need --torso siamese.")
  kept = goals.walks_kept if goals.discovers else config.batch_size
  if kept < config.batch_size:
    raise ValueError(f"walks_kept is {goals.walks_kept}; it must be at least the batch size.")
  inner = latent_agent.build(config, env)
  model = world_model.build(config.world_model, spec, env.action_spec(), env.cell_pixels)
  half = config.world_model.latent_size // 2
  net = network.build(config.reachability, half)
  optimiser = network.optimiser(config.reachability)
  reached = jax.vmap(jax.vmap(env.reached))
  view_spec, capacity = env.view_spec(), goals.goal_capacity

  def encoder(state: LearnerState) -> tuple[Any, Any]:
    """What `latents` reads views with."""
    return state.inner.target_encoder, state.inner.observation_moments

  def latents(encoder: tuple[Any, Any], views: jax.Array) -> jax.Array:
    """Of views [..., *O], two of which make one observation; float32 [..., N / 2]."""
    target, moments = encoder
    lead = views.shape[: views.ndim - len(view_spec.shape)]
    flat = views.reshape(-1, *view_spec.shape)
    couples = jnp.concatenate([flat, flat[: len(flat) % 2]]).reshape(-1, 2, *view_spec.shape)
    couples = observation_normaliser.normalise(moments, couples)
    encoded = model.encode(target, couples).reshape(-1, half)[: len(flat)]
    return jax.lax.stop_gradient(encoded.reshape(*lead, half))

  def features(encoder: tuple[Any, Any], reach: Any, views: jax.Array) -> jax.Array:
    return net.features(reach, latents(encoder, views))

  def with_goal(views: jax.Array, goal: jax.Array) -> jax.Array:
    both = [views, jnp.broadcast_to(goal, views.shape)]
    return jnp.stack(both, axis=views.ndim - len(view_spec.shape))

  def init(key: jax.Array) -> LearnerState:
    inner_key, reach_key = jax.random.split(key)
    reach = net.init(reach_key)
    return LearnerState(
      inner.init(inner_key),
      reach,
      optimiser.init(reach),
      goal_memory.init(capacity, view_spec, config.reachability.reach_features),
      graph.init(capacity),
      jnp.zeros((capacity, *view_spec.shape), view_spec.dtype),
      jnp.zeros((capacity,), jnp.float32),
      walks.init(kept, config.unroll_length, view_spec),
      jnp.int32(0),
    )

  def shares(state: LearnerState) -> jax.Array:
    """How often each place of the memory, or of what was visited, is to be chosen, [M]."""
    if goals.goals_from == "memory":
      held = jnp.arange(capacity) < state.memory.size
      return held * (1.0 + graph.visits(state.graph)) ** -goals.goal_rarity
    filled = state.density > 0.0
    if goals.goals_from == "rare":
      return jnp.where(filled, 1.0 / jnp.maximum(state.density, 1e-6), 0.0)
    return filled.astype(jnp.float32) * (goals.goals_from == "visited")

  def variables(state: LearnerState) -> Variables:
    return Variables(
      inner.variables(state.inner),
      encoder(state),
      state.reach,
      state.memory.views if goals.goals_from == "memory" else state.visited,
      shares(state),
      jnp.bool_(goals.walk_steps > 0),
      state.updates < goals.walk_only_updates,
    )

  def on_task(variables: Variables) -> Variables:
    no = jnp.zeros_like(variables.wanders)
    return variables._replace(shares=jnp.zeros_like(variables.shares), wanders=no, walks_only=no)

  def initial_memory(batch: int) -> Memory:
    return Memory(
      inner.initial_memory(batch),
      jnp.zeros((batch, *view_spec.shape), view_spec.dtype),
      jnp.zeros((batch,), bool),
      jnp.zeros((batch,), jnp.int32),
    )

  def choose(views: jax.Array, shares: jax.Array, key: jax.Array, given: jax.Array) -> jax.Array:
    """Goals [N, *O] by their shares; `given` [N, *O] where there are none."""
    # Places without a share have a finite, hopeless logit, as all may be without.
    chosen = jax.random.categorical(key, jnp.log(jnp.maximum(shares, 1e-30)), shape=given.shape[:1])
    return jnp.where(jnp.any(shares > 0.0), views[chosen], given)

  def act(variables: Variables, memory: Memory, timestep: Any, key: jax.Array, explore: bool):
    goal_key, walk_key, act_key = jax.random.split(key, 3)
    views, given = timestep.observation[:, SEEN], timestep.observation[:, GOAL]
    walked = memory.walks & (memory.clock >= goals.walk_steps)
    fresh = timestep.first() | walked
    drawn = choose(variables.goals, variables.shares, goal_key, given)

    def chosen(new: jax.Array, old: jax.Array) -> jax.Array:
      return jnp.where(fresh.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    goal = chosen(drawn, memory.goal)
    clock = jnp.where(fresh, 0, memory.clock)
    walking = memory.walks & ~fresh
    ends = ~walking & variables.wanders
    if goals.walk_steps:
      here, there = (features(variables.encoder, variables.reach, x) for x in (views, goal))
      near = net.logits(variables.reach, here, there) > jnp.maximum(
        net.logits(variables.reach, there, there) - goals.goal_slack, 0.0
      )
      ends &= near | (clock >= goals.goal_patience)
    clock = jnp.where(ends, 0, clock) + 1
    walking = walking | ends | variables.walks_only

    towards = timestep._replace(observation=with_goal(views, goal))
    action, extras, carried = inner.act(variables.inner, memory.inner, towards, act_key, explore)
    at_random = random_action(env.action_spec(), walk_key, (len(walking),))
    action = jnp.where(walking.reshape(-1, *[1] * (action.ndim - 1)), at_random, action)
    extras = {**extras, "walks": walking}
    return action, extras, Memory(carried._replace(action=action), goal, walking, clock)

  def nearest(state: LearnerState, marks: jax.Array, direction: Direction) -> jax.Array:
    """The entry nearest to features [..., F], int32 [...]; see `goal_memory.nearest`."""

    def logits(a: jax.Array, b: jax.Array) -> jax.Array:
      return net.logits(state.reach, a, b)

    rows = marks.reshape(-1, marks.shape[-1])
    found = goal_memory.nearest(state.memory, rows, logits, direction, block=min(len(rows), 512))
    return found.reshape(marks.shape[:-1])

  def relabel(
    state: LearnerState, seen: jax.Array, trajectory: Trajectory, key: jax.Array
  ) -> tuple[Trajectory, Metrics]:
    """The trajectory, whose latents are `seen`, with one goal for each column, and what it pays."""
    share_key, time_key, new_key = jax.random.split(key, 3)
    views = trajectory.observation[:, :, SEEN]
    length, batch = trajectory.reward.shape
    later = views[jax.random.randint(time_key, (batch,), 1, length), jnp.arange(batch)]
    source = variables(state)
    new = choose(source.goals, source.shares, new_key, trajectory.observation[0, :, GOAL])
    hindsight = jax.random.uniform(share_key, (batch,)) < goals.hindsight_share
    goal = jnp.where(hindsight.reshape(-1, *[1] * (new.ndim - 1)), later, new)

    arrived = views[1:]
    discount = trajectory.discount
    if goals.goals_pay == "sparse":
      there = reached(arrived, jnp.broadcast_to(goal, arrived.shape))
      pay = there.astype(jnp.float32)
      discount = discount.at[1:].multiply(1.0 - pay)
    else:
      here = net.features(state.reach, seen[1:])
      wanted = features(encoder(state), state.reach, goal)
      ways = net.logits(state.reach, here, wanted)
      left: jax.Array | float = 0.0
      if goals.goals_pay == "graph":
        left = state.graph.distance[nearest(state, here, "out_of"), nearest(state, wanted, "into")]
      pay = shaped(ways, left, 1.0, goals.goal_reward_scale, goals.goal_reachability_weight)
    reward = jnp.concatenate([jnp.zeros((1, batch)), pay])
    relabelled = trajectory._replace(
      observation=with_goal(views, goal),
      reward=reward,
      discount=discount,
      memory=trajectory.memory.inner,
    )
    return relabelled, {"goal_reward": jnp.mean(pay)}

  def learn_reachability(
    state: LearnerState, trajectory: Trajectory, key: jax.Array
  ) -> tuple[LearnerState, Metrics]:
    """One step of the network on pairs of random walks, the batch's and those before."""
    kept = walks.keep(
      state.walks, trajectory.observation[:, :, SEEN], trajectory.extras["walks"], trajectory.first
    )
    drawn = pairs.draw(key, pairs.table(kept.segments), goals.walk_pairs, config.reachability)
    views = kept.views[tuple(jnp.stack([drawn.source, drawn.target], axis=1))]
    source, target = latents(encoder(state), views)
    # A logit compares how often a place follows with how often it is a negative. If that were how
    # often it was visited, whatever is new would seem to be near.
    place = nearest(state, net.features(state.reach, target), "out_of")
    weight = pairs.evened(
      place, drawn.label, drawn.weight, capacity, config.reachability.reach_negative_share
    )

    def loss(reach: Any) -> tuple[jax.Array, Metrics]:
      logits = net.logits(reach, net.features(reach, source), net.features(reach, target))
      return network.loss(logits, drawn.label, weight)

    gradient, metrics = jax.grad(loss, has_aux=True)(state.reach)
    step, optimiser_state = optimiser.update(gradient, state.optimiser, state.reach)
    reach = optax.apply_updates(state.reach, step)
    return state._replace(reach=reach, optimiser=optimiser_state, walks=kept), metrics

  def described(state: LearnerState) -> GoalMemory:
    """The memory with features of the network as it is now: to a newer one, all that an older one
    described is new."""
    views = state.memory.views
    return state.memory._replace(features=features(encoder(state), state.reach, views))

  def visit(state: LearnerState, trajectory: Trajectory, key: jax.Array) -> LearnerState:
    """What was visited, after some of the batch's states."""
    flat = trajectory.observation[:, :, SEEN].reshape(-1, *view_spec.shape)
    picked = jax.random.choice(key, len(flat), (goals.goal_candidates,), replace=False)
    place = (state.updates * goals.goal_candidates + jnp.arange(goals.goal_candidates)) % capacity
    return state._replace(
      visited=state.visited.at[place].set(flat[picked]), density=state.density.at[place].set(1.0)
    )

  def refresh(state: LearnerState, key: jax.Array) -> LearnerState:
    """Memory, graph and densities, all by the network as it is now.

    States join, and edges are seen, nowhere but here, so that all that is held has distances.
    """

    def logits(a: jax.Array, b: jax.Array) -> jax.Array:
      return net.logits(state.reach, a, b)

    def seen(views: jax.Array) -> jax.Array:
      return features(encoder(state), state.reach, views)

    # Places in place of views, so that what is kept tells where it was.
    old = described(state)
    numbered = old._replace(views=jnp.arange(capacity))
    kept = goal_memory.refresh(numbered, lambda _: old.features, logits, goals.goal_threshold)
    known = graph.reorder(state.graph, kept.views, kept.size)
    kept = kept._replace(views=old.views[kept.views])
    visited, filled = seen(state.visited), state.density > 0.0
    memory = goal_memory.insert(
      kept, state.visited, visited, logits, goals.goal_threshold, key, filled
    )
    known = graph.forget(known, jnp.any(memory.features != kept.features, axis=1))
    state = state._replace(memory=memory)

    segments = state.walks.segments.T
    marks = jnp.moveaxis(jax.lax.map(seen, state.walks.views, batch_size=64), 1, 0)
    walked = segments != pairs.PADDING
    into, out_of = (jnp.where(walked, nearest(state, marks, way), -1) for way in DIRECTIONS)
    known = graph.add(known, into, out_of, segments[1:] == segments[:-1])
    # A state is as common as there are others that reach it.
    near = jax.nn.sigmoid(net.all_logits(state.reach, visited, visited)) * filled[:, None]
    return state._replace(
      graph=graph.measure(known, memory.size),
      density=jnp.where(filled, jnp.maximum(jnp.mean(near, axis=0), 1e-6), 0.0),
    )

  def learn(state: LearnerState, trajectory: Trajectory, key: jax.Array) -> Learned:
    relabel_key, inner_key, reach_key, visit_key, refresh_key = jax.random.split(key, 5)
    if goals.discovers:
      state = state._replace(memory=described(state))
    seen = latents(encoder(state), trajectory.observation[:, :, SEEN])
    relabelled, metrics = relabel(state, seen, trajectory, relabel_key)
    learned = inner.learn(state.inner, relabelled, inner_key)
    state, metrics = state._replace(inner=learned.state), learned.metrics | metrics
    if goals.discovers:
      state, of_network = learn_reachability(state, trajectory, reach_key)
      state = visit(state, trajectory, visit_key)
      due = (state.updates + 1) % goals.goal_refresh_updates == 0
      state = when(due, functools.partial(refresh, key=refresh_key), state)
      metrics |= of_network | {
        "goal_memory": state.memory.size.astype(jnp.float32),
        "goal_linked": state.graph.linked,
      }
    state = state._replace(updates=state.updates + 1)
    return Learned(state, metrics, learned.priorities)

  return Agent(
    init=init,
    initial_memory=initial_memory,
    act=act,
    learn=learn,
    variables=variables,
    on_task=on_task,
    diagnose=lambda state, trajectory: inner.diagnose(state.inner, trajectory),
    intrinsic=lambda state, trajectory, key: inner.intrinsic(state.inner, trajectory, key),
    data=inner.data,
  )
