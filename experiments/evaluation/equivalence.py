"""How far the gradients of soft Q-learning and of its policy gradient agree, on the same data.

For the same parameters, the gradients of agents `soft_q` and `soft_pg` have one expectation over
actions of their own policy, so that on policy they differ by noise alone: their squared difference
falls as one over the batch size, and so does 1 - cosine once the batch is so large that the
gradients themselves are not mostly noise. Off policy, or at another temperature, they differ also
in expectation, and both level off.

For any policy p, with the soft value V and the policy pi_Q of action values Q,
  V - (E_p Q - tau KL(p || ref)) = tau KL(p || pi_Q) >= tau / 2 ||p - pi_Q||_1^2,
the Donsker-Varadhan identity with Pinsker's bound.
Source: Schulman, Chen, Abbeel 2017 (arXiv 1704.06440), sections 2 and 3.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats

from agents import agent as agents
from agents import bonuses
from agents.agent import Agent
from agents.heads.action_values import of_streams
from agents.latent import agent as latent_agent
from agents.latent.state import Params
from agents.objectives.objective import sum_of
from agents.replay import ReplayConfig
from agents.trajectory import Trajectory
from envs.auto_reset import AutoReset
from envs.environment import Environment
from envs.registry import Choice
from experiments.runtimes import on_device
from experiments.settings import flags
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, agent_config, build_agent

GROUP = 16
"""Trajectories whose gradients, each as large as the network, are in memory side by side."""
OBJECTIVES = ("soft_q", "soft_pg")
Array = jax.Array | np.ndarray


@dataclasses.dataclass(frozen=True)
class EquivalenceConfig:
  """Compare the gradients of soft_q and soft_pg, on policy, off policy and where temperatures
  differ."""

  run: Path | None = flags.positional(None)
  """Run folder of an agent whose objective is soft_q or soft_pg; without one, an agent is trained
  first, by the settings of `rarebird train` below."""
  off_policy: float = 0.3
  """Share of uniform actions in the data that is made off policy."""
  mismatch: float = 2.0
  """What soft_pg's temperature is multiplied by where temperatures differ."""
  max_batch: int = 256
  """Trajectories of the largest batch, a power of 2."""
  draws: int = 16
  """How often so many trajectories are drawn."""
  json: bool = False
  """Print JSON instead of tables."""
  train: TrainConfig = dataclasses.field(default_factory=lambda: training("soft_q"))
  """The training, where no run folder is given."""

  @classmethod
  def of(cls, agent_name: str) -> EquivalenceConfig:
    """The default comparison with a training of another agent."""
    return cls(train=training(agent_name))


def training(agent_name: str) -> TrainConfig:
  """A short training of a small network: early on, gradients are not mostly noise."""
  agent = agent_config(agent_name)
  model = dataclasses.replace(agent.world_model, latent_size=32, core_size=32, predictor_hidden=32)
  agent = dataclasses.replace(agent, auxiliary=(), head_hidden=64, world_model=model)
  return TrainConfig(env="catch", steps=12_800, log_updates=10, agent_name=agent_name, agent=agent)


def check(config: EquivalenceConfig) -> None:
  """Raises UserError for values that nothing can be measured with."""
  if not 0.0 <= config.off_policy <= 1.0:
    raise UserError(f"--off-policy is {config.off_policy}; it is a share, from 0 to 1.")
  if not 0.0 < config.mismatch < math.inf:
    raise UserError(f"--mismatch is {config.mismatch}; give a number above 0.")
  if config.max_batch < 4 or config.max_batch & (config.max_batch - 1):
    raise UserError(f"--max-batch is {config.max_batch}; give a power of 2, at least 4.")
  if config.draws < 2:
    raise UserError(f"--draws is {config.draws}; give at least 2.")
  if config.run and config.train != training(config.train.agent_name):
    raise UserError(f"{config.run} is trained already; leave the settings of a training out.")


class Twins(NamedTuple):
  """Agents `soft_q` and `soft_pg` of one config, whose learner states have one structure."""

  soft_q: Agent
  soft_pg: Agent


def twins(config: TrainConfig, env: Environment, max_batch: int) -> Twins:
  """Both agents of a run's config.

  They have no bonus, no auxiliary loss and no replay, and take targets from their own parameters,
  so that what is compared is the objectives alone.

  Raises:
    UserError: if the run's agent or objective is another.
  """
  if agents.registry.get(config.agent_name).build is not latent_agent.build:
    raise UserError(f"agent {config.agent_name!r} has no twin; take soft_q or soft_pg.")
  if config.agent.objective.name not in OBJECTIVES:
    raise UserError(
      f"the objective is {config.agent.objective.name}; only soft_q and soft_pg are each other's"
      " twins."
    )
  # One network of action values is read by both, so both take the settings of either.
  settings = dataclasses.replace(config.agent.objective.settings, target_decay=0.0)
  plain = dataclasses.replace(
    config.agent,
    bonus=bonuses.registry.choice("none"),
    auxiliary=(),
    replay=ReplayConfig(),
    batch_size=max_batch,
  )

  def build(objective: str) -> Agent:
    agent = dataclasses.replace(plain, objective=Choice(objective, settings))
    return build_agent(dataclasses.replace(config, agent=agent), env)

  return Twins(*map(build, OBJECTIVES))


def learner_state(twins: Twins, params: Params) -> Any:
  """A learner state of either, with the parameters of a run."""
  state = jax.jit(twins.soft_q.init)(jax.random.key(0))
  params = params._replace(bonus=state.params.bonus)
  return state._replace(params=params, behaviour=params)


class Agreement(NamedTuple):
  """Of soft_pg's gradient with soft_q's, arrays [N] of N batches, or [D, N] of D draws of them.

  Attributes:
    distance: 1 - cosine.
    log_ratio: log of |soft_pg's| / |soft_q's|.
    difference: |soft_pg's - soft_q's|^2.
    size: |soft_q's|^2.
  """

  distance: Array
  log_ratio: Array
  difference: Array
  size: Array


class Data(NamedTuple):
  """What was seen in D draws of N trajectories, and how the two gradients agree there.

  Attributes:
    agreement: of each batch size 1, 2, 4, ... N, arrays [D, N / size].
    mismatched: the same with soft_pg at the other temperature.
    q: [D, T, N, A], the action values.
    log_policy: [D, T, N, A], of the policy that acted.
    mask: bool [D, T, N], whether there is a transition.
  """

  agreement: tuple[Agreement, ...]
  mismatched: tuple[Agreement, ...]
  q: Array
  log_policy: Array
  mask: Array


class Variational(NamedTuple):
  """The Donsker-Varadhan identity at beliefs, float64 [...], all in units of the return.

  Attributes:
    gap: V - (E_p Q - tau KL(p || ref)).
    divergence: tau KL(p || pi_Q).
    pinsker: tau / 2 ||p - pi_Q||_1^2.
  """

  gap: np.ndarray
  divergence: np.ndarray
  pinsker: np.ndarray


def off_policy(agent: Agent, share: jax.Array | float) -> Agent:
  """The agent, but a `share` of its actions, drawn by chance, are uniform.

  What it leaves for learning is the log policy of the mixture, [..., A].
  """

  def act(
    variables: Any, memory: Any, timestep: Any, key: jax.Array, explore: bool
  ) -> tuple[jax.Array, Any, Any]:
    key, coin_key, uniform_key = jax.random.split(key, 3)
    action, extras, memory = agent.act(variables, memory, timestep, key, explore)
    count = extras["policy"].shape[-1]
    uniform = jax.random.randint(uniform_key, action.shape, 0, count, action.dtype)
    action = jnp.where(jax.random.bernoulli(coin_key, share, action.shape), uniform, action)
    log_policy = jnp.logaddexp(
      jnp.log1p(-share) + jax.nn.log_softmax(extras["policy"]), jnp.log(share / count)
    )
    return action, {"policy": log_policy, "sample": action}, memory._replace(action=action)

  return agent._replace(act=act)


def agree(one: jax.Array, other: jax.Array) -> Agreement:
  """Compares gradients [N, P]; NaN where one is zero."""

  def squared(x: jax.Array) -> jax.Array:
    return jnp.sum(jnp.square(x), axis=1)

  norms = [jnp.sqrt(squared(x)) for x in (one, other)]
  # Half the squared distance of the directions: 1 less a cosine near 1 would be rounding.
  distance = 0.5 * squared(one / norms[0][:, None] - other / norms[1][:, None])
  return Agreement(distance, jnp.log(norms[1] / norms[0]), squared(other - one), squared(one))


def trajectory_gradients(
  agent: Agent, state: Any, trajectory: Trajectory, key: jax.Array
) -> jax.Array:
  """The gradient of each trajectory by itself times its transitions, [B, P].

  The loss is a mean over transitions, so that the gradient of a batch is the sum of these over the
  batch's transitions. Duals and a bonus's networks are left out.
  """
  assert agent.probe is not None
  assert agent.probe.gradient is not None
  gradient = agent.probe.gradient

  def one(column: Trajectory) -> jax.Array:
    batch = column.as_batch()
    found: Params = gradient(state, batch, key)
    networks = (found.world_model, found.policy_model, found.heads)
    return jnp.sum(batch.mask) * jax.flatten_util.ravel_pytree(networks)[0]

  return jax.vmap(one, in_axes=(Trajectory.axes(),))(trajectory)


def _double(gradients: jax.Array) -> tuple[list[tuple[Agreement, ...]], jax.Array]:
  """How the first of gradients [R, N, P] agrees with the others, for batches of 2, 4, ... N.

  Also returns their means over all N, [R, P].
  """
  found = []
  while gradients.shape[1] > 1:
    gradients = 0.5 * (gradients[:, ::2] + gradients[:, 1::2])
    found.append(_each(gradients))
  return found, gradients[:, 0]


def _each(gradients: jax.Array) -> tuple[Agreement, ...]:
  return tuple(agree(gradients[0], other) for other in gradients[1:])


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def collect(
  env: Environment,
  twins: Twins,
  draws: int,
  state: Any,
  mismatch: jax.Array,
  share: jax.Array,
  key: jax.Array,
) -> Data:
  """Acts, and compares the gradients of batches of every size, a power of 2, up to all.

  Args:
    env: what is acted in.
    twins: the agents; their batch size N, a power of 2, is that of the largest batch.
    draws: how often N trajectories are drawn, one draw after the other in the same environments.
    state: learner state of either.
    mismatch: what soft_pg's temperature is multiplied by, for the comparison `mismatched`.
    share: of the actions that are uniform, see `off_policy`.
    key: of the environments and the actions.
  """
  actor, size = off_policy(twins.soft_q, share), twins.soft_q.data.batch_size
  stream, variables = AutoReset(env), actor.variables(state)
  assert actor.probe is not None
  assert actor.probe.heads is not None
  heads = actor.probe.heads
  duals = state.params.duals
  hotter = duals._replace(log_temperature=duals.log_temperature + jnp.log(mismatch))
  other = state._replace(params=state.params._replace(duals=hotter))
  readers = ((twins.soft_q, state), (twins.soft_pg, state), (twins.soft_pg, other))
  group = min(GROUP, size)

  def of_group(trajectory: Trajectory) -> tuple[list[tuple[Agreement, ...]], jax.Array]:
    gradients = jnp.stack([trajectory_gradients(*r, trajectory, key) for r in readers])
    found, total = _double(gradients)
    return [_each(gradients), *found], total

  def draw(carry: on_device.Carry, nothing: None) -> tuple[on_device.Carry, tuple]:
    carry, trajectory, _ = on_device.unroll(stream, actor, variables, carry)
    groups = trajectory._replace(oracle=()).groups(group)
    small, totals = jax.lax.map(of_group, groups)
    small = jax.tree.map(lambda x: x.reshape(-1), small)
    large, _ = _double(jnp.moveaxis(totals, 0, 1))
    q = sum_of(of_streams(heads(state, trajectory)))[:-1]  # which the policy is read from
    return carry, ([*small, *large], q, trajectory.extras["policy"][:-1], trajectory.mask)

  start = on_device.build(env, actor, 1, jax.local_devices()[:1]).init
  carry = jax.tree.map(lambda x: x[0], start(key[None]))
  # Without the learner state, the program does not make one.
  _, (levels, q, log_policy, mask) = jax.lax.scan(
    draw, carry._replace(learner=(), coverage=()), None, draws
  )
  agreement, mismatched = zip(*levels, strict=True)
  return Data(agreement, mismatched, q, log_policy, mask)


def variational(q: Array, log_p: Array, log_reference: Array, tau: float) -> Variational:
  """Reads Q [..., A] against policies p [..., A] and ref [A], in float64.

  Log policies are normalised again, for float32 ones add up to 1 only nearly.
  """
  q, log_p, log_reference = (np.asarray(x, np.float64) for x in (q, log_p, log_reference))
  log_p, log_ref = (scipy.special.log_softmax(x, axis=-1) for x in (log_p, log_reference))
  p = np.exp(log_p)
  value = tau * scipy.special.logsumexp(log_ref + q / tau, axis=-1)
  log_policy = log_ref + (q - value[..., None]) / tau

  def divergence(other: np.ndarray) -> np.ndarray:
    return tau * np.sum(np.where(p > 0.0, p * (log_p - other), 0.0), axis=-1)

  gap = value - (np.sum(p * q, axis=-1) - divergence(log_ref))
  distance = np.sum(np.abs(p - np.exp(log_policy)), axis=-1)
  return Variational(gap, divergence(log_policy), 0.5 * tau * np.square(distance))


def curve(agreement: tuple[Agreement, ...]) -> list[dict[str, float]]:
  """Means over the batches of each size, a row a size.

  `distance` is the mean of 1 - cosine and `error` its standard error over the draws, `norm_ratio`
  the geometric mean of the ratios; batches in which a gradient is zero do not count. `difference`
  is the mean squared difference, relative to the largest batches' mean |soft_q's|^2.
  """
  found = [[np.asarray(x, np.float64) for x in level] for level in agreement]
  largest = np.mean(found[-1][3])
  rows = []
  for level, (distance, log_ratio, difference, _) in enumerate(found):
    moves = np.isfinite(distance) & np.isfinite(log_ratio)
    by_draw = np.nanmean(np.where(moves, distance, np.nan), axis=1)
    rows.append(
      {
        "batch_size": 2**level,
        "distance": float(np.mean(distance[moves])),
        "error": float(scipy.stats.sem(by_draw)),
        "norm_ratio": float(np.exp(np.mean(log_ratio[moves]))),
        "difference": float(np.mean(difference) / largest),
      }
    )
  return rows


def slope(rows: list[dict[str, float]], name: str) -> float:
  """The exponent k of value ~ batch size^k, by least squares."""
  sizes, values = (np.array([row[n] for row in rows]) for n in ("batch_size", name))
  # Gradients may be equal to the bit, which has no logarithm.
  return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-16)), 1)[0])


def slopes(rows: list[dict[str, float]]) -> dict[str, float]:
  """Of `distance`, over the larger half of the sizes, and of `difference`, over all."""
  return {
    "distance": slope(rows[len(rows) // 2 :], "distance"),
    "difference": slope(rows, "difference"),
  }
