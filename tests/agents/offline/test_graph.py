"""The offline graph against loops, Floyd's algorithm and graphs made by hand."""

import itertools

import numpy as np
import pytest

from agents.offline import graph as offline_graph
from agents.offline.graph import NONE

SIZE = 9


def some_edges(seed, count=14):
  """Distinct edges between different nodes, sorted."""
  rng = np.random.default_rng(seed)
  drawn = rng.integers(SIZE, size=(count, 2))
  return np.unique(drawn[drawn[:, 0] != drawn[:, 1]], axis=0)


def floyd(pairs):
  """Edges on the shortest way, infinite for none, by three loops."""
  distance = np.full((SIZE, SIZE), np.inf)
  np.fill_diagonal(distance, 0)
  for a, b in pairs:
    distance[a, b] = 1
  for k in range(SIZE):
    for i in range(SIZE):
      for j in range(SIZE):
        distance[i, j] = min(distance[i, j], distance[i, k] + distance[k, j])
  return distance


def test_edges_and_their_steps_are_those_of_a_double_loop():
  rng = np.random.default_rng(0)
  steps = np.sort(rng.choice(1000, 40, replace=False))
  into, out_of = rng.integers(5, size=(2, 2, 40))
  slow = {}
  for place, step in enumerate(steps):
    for start, end in (
      (into[0, place], out_of[0, place]),
      (into[1, place], out_of[1, place]),
      (into[0, place], out_of[1, place]),
    ):
      if start != end:
        slow.setdefault((start, end), []).append(step)
  edges = offline_graph.collect(steps, into, out_of, 5)
  assert [tuple(pair) for pair in edges.pairs] == sorted(slow)
  for k, pair in enumerate(sorted(slow)):
    assert edges.shown[edges.first[k] : edges.first[k + 1]].tolist() == slow[pair]


def test_steps_that_stay_at_one_node_show_no_edge():
  edges = offline_graph.collect(np.arange(3), np.zeros((2, 3), int), np.zeros((2, 3), int), 4)
  assert edges.pairs.shape == (0, 2)
  assert edges.shown.size == 0
  assert edges.first.tolist() == [0]


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_floyds(seed):
  pairs = some_edges(seed)
  slow = floyd(pairs)
  done = []
  ways = offline_graph.shortest(pairs, SIZE, done.append, block=4)
  np.testing.assert_array_equal(ways.distance, np.where(np.isinf(slow), NONE, slow))
  assert done == [4, 8, 9]


def test_paths_go_along_edges_and_are_as_long_as_their_distance():
  pairs = some_edges(1)
  ways = offline_graph.shortest(pairs, SIZE)
  start, end = (x.ravel() for x in np.mgrid[:SIZE, :SIZE])
  paths = offline_graph.paths(ways, start, end)
  edges = {tuple(pair) for pair in pairs.tolist()}
  assert (ways.distance == NONE).any()
  for p, (a, b) in enumerate(zip(start, end, strict=True)):
    nodes = paths.nodes[paths.first[p] : paths.first[p + 1]].tolist()
    assert len(nodes) == ways.distance[a, b] + 1  # none where no way leads
    if nodes:
      assert (nodes[0], nodes[-1]) == (a, b)
    assert set(itertools.pairwise(nodes)) <= edges


@pytest.mark.parametrize("seed", range(4))
def test_each_edge_that_joins_is_the_likeliest_of_a_smallest_component(seed):
  rng = np.random.default_rng(seed)
  pairs, logits = some_edges(seed, 8), rng.normal(size=(SIZE, SIZE))
  for count, edge in offline_graph.join(pairs, logits):
    reaches = np.isfinite(floyd(pairs))
    groups = {tuple(np.flatnonzero(row)) for row in reaches & reaches.T}
    assert count == len(groups)
    least = min(map(len, groups))
    best = set()
    for group in groups:
      if len(group) == least:
        ways = [(i, j) for i in group for j in range(SIZE) if not reaches[i, j]]
        ways += [(j, i) for i in group for j in range(SIZE) if not reaches[j, i]]
        best.add(max(ways, key=lambda way: logits[way]))
    assert tuple(edge) in best
    pairs = np.concatenate([pairs, edge[None]])
  assert np.isfinite(floyd(pairs)).all()


def test_what_is_connected_is_not_joined():
  ring = np.stack([np.arange(SIZE), np.roll(np.arange(SIZE), -1)], axis=1)
  assert list(offline_graph.join(ring, np.zeros((SIZE, SIZE)))) == []


def test_teleports_are_far_longer_than_the_median_or_have_no_way():
  lengths = np.array([1.0, 1.1, 0.9, 2.9, 3.2, np.inf])
  found = offline_graph.teleports(lengths, 2.5)
  assert found.tolist() == [False, False, False, True, True, True]
  assert offline_graph.teleports(np.full(2, np.inf), 3.0).all()


def test_correlation_leaves_out_what_no_way_leads_to():
  graph, true = np.array([0, 1, 2, 3, NONE, 2]), np.array([0.0, 2.0, 4.0, 6.0, 1.0, np.inf])
  found = offline_graph.correlation(graph, true)
  assert found["pearson"] == pytest.approx(1.0)
  assert found["spearman"] == pytest.approx(1.0)
  assert offline_graph.correlation(graph[:1], true[:1])["pearson"] is None


def test_more_nodes_than_can_be_counted_are_refused():
  with pytest.raises(ValueError, match="at most 32767"):
    offline_graph.shortest(np.zeros((0, 2), int), 2**15)
