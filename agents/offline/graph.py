"""The graph over the nodes of a memory, made from a dataset at once, on the host.

A stored step x_t -> x_{t+1} shows three edges, in(x_t) -> out(x_t), in(x_{t+1}) -> out(x_{t+1}) and
in(x_t) -> out(x_{t+1}), where in(x) is the node that reaches x best, and out(x) the one that x
reaches best. What is not strongly connected is then joined by the likeliest edges that are missing,
and all ways are found by breadth first search.
Source: Mezghani et al. 2023, GO-FRESH (arXiv 2301.02099), section 4.3, and its code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import scipy.stats
from scipy.sparse import csgraph, csr_matrix

NONE = -1
"""In place of a distance or a node, where no way leads."""
MOST_NODES = 2**15 - 1
"""That int16 can count."""
TELEPORT_FACTOR = 3.0
"""An edge that is truly longer than so many times the median is a teleport (ours)."""


class Edges(NamedTuple):
  """K directed edges between different nodes, and the stored steps that showed them.

  Attributes:
    pairs: from and to, int32 [K, 2], in rising order.
    first: int64 [K + 1]; those of edge k are `shown[first[k] : first[k + 1]]`.
    shown: numbers of steps, int64 [S]; one that shows an edge twice is there twice.
  """

  pairs: np.ndarray
  first: np.ndarray
  shown: np.ndarray


class Ways(NamedTuple):
  """Shortest ways between all M nodes.

  Attributes:
    distance: edges from row to column, int16 [M, M]; `NONE` where no way leads.
    previous: the last node but one of the way from row to column, int16 [M, M]; `NONE` where there
      is none, as from a node to itself.
  """

  distance: np.ndarray
  previous: np.ndarray


class Paths(NamedTuple):
  """P ways, nodes with both ends, one after another.

  Attributes:
    nodes: int64 [sum of their lengths].
    first: int64 [P + 1]; the nodes of way p are `nodes[first[p] : first[p + 1]]`, none where no way
      leads.
  """

  nodes: np.ndarray
  first: np.ndarray


def collect(steps: np.ndarray, into: np.ndarray, out_of: np.ndarray, size: int) -> Edges:
  """The edges that steps show.

  Args:
    steps: their numbers, integers [S].
    into: in(x) of both ends, integers [2, S].
    out_of: out(x) of both ends, integers [2, S].
    size: M.
  """
  (into_before, into_after), (out_before, out_after) = into.astype(np.int64), out_of
  start = np.concatenate([into_before, into_after, into_before])
  end = np.concatenate([out_before, out_after, out_after])
  apart = start != end
  code, step = (start * size + end)[apart], np.tile(steps, 3)[apart]
  order = np.lexsort((step, code))
  found, counts = np.unique(code, return_counts=True)
  pairs = np.stack(np.divmod(found, size), axis=1).astype(np.int32)
  return Edges(pairs, np.concatenate([[0], np.cumsum(counts)]), step[order].astype(np.int64))


def matrix(pairs: np.ndarray, size: int) -> csr_matrix:
  """Edges [K, 2] as a sparse matrix [M, M] of ones, from row to column."""
  ones = np.ones(len(pairs), np.int8)
  return csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(size, size))


def components(pairs: np.ndarray, size: int) -> tuple[int, np.ndarray]:
  """How many strongly connected components there are, and which each node is in, [M]."""
  return csgraph.connected_components(matrix(pairs, size), directed=True, connection="strong")


def join(pairs: np.ndarray, logits: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
  """Adds edges until the graph is strongly connected, one at a time.

  The smallest component gets the likeliest edge to what it does not reach, or from what does not
  reach it, whichever is likelier.

  Args:
    pairs: edges, integers [K, 2].
    logits: of a way from row to column, float32 [M, M].

  Yields:
    The components before each edge, and the edge, int32 [2].
  """
  size = len(logits)
  while True:
    count, labels = components(pairs, size)
    if count <= 1:
      return
    graph = matrix(pairs, size)
    inside = np.flatnonzero(labels == np.argmin(np.bincount(labels)))
    beyond = _unseen(graph, inside[0])
    behind = _unseen(graph.T.tocsr(), inside[0])
    best = None
    for rows, columns in ((inside, beyond), (behind, inside)):
      ways = logits[np.ix_(rows, columns)]
      if ways.size:
        row, column = np.unravel_index(np.argmax(ways), ways.shape)
        if best is None or ways[row, column] > best[0]:
          best = ways[row, column], rows[row], columns[column]
    assert best is not None  # two components never reach each other both ways
    edge = np.array(best[1:], np.int32)
    yield count, edge
    pairs = np.concatenate([pairs, edge[None]])


def _unseen(graph: csr_matrix, start: int) -> np.ndarray:
  """Nodes that no way from `start` leads to."""
  seen = csgraph.breadth_first_order(graph, start, directed=True, return_predecessors=False)
  return np.setdiff1d(np.arange(graph.shape[0]), seen)


def shortest(
  pairs: np.ndarray, size: int, report: Callable[[int], None] = lambda done: None, block: int = 128
) -> Ways:
  """Shortest ways between all nodes, a step an edge.

  Args:
    pairs: edges, integers [K, 2].
    size: M, at most `MOST_NODES`.
    report: told how many nodes are done.
    block: nodes at a time.

  Raises:
    ValueError: for more nodes than that.
  """
  if size > MOST_NODES:
    raise ValueError(f"there are {size} nodes; a graph has at most {MOST_NODES}.")
  graph = matrix(pairs, size)
  ways = Ways(*(np.full((size, size), NONE, np.int16) for _ in Ways._fields))
  for begin in range(0, size, block):
    rows = np.arange(begin, min(begin + block, size))
    distance, previous = csgraph.dijkstra(
      graph, indices=rows, unweighted=True, return_predecessors=True
    )
    ways.distance[rows] = np.where(np.isfinite(distance), distance, NONE)
    ways.previous[rows] = np.maximum(previous, NONE)
    report(int(rows[-1]) + 1)
  return ways


def paths(ways: Ways, start: np.ndarray, end: np.ndarray) -> Paths:
  """The shortest ways from nodes `start` [P] to nodes `end` [P]."""
  lengths = ways.distance[start, end].astype(np.int64) + 1
  first = np.concatenate([[0], np.cumsum(lengths)])
  nodes = np.empty(first[-1], np.int64)
  going, here = np.arange(len(start)), end.astype(np.int64)
  for back in range(1, int(lengths.max(initial=0)) + 1):
    more = lengths[going] >= back
    going, here = going[more], here[more]
    nodes[first[going + 1] - back] = here
    here = ways.previous[start[going], here].astype(np.int64)
  return Paths(nodes, first)


def teleports(lengths: np.ndarray, factor: float) -> np.ndarray:
  """Which edges claim a way that is not there, bool [K].

  Args:
    lengths: the true lengths of the edges [K], infinite where no way leads.
    factor: an edge is one if it is longer than so many times the median.
  """
  finite = lengths[np.isfinite(lengths)]
  return ~(lengths <= factor * (np.median(finite) if finite.size else 0.0))


def correlation(graph: np.ndarray, true: np.ndarray) -> dict[str, float | None]:
  """How well distances agree: Pearson's and Spearman's coefficients, where both are finite.

  None where there are too few, or all are the same.

  Args:
    graph: distances in the graph [P], `NONE` where no way leads.
    true: true distances [P].
  """
  known = (graph != NONE) & np.isfinite(true)
  a, b = graph[known].astype(np.float64), true[known].astype(np.float64)
  if len(a) < 2 or not (np.ptp(a) and np.ptp(b)):
    return {"pearson": None, "spearman": None}
  return {
    "pearson": float(scipy.stats.pearsonr(a, b).statistic),
    "spearman": float(scipy.stats.spearmanr(a, b).statistic),
  }
