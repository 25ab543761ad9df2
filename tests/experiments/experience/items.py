"""Numbered items: item n is the same in every process, so what comes back can be compared."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.trajectory import Trajectory

LENGTH = 3
"""T."""


def item(number: int) -> Trajectory:
  """Item `number`, without a batch axis; its rewards are its number."""
  rng = np.random.default_rng(number)
  lead = (LENGTH + 1,)
  return Trajectory(
    observation={
      "pixels": rng.integers(0, 256, (*lead, 2, 3)).astype(np.uint8),
      "nothing": None,
      "legal": np.arange(number, number + 3) % 2 == np.zeros((*lead, 1)),
      "text": np.full((*lead, 4), number, np.int32),
    },
    action=rng.integers(0, 9, lead).astype(np.int32),
    reward=np.full(lead, number, np.float32),
    discount=rng.random(lead, np.float32),
    step_type=rng.integers(0, 3, lead).astype(np.int32),
    extras={
      "logits": rng.normal(size=(*lead, 5)).astype(jnp.bfloat16),
      "flag": rng.random(lead) < 0.5,
      "empty": {},
    },
    memory=(rng.normal(size=2).astype(np.float32), (), np.int32(number)),
  )


def stack(items: list[Trajectory]) -> Trajectory:
  """Items side by side: arrays [T+1, E, ...], memory [E, ...]."""
  memory = jax.tree.map(lambda *x: np.stack(x), *[x.memory for x in items])
  arrays = [x._replace(memory=None) for x in items]
  return jax.tree.map(lambda *x: np.stack(x, axis=1), *arrays)._replace(memory=memory)


def unroll(*numbers: int) -> Trajectory:
  return stack([item(n) for n in numbers])


def numbers(trajectory: Trajectory) -> list[int]:
  """Which items a batch holds."""
  return trajectory.reward[0].astype(int).tolist()


SIGNATURE = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), item(0))


def assert_intact(trajectory: Trajectory) -> None:
  """Every item in a batch is, bit for bit and in structure and dtypes, what it was made."""
  expected = unroll(*numbers(trajectory))
  assert jax.tree.structure(trajectory) == jax.tree.structure(expected)
  for got, want in zip(jax.tree.leaves(trajectory), jax.tree.leaves(expected), strict=True):
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got.view(np.uint8), want.view(np.uint8))
