"""What would take more memory than a machine has, refused before anything is allocated."""

from __future__ import annotations

import math
from typing import Any

import jax

from agents.agent import Agent
from agents.torsos import torso as torsos
from agents.trajectory import DataSpec
from envs.observation import Spec, leaves, visible
from experiments.settings.errors import UserError

LARGE = 2**20
"""Numbers that a network reads of an observation from which on the memory is looked at."""
MOST_BYTES = 16 * 2**30
"""For the observations of a batch in float32 and the learner's state."""


def check_batch(name: str, spec: Spec, data: DataSpec, state: Any) -> None:
  """Refuses observations so large that no learner of them can be had.

  Args:
    name: of the environment.
    spec: of one observation.
    data: what the agent learns from.
    state: the learner's, or its shapes.

  Raises:
    UserError: one line, if one observation is `LARGE`, its categories one-hot, and the learner
      takes above `MOST_BYTES`.
  """
  spec = visible(spec)
  size = torsos.width(spec)
  batch = 4 * size * data.batch_size * (data.unroll_length + 1)
  learner = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(state))
  if size < LARGE or batch + learner <= MOST_BYTES:
    return
  shown = sum(math.prod(leaf.shape) for leaf in leaves(spec).values())
  kind = "" if size == shown else ", its categories one-hot"
  raise UserError(
    f"environment {name!r} shows {size:,} numbers at a time{kind}: a batch of {data.batch_size}"
    f" unrolls of {data.unroll_length} steps takes {batch / 2**30:,.1f} GiB in float32, and the"
    f" networks {learner / 2**30:,.1f}. Have it show less (a smaller picture, a summary), or give a"
    " smaller --batch-size or --unroll-length, or another --torso."
  )


def check_replay(agent: Agent) -> None:
  """Refuses a replay whose trajectories begin with memories too large to be held.

  Raises:
    UserError: one line, if what it keeps of the agent's memory takes above `MOST_BYTES`.
  """
  if agent.data.replay is None:
    return
  memory = jax.eval_shape(lambda: agent.stored(agent.initial_memory(1)))
  size = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(memory))
  capacity = agent.data.replay.capacity
  if size * capacity > MOST_BYTES:
    raise UserError(
      f"--replay-capacity is {capacity}: each trajectory begins with the agent's memory of"
      f" {size / 2**10:,.0f} KiB, {size * capacity / 2**30:,.0f} GiB in all, above"
      f" {MOST_BYTES >> 30}. Give {MOST_BYTES // size} or fewer, or a smaller memory: of an"
      " attention core a smaller --core.window or fewer --core.layers."
    )
