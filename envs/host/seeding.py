"""Seeds of environments that do not take theirs from `reset(seed=...)`.

A copy of an environment is given its own seed where it is reset, and where it is built if its
builder takes one. What draws from the generators that NumPy and Python share within a process is
seeded with the process, see `seed_process`. What has a generator of its own with a fixed seed
cannot be helped; `begin_alike` finds it.
"""

from __future__ import annotations

import contextlib
import random

import jax
import numpy as np

from envs.host.environment import HostEnvironment

EPISODES = 3
"""Of two copies, whose beginnings are compared."""


def seed_process(seed: int) -> None:
  """Seeds the generators behind `np.random.uniform`, `random.random` and their like.

  Processes forked from one server would otherwise share NumPy's. In such an environment episodes
  follow from the vector's seed and from which environments share a process; in threads or one after
  another they draw in turn from the generators of the program, which nobody seeds.

  Args:
    seed: in [0, 2**32).
  """
  random.seed(seed)
  np.random.set_bit_generator(np.random.MT19937(seed))


def begin_alike(env: HostEnvironment) -> bool:
  """Whether copies of `env` begin alike, whatever their seed, though their beginnings are random.

  Compares the first observations of a few episodes of two copies with different seeds; no step is
  taken. If every episode begins alike that is a start, not a seed, and does not count. Raises what
  the environment raises.
  """

  def firsts(seed: int) -> list[list[np.ndarray]]:
    with contextlib.closing(env.make(seed)) as copy:
      return [
        [np.array(x) for x in jax.tree.leaves(copy.reset().observation)] for _ in range(EPISODES)
      ]

  def alike(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    pairs = zip(a, b, strict=True)
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in pairs)

  one, two = firsts(0), firsts(1)
  return all(map(alike, one, two)) and not all(alike(one[0], later) for later in one[1:])
