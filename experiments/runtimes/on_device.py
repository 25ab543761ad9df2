"""The on_device runtime: act, step, bonus and learn in one jitted program.

The program is a scan over updates; each update is a scan over T steps of B environments, then one
call of `agent.learn`. Several seeds are one more `vmap`; several devices share the B environments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from agents.agent import Agent, Metrics, Trajectory
from envs.environment import AutoReset, Environment
from experiments.runtimes import coverage


class EpisodeStats(NamedTuple):
  """Return and length of the episodes under way, float32 and int32 [B]."""

  episode_return: jax.Array
  length: jax.Array


class Carry(NamedTuple):
  """Everything a run is made of between two updates; a checkpoint is this and nothing else.

  Attributes:
    learner: the agent's learner state.
    env_state, timestep, memory, stats: of the B environments, leading axis B.
    coverage: of the places, of an environment that tells them, else ().
    key: for acting and learning.
    updates: int32, updates done.
  """

  learner: Any
  env_state: Any
  timestep: Any
  memory: Any
  stats: EpisodeStats
  coverage: Any
  key: jax.Array
  updates: jax.Array


class Runtime(NamedTuple):
  """The compiled program of one experiment, all with a leading axis of seeds.

  Attributes:
    init: keys [S] -> carry.
    run: carry -> (carry, metrics [S]): `updates_per_call` updates; the carry given is donated.
    steps_per_call: environment steps (resets counted) of one seed in one call of `run`.
  """

  init: Callable[[jax.Array], Carry]
  run: jax.stages.Wrapped
  steps_per_call: int


def unroll(
  env: AutoReset, agent: Agent, variables: Any, carry: Carry
) -> tuple[Carry, Trajectory, Metrics]:
  """Acts for T steps in B environments.

  Returns:
    The carry after them (same learner), the trajectory [T+1, B], and sums over the episodes that
    ended: `episodes`, `return_sum`, `length_sum`, `success_sum`; `finite` is 0 if an observation or
    a reward was NaN or infinite.
  """

  def oracle(env_state: Any) -> Any:
    return () if env.places() is None else jax.vmap(env.oracle)(env_state)

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
  floats = [x for x in jax.tree.leaves(timesteps) if jnp.issubdtype(x.dtype, jnp.floating)]
  metrics = {
    "episodes": jnp.sum(ended).astype(jnp.float32),
    "return_sum": jnp.sum(jnp.where(ended, running.episode_return, 0.0)),
    "length_sum": jnp.sum(jnp.where(ended, running.length, 0)).astype(jnp.float32),
    "success_sum": jnp.sum(ended & (running.episode_return >= env.success_return)).astype(
      jnp.float32
    ),
    "finite": jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in floats])).astype(jnp.float32),
  }
  new = carry._replace(env_state=env_state, timestep=timestep, memory=memory, stats=stats, key=key)
  return new, trajectory, metrics


SUMS = ("episodes", "return_sum", "length_sum", "success_sum")
"""Metrics that add up over updates; of the others, the mean is kept."""


def build(
  env: Environment,
  agent: Agent,
  updates_per_call: int,
  devices: list[jax.Device] | None = None,
) -> Runtime:
  """Compiles (at the first call) an experiment on `devices`, all local ones by default.

  Raises:
    ValueError: if the environments cannot be shared out evenly among the devices.
  """
  stream = AutoReset(env)
  places = env.places()
  batch, length = agent.data.batch_size, agent.data.unroll_length
  devices = devices or jax.local_devices()
  if batch % len(devices):
    raise ValueError(
      f"batch_size is {batch}; it must be a multiple of the {len(devices)} devices that share it."
    )

  def init(key: jax.Array) -> Carry:
    agent_key, env_key, act_key = jax.random.split(key, 3)
    env_state, timestep = jax.vmap(stream.reset)(jax.random.split(env_key, batch))
    return Carry(
      learner=agent.init(agent_key),
      env_state=env_state,
      timestep=timestep,
      memory=agent.initial_memory(batch),
      stats=EpisodeStats(jnp.zeros((batch,), jnp.float32), jnp.zeros((batch,), jnp.int32)),
      coverage=() if places is None else coverage.init(places),
      key=act_key,
      updates=jnp.int32(0),
    )

  def run(carry: Carry) -> tuple[Carry, Metrics]:
    def update(carry: Carry, is_last: jax.Array) -> tuple[Carry, tuple[Metrics, Metrics]]:
      # `unroll` takes the first two keys of this split.
      learn_key = jax.random.split(carry.key, 3)[2]
      carry, trajectory, episodes = unroll(stream, agent, agent.variables(carry.learner), carry)
      learner, metrics, _ = agent.learn(carry.learner, trajectory, learn_key)
      if places is not None:
        step = carry.updates * (length * batch)
        seen = coverage.update(carry.coverage, trajectory, step)
        carry = carry._replace(coverage=seen)
        metrics |= coverage.metrics(seen, trajectory, places)
      # A branch, not a choice between two results: `is_last` is the same for all seeds.
      shapes = jax.eval_shape(agent.diagnose, learner, trajectory)
      nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
      diagnosis = jax.lax.cond(
        is_last, lambda: agent.diagnose(learner, trajectory), lambda: nothing
      )
      carry = carry._replace(learner=learner, updates=carry.updates + 1)
      return carry, (metrics | episodes, diagnosis)

    is_last = jnp.arange(updates_per_call) == updates_per_call - 1
    carry, (history, diagnoses) = jax.lax.scan(update, carry, is_last)
    metrics = {name: jnp.sum(x) if name in SUMS else jnp.mean(x) for name, x in history.items()}
    metrics |= {name: history[name][-1] for name in coverage.SO_FAR if name in history}
    metrics["finite"] = jnp.min(history["finite"])
    params = jax.tree.leaves(agent.variables(carry.learner))
    finite = jnp.stack([jnp.all(jnp.isfinite(x)) for x in params])
    metrics["finite_params"] = jnp.all(finite).astype(jnp.float32)
    return carry, metrics | jax.tree.map(lambda x: x[-1], diagnoses)

  # The axis of environments is shared by the devices; the learner is on each of them.
  mesh = Mesh(devices, ("environments",))
  everywhere = NamedSharding(mesh, PartitionSpec())
  shared = NamedSharding(mesh, PartitionSpec(None, "environments"))
  fields: dict[str, Any] = dict.fromkeys(Carry._fields, shared)
  placement = Carry(**fields | dict.fromkeys(("learner", "coverage", "key", "updates"), everywhere))
  return Runtime(
    init=jax.jit(jax.vmap(init), out_shardings=placement),
    run=jax.jit(
      jax.vmap(run),
      in_shardings=(placement,),
      out_shardings=(placement, everywhere),
      donate_argnums=0,
    ),
    steps_per_call=updates_per_call * length * batch,
  )
