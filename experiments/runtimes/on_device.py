"""The on_device runtime: act, step, bonus and learn in one jitted program.

The program is a scan over iterations; each is a scan over T steps of E environments, then one call
of `agent.learn` on what they did, or, of an agent that replays, U calls on what is drawn; see
`on_device_replay`. Several seeds are one more `vmap`; several devices share the environments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from agents.agent import Agent, Metrics
from agents.trajectory import Trajectory
from envs import capabilities
from envs.auto_reset import AutoReset
from envs.capabilities import HasPlaces
from envs.environment import Environment
from envs.limits import LIMITS
from experiments.acting import coverage
from experiments.runs.rows import SUMS
from experiments.runtimes import on_device_replay
from experiments.settings import train as configs


class EpisodeStats(NamedTuple):
  """Return and length of the episodes under way, float32 and int32 [E]."""

  episode_return: jax.Array
  length: jax.Array


class Carry(NamedTuple):
  """Everything a run is made of between two calls; a checkpoint is this and nothing else.

  Attributes:
    learner: the agent's learner state.
    env_state, timestep, memory, stats: of the E environments, leading axis E.
    coverage: of the places, of an environment that tells them, else ().
    replay: of an agent that replays, else ().
    key: for acting and learning.
    updates: int32, updates done; see `experiments.settings.train.steps`.
  """

  learner: Any
  env_state: Any
  timestep: Any
  memory: Any
  stats: EpisodeStats
  coverage: Any
  replay: Any
  key: jax.Array
  updates: jax.Array


class Runtime(NamedTuple):
  """The compiled program of one experiment, all with a leading axis of seeds.

  Attributes:
    init: keys [S] -> carry.
    run: carry -> (carry, metrics [S]): `updates_per_call` updates; the carry given is donated. Of
      them, `learned` is how many iterations learned, 0 while a replay is filled; what learning
      tells is then NaN.
    steps_per_call: environment steps (resets counted) of one seed in one call of `run`.
  """

  init: Callable[[jax.Array], Carry]
  run: jax.stages.Wrapped
  steps_per_call: int


def unroll(
  env: AutoReset, agent: Agent, variables: Any, carry: Carry
) -> tuple[Carry, Trajectory, Metrics]:
  """Acts for T steps in E environments.

  Returns:
    The carry after them (same learner), the trajectory [T+1, E], and `SUMS` over the episodes that
    ended; and `LARGEST`, the largest reward, observation and discount, NaN where one was NaN.
  """

  def oracle(env_state: Any) -> Any:
    return jax.vmap(env.oracle)(env_state) if isinstance(env, HasPlaces) else ()

  def body(inner: tuple, key: jax.Array) -> tuple[tuple, tuple]:
    env_state, timestep, memory, stats = inner
    hidden = oracle(env_state)
    action, extras, memory = agent.act(variables, memory, timestep, key, True)
    env_state, new = jax.vmap(env.step)(env_state, action)
    # A FIRST restarts the sums; its reward is 0.
    running = EpisodeStats(
      jnp.where(new.first(), 0.0, stats.episode_return + new.reward),
      jnp.where(new.first(), 0, stats.length + 1),
    )
    out = (timestep, hidden, action, extras, new.last(), running)
    return (env_state, new, memory, running), out

  key, scan_key = jax.random.split(carry.key)
  start = (carry.env_state, carry.timestep, carry.memory, carry.stats)
  keys = jax.random.split(scan_key, agent.data.unroll_length)
  end, (timesteps, hidden, action, extras, ended, running) = jax.lax.scan(body, start, keys)
  env_state, timestep, memory, stats = end

  # The step that follows the last completes the trajectory; what is done there is not in it.
  def complete(sequence: Any, last: Any) -> Any:
    return jax.tree.map(lambda s, x: jnp.concatenate([s, x[None]]), sequence, last)

  timesteps = complete(timesteps, timestep)
  action = jnp.concatenate([action, jnp.zeros_like(action[:1])])
  extras = jax.tree.map(lambda e: jnp.concatenate([e, jnp.zeros_like(e[:1])]), extras)
  trajectory = Trajectory(
    observation=timesteps.observation,
    action=action,
    reward=timesteps.reward,
    discount=timesteps.discount,
    step_type=timesteps.step_type,
    extras=extras,
    memory=carry.memory,
    oracle=complete(hidden, oracle(env_state)),
  )
  metrics = {
    "episodes": jnp.sum(ended).astype(jnp.float32),
    "return_sum": jnp.sum(jnp.where(ended, running.episode_return, 0.0)),
    "length_sum": jnp.sum(jnp.where(ended, running.length, 0)).astype(jnp.float32),
    "success_sum": jnp.sum(ended & (running.episode_return >= env.success_return)).astype(
      jnp.float32
    ),
    "success_known": jnp.sum(ended & math.isfinite(env.success_return)).astype(jnp.float32),
  }
  for name, what in zip(LARGEST, LIMITS, strict=True):
    leaves = jax.tree.leaves(getattr(timesteps, what))
    floats = [jnp.max(jnp.abs(x)) for x in leaves if jnp.issubdtype(x.dtype, jnp.floating)]
    metrics[name] = jnp.max(jnp.stack(floats)) if floats else jnp.float32(0)
  new = carry._replace(env_state=env_state, timestep=timestep, memory=memory, stats=stats, key=key)
  return new, trajectory, metrics


LARGEST = tuple(f"largest_{name}" for name in LIMITS)
"""Metrics of which the maximum is kept; of those not in `SUMS`, the mean."""


def build(
  env: Environment,
  agent: Agent,
  updates_per_call: int,
  devices: list[jax.Device] | None = None,
) -> Runtime:
  """Compiles (at the first call) an experiment on `devices`, all local ones by default.

  Raises:
    ValueError: if the environments cannot be shared out evenly among the devices, or a replay
      cannot work, or `updates_per_call` are no whole iterations of it.
  """
  stream = AutoReset(env)
  places = capabilities.places(env)
  replays = agent.data.replay is not None
  environments, per_unroll, warm_up = on_device_replay.schedule(agent.data)
  iterations = updates_per_call // per_unroll
  devices = jax.local_devices() if devices is None else devices
  if replays and len(devices) > 1:
    raise ValueError("a replay on_device lies on one device; give --devices 1.")
  if environments % len(devices):
    raise ValueError(
      f"batch_size is {environments}; it must be a multiple of the {len(devices)} devices that"
      " share it."
    )
  if updates_per_call % per_unroll:
    raise ValueError(
      f"log_updates is {updates_per_call}; it must be a multiple of the {per_unroll} updates that"
      " follow each unroll."
    )

  def init(key: jax.Array) -> Carry:
    agent_key, env_key, act_key = jax.random.split(key, 3)
    env_state, timestep = jax.vmap(stream.reset)(jax.random.split(env_key, environments))
    zeros = jnp.zeros((environments,), jnp.float32)
    return Carry(
      learner=agent.init(agent_key),
      env_state=env_state,
      timestep=timestep,
      memory=agent.initial_memory(environments),
      stats=EpisodeStats(zeros, zeros.astype(jnp.int32)),
      coverage=() if places is None else coverage.init(places),
      replay=on_device_replay.init(agent, env) if replays else (),
      key=act_key,
      updates=jnp.int32(0),
    )

  def replayed(
    carry: Carry, trajectory: Trajectory, key: jax.Array, unrolls: jax.Array
  ) -> tuple[Carry, Metrics]:
    held = on_device_replay.insert(carry.replay, trajectory, unrolls * environments)

    def learn() -> tuple[Any, jax.Array, Metrics]:
      inserted = (unrolls + 1) * environments
      return on_device_replay.learn(agent, carry.learner, held, key, inserted)

    def wait() -> tuple[Any, jax.Array, Metrics]:
      metrics = jax.eval_shape(learn)[2]
      return carry.learner, held.nodes, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), metrics)

    learner, nodes, metrics = jax.lax.cond(unrolls >= warm_up, learn, wait)
    return carry._replace(learner=learner, replay=held._replace(nodes=nodes)), metrics

  def run(carry: Carry, unrolls: jax.Array) -> tuple[Carry, Metrics]:
    def iterate(carry: Carry, now: tuple[jax.Array, jax.Array]) -> tuple[Carry, tuple]:
      unrolls, is_last = now
      # `unroll` takes the first two keys of this split.
      learn_key = jax.random.split(carry.key, 3)[2]
      carry, trajectory, episodes = unroll(stream, agent, agent.variables(carry.learner), carry)
      if replays:
        carry, learned = replayed(carry, trajectory, learn_key, unrolls)
      else:
        learner, learned, _ = agent.learn(carry.learner, trajectory, learn_key)
        carry = carry._replace(learner=learner)
      if places is not None:
        step = unrolls * (agent.data.unroll_length * environments)
        seen = coverage.update(carry.coverage, trajectory, step)
        carry = carry._replace(coverage=seen)
        episodes |= coverage.metrics(seen, trajectory, places)
      # A branch, not a choice between two results: `is_last` is the same for all seeds.
      shapes = jax.eval_shape(agent.diagnose, carry.learner, trajectory)
      nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
      diagnosis = jax.lax.cond(
        is_last, lambda: agent.diagnose(carry.learner, trajectory), lambda: nothing
      )
      return carry._replace(updates=carry.updates + per_unroll), (learned, episodes, diagnosis)

    counts = jnp.arange(iterations)
    now = (unrolls + counts, counts == iterations - 1)
    carry, (learning, history, diagnoses) = jax.lax.scan(iterate, carry, now)
    kept = dict.fromkeys(SUMS, jnp.sum) | dict.fromkeys(LARGEST, jnp.max)
    metrics = {name: kept.get(name, jnp.mean)(x) for name, x in history.items()}
    metrics |= {name: history[name][-1] for name in coverage.SO_FAR if name in history}
    learned = jnp.sum(now[0] >= warm_up).astype(jnp.float32)
    metrics |= jax.tree.map(lambda x: jnp.sum(x) / learned, learning) | {"learned": learned}
    params = jax.tree.leaves(agent.variables(carry.learner))
    finite = jnp.stack([jnp.all(jnp.isfinite(x)) for x in params])
    metrics["finite_params"] = jnp.all(finite).astype(jnp.float32)
    return carry, metrics | jax.tree.map(lambda x: x[-1], diagnoses)

  def program(carry: Carry) -> tuple[Carry, Metrics]:
    # One count for all seeds: a condition that depends on it stays a branch under vmap.
    return jax.vmap(run, in_axes=(0, None))(carry, carry.updates[0] // per_unroll)

  # The axis of environments is shared by the devices; the learner is on each of them.
  mesh = Mesh(devices, ("environments",))
  everywhere = NamedSharding(mesh, PartitionSpec())
  shared = NamedSharding(mesh, PartitionSpec(None, "environments"))
  fields: dict[str, Any] = dict.fromkeys(Carry._fields, shared)
  whole = ("learner", "coverage", "replay", "key", "updates")
  placement = Carry(**fields | dict.fromkeys(whole, everywhere))
  return Runtime(
    init=jax.jit(jax.vmap(init), out_shardings=placement),
    run=jax.jit(
      program,
      in_shardings=(placement,),
      out_shardings=(placement, everywhere),
      donate_argnums=0,
    ),
    steps_per_call=configs.steps(agent.data, updates_per_call),
  )
