"""The learner of the host runtimes: one compiled update, the batch shared by the local devices."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from agents.agent import Agent, Metrics
from agents.trajectory import Trajectory
from experiments.experience.experience import Sample
from experiments.settings.train import warm_up


class LearnerCarry(NamedTuple):
  """All that a run on the host keeps in a checkpoint.

  Attributes:
    learner: the agent's learner state.
    key: for `learn`.
    updates: int32, updates done; see `experiments.settings.train.steps`.
  """

  learner: Any
  key: jax.Array
  updates: jax.Array


class Batch(NamedTuple):
  """A trajectory on the learner's devices, and the keys of its items, uint64 [B]."""

  trajectory: Trajectory
  keys: np.ndarray


class Programs(NamedTuple):
  """What a learner runs, compiled at the first call.

  Attributes:
    init: key -> carry.
    update: (carry, trajectory) -> (carry, metrics, priorities); the carry given is donated.
    variables: learner state -> a copy of what acting needs, as the next update donates the state.
    diagnose: `Agent.diagnose`.
  """

  init: Callable[[jax.Array], LearnerCarry]
  update: jax.stages.Wrapped
  variables: Callable[[Any], Any]
  diagnose: jax.stages.Wrapped


@functools.lru_cache(maxsize=8)
def programs(agent: Agent, devices: tuple[jax.Device, ...]) -> Programs:
  """The programs of an agent on these devices, one set for all its learners."""
  everywhere = NamedSharding(Mesh(devices, ("batch",)), PartitionSpec())

  def init(key: jax.Array) -> LearnerCarry:
    init_key, learn_key = jax.random.split(key)
    return LearnerCarry(agent.init(init_key), learn_key, jnp.int32(warm_up(agent.data)))

  def update(carry: LearnerCarry, trajectory: Trajectory) -> tuple[LearnerCarry, Metrics, Any]:
    key, learn_key = jax.random.split(carry.key)
    learner, metrics, priorities = agent.learn(carry.learner, trajectory, learn_key)
    return LearnerCarry(learner, key, carry.updates + 1), metrics, priorities

  return Programs(
    init=jax.jit(init, out_shardings=everywhere),
    update=jax.jit(update, donate_argnums=0, out_shardings=everywhere),
    variables=jax.jit(lambda learner: jax.tree.map(jnp.copy, agent.variables(learner))),
    diagnose=jax.jit(agent.diagnose),
  )


class Learner:
  """Learns from batches [T+1, B, ...]; its other methods are those of Acme's Learner."""

  def __init__(self, agent: Agent, devices: list[jax.Device]):
    self._carry: LearnerCarry | None = None
    self._metrics: list[Metrics] = []
    self._priorities: tuple[np.ndarray, jax.Array] | None = None
    self._batch: Trajectory | None = None
    self._first_device = devices[0]
    self._programs = programs(agent, tuple(devices))
    self.update = self._programs.update

  def init(self, key: jax.Array) -> LearnerCarry:
    """A new carry."""
    return self._programs.init(key)

  def restore(self, carry: LearnerCarry) -> None:
    """Goes on from `carry`, which the next step donates."""
    self._carry = carry

  def save(self) -> LearnerCarry:
    """What `restore` takes; donated by the next step, so copy or write it before that."""
    assert self._carry is not None
    return self._carry

  def step(
    self, trajectory: Trajectory, keys: np.ndarray | None = None
  ) -> tuple[np.ndarray, np.ndarray] | None:
    """Starts an update of what `place` placed; at most one is under way at a time.

    Args:
      trajectory: the batch.
      keys: uint64 [B], of its items in a replay.

    Returns:
      The keys and new priorities of the items of the batch before, of an agent that replays: to
      wait for this batch's would leave the learner idle meanwhile.
    """
    if self._metrics:
      jax.block_until_ready(self._metrics[-1])
    known, self._priorities = self._priorities, None
    self._carry, metrics, priorities = self.update(self.save(), trajectory)
    self._metrics.append(metrics)
    self._batch = trajectory
    if keys is not None and jax.tree.leaves(priorities):
      self._priorities = (keys, priorities)
    return None if known is None else (known[0], np.asarray(known[1]))

  def take_metrics(self) -> dict[str, float]:
    """Means over the updates since the last call, and the diagnostics of the last batch."""
    rows = jax.device_get(self._metrics)
    self._metrics = []
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    finite = all(np.isfinite(x).all() for x in jax.tree.leaves(self.get_variables([""])[0]))
    diagnosis = jax.device_get(self._programs.diagnose(self.save().learner, self._batch))
    flags = {"finite_params": float(finite)}
    return means | {name: float(x) for name, x in diagnosis.items()} | flags

  def get_variables(self, names: list[str]) -> list[Any]:
    """What `Agent.act` needs, on the first device; there is one policy, whatever its name."""
    copies = [self._programs.variables(self.save().learner) for _ in names]
    return jax.device_put(copies, self._first_device)


def place(devices: list[jax.Device], trajectory: Trajectory) -> Trajectory:
  """Puts a batch [T+1, B, ...] on the devices, B shared among them."""
  mesh = Mesh(devices, ("batch",))
  shared = [NamedSharding(mesh, PartitionSpec(*[None] * axis, "batch")) for axis in (0, 1)]
  return Trajectory(
    *(
      jax.device_put(x, shared[axis]) for axis, x in zip(Trajectory.axes(), trajectory, strict=True)
    )
  )


def place_sample(devices: list[jax.Device], sample: Sample) -> Batch:
  """Puts a sample of the experience on the devices."""
  chance = np.asarray(sample.probabilities, np.float32)
  return Batch(place(devices, sample.trajectory._replace(probability=chance)), sample.keys)
