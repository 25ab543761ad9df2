"""Where an item lies in unrolls and in batches: leaves, their shapes, and their batch axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dm_env
import jax
import numpy as np

from agents.agent import Agent
from agents.trajectory import Trajectory
from envs.capabilities import HasPlaces
from envs.environment import Environment
from envs.host.environment import HostEnvironment
from envs.observation import shapes


def item_signature(agent: Agent, env: Environment | HostEnvironment) -> Trajectory:
  """The signature of the items that an agent acts out, without running anything.

  Args:
    agent: the agent.
    env: the environment.

  Returns:
    A Trajectory of jax.ShapeDtypeStruct: arrays [T+1, ...], memory [...].
  """

  def one_step(key: jax.Array, timestep: dm_env.TimeStep) -> Trajectory:
    hidden: Any = ()
    if isinstance(env, Environment) and isinstance(env, HasPlaces):
      hidden = jax.tree.map(lambda x: x[None], env.oracle(env.reset(key)[0]))
    memory = agent.initial_memory(1)
    action, extras, _ = agent.act(agent.variables(agent.init(key)), memory, timestep, key, True)
    return Trajectory(
      timestep.observation, action, timestep.reward, timestep.discount, timestep.step_type, extras,
      agent.stored(memory), hidden,
    )  # fmt: skip

  def scalar(dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1,), dtype)

  timestep = dm_env.TimeStep(
    step_type=scalar(np.int32),
    reward=scalar(np.float32),
    discount=scalar(np.float32),
    observation=shapes(env.observation_spec(), (1,)),
  )
  step = jax.eval_shape(one_step, jax.eval_shape(lambda: jax.random.key(0)), timestep)
  length = (agent.data.unroll_length + 1,)

  def item(x: jax.ShapeDtypeStruct, lead: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(lead + x.shape[1:], x.dtype)

  arrays = jax.tree.map(lambda x: item(x, length), step._replace(memory=None))
  return arrays._replace(memory=jax.tree.map(lambda x: item(x, ()), step.memory))


class Layout:
  """The leaves of an item, in the order of `jax.tree.leaves`.

  Attributes:
    shapes: of one item's leaves, jax.ShapeDtypeStruct.
    axes: of each leaf, the axis of environments in an unroll and of items in a batch: 1 for
      arrays [T+1, B, ...], 0 for the memory [B, ...].
    record: the NumPy structure that holds one item, a field a leaf.
  """

  def __init__(self, signature: Trajectory):
    """`signature` is a Trajectory of jax.ShapeDtypeStruct without a batch axis."""
    paths, structure = jax.tree_util.tree_flatten_with_path(signature)
    self._structure: Any = structure
    self._names = [jax.tree_util.keystr(path) for path, _ in paths]
    self.shapes = [shape for _, shape in paths]
    self.axes = [
      axis
      for axis, field in zip(Trajectory.axes(), signature, strict=True)
      for _ in jax.tree.leaves(field)
    ]
    fields = [(name, x.dtype, x.shape) for name, x in zip(self._names, self.shapes, strict=True)]
    self.record = np.dtype(fields, align=True)

  def flatten(self, unroll: Trajectory) -> tuple[list[np.ndarray], int]:
    """The leaves of an unroll [T+1, E, ...] and its number of environments E.

    Raises:
      ValueError: if it does not fit the signature; says which leaf and how.
    """
    leaves, structure = jax.tree.flatten(unroll)
    if structure != self._structure:
      raise ValueError(f"the unroll is a {structure}; the signature is a {self._structure}.")
    arrays = [np.asarray(x) for x in leaves]
    size = arrays[0].shape[1] if arrays[0].ndim > 1 else 0
    for name, array, shape, axis in zip(self._names, arrays, self.shapes, self.axes, strict=True):
      expected = self._batched(shape, axis, size)
      if array.shape != expected or array.dtype != shape.dtype:
        raise ValueError(
          f"unroll{name} is {array.dtype} {array.shape}; the signature asks for {shape.dtype}"
          f" {expected} with {size} environments."
        )
    return arrays, size

  def unflatten(self, leaves: Sequence[Any]) -> Trajectory:
    """A Trajectory of these leaves."""
    return jax.tree.unflatten(self._structure, leaves)

  def empty(self, batch: int) -> list[np.ndarray]:
    """Uninitialised leaves of a batch."""
    return [
      np.empty(self._batched(shape, axis, batch), shape.dtype)
      for shape, axis in zip(self.shapes, self.axes, strict=True)
    ]

  def pack(self, leaves: Sequence[np.ndarray], size: int) -> np.ndarray:
    """The items of an unroll as rows of bytes, uint8 [size, record.itemsize]."""
    records = np.zeros(size, self.record)  # zeros: what lies between two fields is sent too
    for name, leaf, axis in zip(self._names, leaves, self.axes, strict=True):
      records[name] = np.moveaxis(leaf, axis, 0)
    return records.view(np.uint8).reshape(size, self.record.itemsize)

  def unpack(self, rows: np.ndarray) -> Trajectory:
    """The inverse of `pack`: a Trajectory of new arrays."""
    records = rows.view(self.record)[:, 0]
    return self.unflatten(
      [
        np.moveaxis(records[name], 0, axis).copy(order="C")
        for name, axis in zip(self._names, self.axes, strict=True)
      ]
    )

  @staticmethod
  def _batched(shape: jax.ShapeDtypeStruct, axis: int, size: int) -> tuple[int, ...]:
    return (*shape.shape[:axis], size, *shape.shape[axis:])


def columns(array: np.ndarray, axis: int, start: int, stop: int) -> np.ndarray:
  """A view of items `start` to `stop` of a leaf whose axis of items is `axis`, 0 or 1."""
  return array[:, start:stop] if axis else array[start:stop]
