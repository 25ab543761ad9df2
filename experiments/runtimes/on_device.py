"""The on_device runtime: act, step, bonus and learn in one jitted program.

The program is a scan over iterations; each is a scan over T steps of E environments, then one call
of `agent.learn` on what they did, or, of an agent that replays, U calls on what is drawn; see
`on_device_replay`. Several seeds are one more `vmap`. Several devices share the seeds where they
can be shared evenly, since seeds have nothing to tell each other, and else the environments.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from agents.agent import Agent, Metrics, Standing
from agents.trajectory import Trajectory
from agents.when import rows_where
from envs import capabilities
from envs.auto_reset import AutoReset
from envs.capabilities import Places
from envs.environment import Environment, restart
from envs.limits import LIMITS
from experiments.acting import coverage, episodes, rollout
from experiments.acting.episodes import EpisodeStats
from experiments.acting.policy import AgentPolicy
from experiments.runs.rows import SUMS
from experiments.runtimes import on_device_replay
from experiments.runtimes.loop import placed
from experiments.runtimes.on_device_replay import Schedule
from experiments.settings.train import steps


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
  key, act_key = jax.random.split(carry.key)
  return _act(env, agent, variables, carry._replace(key=key), act_key)


def _act(
  env: AutoReset, agent: Agent, variables: Any, carry: Carry, key: jax.Array
) -> tuple[Carry, Trajectory, Metrics]:
  """`unroll` with a key, beside that of the carry, which stays."""

  def count(stats: EpisodeStats, step: rollout.Step) -> tuple[EpisodeStats, tuple]:
    timestep = step.after.timestep
    stats = episodes.update(stats, timestep)
    return stats, (timestep.last(), stats)

  acting, trajectory, stats, (ended, running) = rollout.unroll(
    env,
    AgentPolicy(agent),
    variables,
    rollout.Acting(carry.env_state, carry.timestep, carry.memory),
    jax.random.split(key, agent.data.unroll_length),
    count,
    carry.stats,
    agent.reads_state,
  )
  metrics = episodes.sums(running, ended, env.success_return)
  for name, what in zip(LARGEST, LIMITS, strict=True):
    leaves = jax.tree.leaves(getattr(trajectory, what))
    floats = [jnp.max(jnp.abs(x)) for x in leaves if jnp.issubdtype(x.dtype, jnp.floating)]
    metrics[name] = jnp.max(jnp.stack(floats)) if floats else jnp.float32(0)
  return carry._replace(**acting._asdict(), stats=stats), trajectory, metrics


LARGEST = tuple(f"largest_{name}" for name in LIMITS)
"""Metrics of which the maximum is kept; of those not in `SUMS`, the mean."""


class Setup(NamedTuple):
  """What a program is made of; nothing in it changes.

  Attributes:
    env: the environment, which restarts by itself.
    agent: the agent.
    places: of the environment, None without.
    schedule: of acting and learning.
  """

  env: AutoReset
  agent: Agent
  places: Places | None
  schedule: Schedule


def build(
  env: Environment,
  agent: Agent,
  updates_per_call: int,
  devices: list[jax.Device] | None = None,
  seeds: int = 1,
) -> Runtime:
  """Compiles (at the first call) an experiment on `devices`, all local ones by default.

  Args:
    env, agent: of the experiment.
    updates_per_call: of one call of `run`.
    devices: that share the seeds, if there is a whole number for each, or else the environments.
    seeds: S, of the keys that `init` will be given.

  Raises:
    ValueError: if the environments cannot be shared out evenly among the devices, or a replay
      cannot work, or `updates_per_call` are no whole iterations of it.
  """
  schedule = on_device_replay.schedule(agent.data)
  devices = jax.local_devices() if devices is None else devices
  by_seeds = len(devices) > 1 and seeds % len(devices) == 0
  if agent.data.replay is not None and len(devices) > 1 and not by_seeds:
    raise ValueError("a replay on_device lies on one device; give --devices 1.")
  if schedule.environments % len(devices) and not by_seeds:
    raise ValueError(
      f"batch_size is {schedule.environments}; it must be a multiple of the {len(devices)} devices"
      " that share it."
    )
  if updates_per_call % schedule.updates:
    raise ValueError(
      f"log_updates is {updates_per_call}; it must be a multiple of the {schedule.updates} updates"
      " that follow each unroll."
    )
  setup = Setup(AutoReset(env), agent, capabilities.places(env), schedule)
  run = functools.partial(_run, setup, updates_per_call // schedule.updates)

  def program(carry: Carry) -> tuple[Carry, Metrics]:
    # One count for all seeds: a condition that depends on it stays a branch under vmap.
    return jax.vmap(run, in_axes=(0, None))(carry, carry.updates[0] // schedule.updates)

  if by_seeds:
    mesh = Mesh(devices, ("seeds",))
    apart = PartitionSpec("seeds")
    program = jax.shard_map(program, mesh=mesh, in_specs=apart, out_specs=apart, check_vma=False)
    placement: Any = NamedSharding(mesh, apart)
    told = placement
  else:
    # The axis of environments is shared by the devices; the learner is on each of them.
    mesh = Mesh(devices, ("environments",))
    told = NamedSharding(mesh, PartitionSpec())
    shared = NamedSharding(mesh, PartitionSpec(None, "environments"))
    fields: dict[str, Any] = dict.fromkeys(Carry._fields, shared)
    whole = ("learner", "coverage", "replay", "key", "updates")
    placement = Carry(**fields | dict.fromkeys(whole, told))
  return Runtime(
    init=jax.jit(jax.vmap(functools.partial(_init, setup)), out_shardings=placement),
    run=jax.jit(
      program,
      in_shardings=(placement,),
      out_shardings=(placement, told),
      donate_argnums=0,
    ),
    steps_per_call=steps(agent.data, updates_per_call),
  )


def _init(setup: Setup, key: jax.Array) -> Carry:
  """The carry of a new run of one seed."""
  agent, environments = setup.agent, setup.schedule.environments
  agent_key, env_key, act_key = jax.random.split(key, 3)
  acting = rollout.start(setup.env, AgentPolicy(agent), environments, env_key)
  return Carry(
    learner=agent.init(agent_key),
    **acting._asdict(),
    stats=episodes.init(environments),
    coverage=() if setup.places is None else coverage.init(setup.places),
    replay=() if agent.data.replay is None else on_device_replay.init(agent, setup.env),
    key=act_key,
    updates=jnp.int32(0),
  )


def _run(setup: Setup, iterations: int, carry: Carry, unrolls: jax.Array) -> tuple[Carry, Metrics]:
  """So many iterations of one seed, before which there were `unrolls`, int32."""
  counts = jnp.arange(iterations)
  now = (unrolls + counts, counts == iterations - 1)
  iterate = functools.partial(_iterate, setup)
  carry, (learning, history, diagnoses) = jax.lax.scan(iterate, carry, now)
  reduced = dict.fromkeys(SUMS, jnp.sum) | dict.fromkeys(LARGEST, jnp.max)
  metrics = {name: reduced.get(name, jnp.mean)(x) for name, x in history.items()}
  metrics |= {name: history[name][-1] for name in coverage.SO_FAR if name in history}
  learned = jnp.sum(now[0] >= setup.schedule.warm_up).astype(jnp.float32)
  metrics |= jax.tree.map(lambda x: jnp.sum(x) / learned, learning) | {"learned": learned}
  params = jax.tree.leaves(setup.agent.variables(carry.learner))
  finite = jnp.stack([jnp.all(jnp.isfinite(x)) for x in params])
  metrics["finite_params"] = jnp.all(finite).astype(jnp.float32)
  return carry, metrics | jax.tree.map(lambda x: x[-1], diagnoses)


def _iterate(
  setup: Setup, carry: Carry, now: tuple[jax.Array, jax.Array]
) -> tuple[Carry, tuple[Metrics, Metrics, Metrics]]:
  """An unroll and what is learned from it.

  Returns:
    The carry, and metrics of learning, of acting, and of `Agent.diagnose`, 0 but in the last one.
  """
  agent, places = setup.agent, setup.places
  unrolls, is_last = now
  key, act_key, learn_key, *revisit_key = jax.random.split(
    carry.key, 3 if agent.revisit is None else 4
  )
  carry = carry._replace(key=key)
  variables = agent.variables(carry.learner)
  carry, trajectory, acted = _act(setup.env, agent, variables, carry, act_key)
  carry, learned = _learn(setup, carry, trajectory, learn_key, unrolls)
  if places is not None:
    step = unrolls * (agent.data.unroll_length * setup.schedule.environments)
    carry = carry._replace(coverage=coverage.update(carry.coverage, trajectory, step))
    acted |= coverage.metrics(carry.coverage, trajectory, places)
  # A branch, not a choice between two results: `is_last` is the same for all seeds.
  shapes = jax.eval_shape(agent.diagnose, carry.learner, trajectory)
  diagnosis = jax.lax.cond(
    is_last, lambda: agent.diagnose(carry.learner, trajectory), lambda: _zeros(shapes)
  )
  carry = carry._replace(updates=carry.updates + setup.schedule.updates)
  if revisit_key:
    carry = _revisit(agent, carry, revisit_key[0])
  return carry, (learned, acted, diagnosis)


def _revisit(agent: Agent, carry: Carry, key: jax.Array) -> Carry:
  """Has the agent go back to kept states; the next unroll begins with a FIRST where it does."""
  assert agent.revisit is not None
  standing = Standing(carry.env_state.inner, carry.timestep.observation)
  learner, (inner, observation), moved = agent.revisit(carry.learner, standing, key)
  begun = jax.vmap(restart)(observation)
  step_type = jnp.where(moved, begun.step_type, carry.env_state.step_type)
  return carry._replace(
    learner=learner,
    env_state=carry.env_state._replace(inner=inner, step_type=step_type),
    timestep=rows_where(moved, begun, carry.timestep),
    stats=rows_where(moved, episodes.init(len(moved)), carry.stats),
  )


def _learn(
  setup: Setup, carry: Carry, trajectory: Trajectory, key: jax.Array, unrolls: jax.Array
) -> tuple[Carry, Metrics]:
  """The updates that follow an unroll: one on what was just done, or some on what is replayed."""
  agent, environments = setup.agent, setup.schedule.environments
  if agent.data.replay is None:
    learner, metrics, _ = agent.learn(carry.learner, trajectory, key)
    return carry._replace(learner=learner), metrics
  replay = on_device_replay.insert(carry.replay, trajectory, unrolls * environments)

  def learn() -> tuple[Any, jax.Array, Metrics]:
    inserted = (unrolls + 1) * environments
    return on_device_replay.learn(agent, carry.learner, replay, key, inserted)

  def wait() -> tuple[Any, jax.Array, Metrics]:
    return carry.learner, replay.nodes, _zeros(jax.eval_shape(learn)[2])

  learner, nodes, metrics = jax.lax.cond(unrolls >= setup.schedule.warm_up, learn, wait)
  return carry._replace(learner=learner, replay=replay._replace(nodes=nodes)), metrics


def _zeros(shapes: Any) -> Any:
  return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)


def turned(agent: Agent, carry: Carry, numbers: Sequence[Mapping[str, float]]) -> Carry:
  """The carry of new runs with hyper-parameters of their own, one mapping a seed."""
  if not any(numbers):
    return carry
  assert agent.turn is not None
  arrays = {name: jnp.asarray([x[name] for x in numbers], jnp.float32) for name in numbers[0]}
  learner = jax.jit(jax.vmap(agent.turn))(carry.learner, arrays)
  return carry._replace(learner=placed(learner, carry.learner))
