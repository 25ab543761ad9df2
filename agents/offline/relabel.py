"""Stored steps, given goals: what fills a buffer to learn from offline.

Everything is told by number: a step by its place in the dataset, a goal by the row of the
observation that is to be seen. So an entry is a stored transition, whatever its goal.
Source: Mezghani et al. 2023, GO-FRESH (arXiv 2301.02099), sections 4.4 and 5, and its code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.offline.graph import NONE, Edges, Ways, paths


class Entries(NamedTuple):
  """N steps towards goals that the graph knows the way to.

  Attributes:
    step: int64 [N].
    goal: row of the observation, int64 [N].
    distance: edges from where the step leads to the goal, float32 [N].
  """

  step: np.ndarray
  goal: np.ndarray
  distance: np.ndarray


class Sparse(NamedTuple):
  """N steps towards goals, paid for reaching them alone.

  Attributes:
    step: int64 [N].
    goal: row of the observation, int64 [N].
    reward: float32 [N].
    discount: 0 where it ends there, else 1, float32 [N].
    random: the step was drawn with this goal, which a critic may be asked about, bool [N].
    negative: an action is to be drawn in place of what was done, bool [N].
  """

  step: np.ndarray
  goal: np.ndarray
  reward: np.ndarray
  discount: np.ndarray
  random: np.ndarray
  negative: np.ndarray


def along_paths(
  rng: np.random.Generator,
  steps: np.ndarray,
  goals: np.ndarray,
  out_of: np.ndarray,
  into: np.ndarray,
  node_rows: np.ndarray,
  edges: Edges,
  ways: Ways,
) -> tuple[Entries, int]:
  """Steps with their goals, and with what lies on the way there.

  Each step, whose goal can be reached, gives entries that stand together:
  itself, towards its goal;
  itself, towards each node on the way from where it leads to the goal;
  for each edge of that way, if any step showed it, one of these, towards the goal.

  Args:
    rng: draws among the steps that showed an edge.
    steps: int64 [P].
    goals: rows of the goals, int64 [P].
    out_of: out(s') of where the steps lead, integers [P].
    into: in(g) of the goals, integers [P].
    node_rows: rows of the nodes, int64 [M].
    edges: what steps showed.
    ways: shortest ways between the nodes.

  Returns:
    The entries, and how many goals could not be reached.
  """
  reached = ways.distance[out_of, into] != NONE
  steps, goals, out_of, into = (x[reached] for x in (steps, goals, out_of, into))
  path = paths(ways, out_of, into)
  lengths = np.diff(path.first)
  sample = np.repeat(np.arange(len(steps)), lengths)
  place = np.arange(len(sample)) - path.first[sample]
  left = lengths[sample] - 1 - place

  size = len(node_rows)
  starts = np.flatnonzero(left)
  code = path.nodes[starts] * size + path.nodes[starts + 1]
  known = edges.pairs[:, 0].astype(np.int64) * size + edges.pairs[:, 1]
  edge = np.searchsorted(known, code)
  there = edge < len(known)
  there[there] = known[edge[there]] == code[there]
  starts, edge = starts[there], edge[there]
  shown = edges.shown[rng.integers(edges.first[edge], edges.first[edge + 1])]

  order = np.argsort(np.concatenate([np.arange(len(steps)), sample, sample[starts]]), kind="stable")
  entries = Entries(
    np.concatenate([steps, steps[sample], shown]),
    np.concatenate([goals, node_rows[path.nodes], goals[sample[starts]]]),
    np.concatenate([lengths - 1, place, left[starts] - 1]).astype(np.float32),
  )
  return Entries(*(x[order] for x in entries)), int(np.sum(~reached))


def in_hindsight(
  steps: np.ndarray, goals: np.ndarray, begins: np.ndarray, arrived: np.ndarray, negatives: bool
) -> Sparse:
  """Steps with what they led to as the goal, and all steps of the episode before.

  Each step gives entries that stand together: itself towards its goal, which pays 0 and ends;
  itself towards what it led to, which pays 1 and ends; and each earlier step of its episode,
  towards both, which pays 0.

  Args:
    steps: int64 [P].
    goals: rows of other goals, int64 [P].
    begins: the first step of each one's episode, int64 [P].
    arrived: the row of the observation that each led to, int64 [P].
    negatives: follow each entry by another that pays 0 and ends, for an action that was not taken.
  """
  counts = steps - begins + 1
  sample = np.repeat(np.arange(len(steps)), counts)
  # The step itself comes first, then its episode from the beginning.
  place = np.arange(len(sample)) - np.repeat(np.cumsum(counts) - counts, counts)
  itself = place == 0
  step = np.where(itself, steps[sample], begins[sample] + place - 1)
  pair = {
    "step": (step, step),
    "goal": (goals[sample], arrived[sample]),
    "reward": (np.zeros(len(step), np.float32), itself.astype(np.float32)),
    "discount": ((~itself).astype(np.float32),) * 2,
    "random": (itself, np.zeros(len(step), bool)),
    "negative": (np.zeros(len(step), bool),) * 2,
  }
  entries = Sparse(**{name: np.stack(x, axis=1).ravel() for name, x in pair.items()})
  if not negatives:
    return entries
  twice = Sparse(*(np.repeat(x, 2) for x in entries))
  negative = np.arange(len(twice.step)) % 2 == 1
  return twice._replace(
    reward=np.where(negative, np.float32(0), twice.reward),
    discount=np.where(negative, np.float32(0), twice.discount),
    random=twice.random & ~negative,
    negative=negative,
  )
