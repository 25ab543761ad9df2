"""Relabelled steps against loops."""

import itertools

import numpy as np
import pytest

from agents.offline import graph as offline_graph
from agents.offline import relabel

NODES, ROWS, STEPS = 6, 60, 57


@pytest.fixture
def world():
  """Nodes of stored observations, and a graph that a few of the steps show."""
  rng = np.random.default_rng(0)
  into, out_of = rng.integers(NODES, size=(2, ROWS))
  node_rows = rng.choice(ROWS, NODES, replace=False)
  steps = np.sort(rng.choice(STEPS, 6, replace=False))
  ends = np.stack([steps, steps + 1])
  edges = offline_graph.collect(steps, into[ends], out_of[ends], NODES)
  return into, out_of, node_rows, edges


def relabelled(world, joined, steps, goals):
  into, out_of, node_rows, edges = world
  pairs = np.concatenate([edges.pairs, joined])
  ways = offline_graph.shortest(pairs, NODES)
  rng = np.random.default_rng(1)
  return ways, relabel.along_paths(
    rng, steps, goals, out_of[steps + 1], into[goals], node_rows, edges, ways
  )


def test_each_step_comes_with_the_nodes_and_edges_of_its_way(world):
  into, out_of, node_rows, edges = world
  rng = np.random.default_rng(2)
  steps, goals = rng.integers(STEPS, size=40), rng.integers(ROWS, size=40)
  joined = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 0]], np.int32)
  ways, (entries, unreachable) = relabelled(world, joined, steps, goals)
  assert unreachable == 0
  shown = {
    tuple(pair): edges.shown[edges.first[k] : edges.first[k + 1]].tolist()
    for k, pair in enumerate(edges.pairs.tolist())
  }
  left = iter(zip(*entries, strict=True))
  edge_entries = 0
  for step, goal in zip(steps, goals, strict=True):
    start, end = out_of[step + 1], into[goal]
    assert next(left) == (step, goal, ways.distance[start, end])
    path = [end]
    while path[0] != start:
      path.insert(0, ways.previous[start, path[0]])
    for node in path:
      assert next(left) == (step, node_rows[node], ways.distance[start, node])
    for pair in itertools.pairwise(path):
      if pair in shown:
        real, towards, distance = next(left)
        assert real in shown[pair]
        assert (towards, distance) == (goal, ways.distance[pair[1], end])
        edge_entries += 1
  assert next(left, None) is None
  assert edge_entries > 10


def test_an_edge_is_shown_by_the_ends_of_its_step(world):
  into, out_of, _, edges = world
  for k, pair in enumerate(edges.pairs):
    for step in edges.shown[edges.first[k] : edges.first[k + 1]]:
      found = [(into[step], out_of[step]), (into[step + 1], out_of[step + 1])]
      assert tuple(pair) in [*found, (into[step], out_of[step + 1])]


def test_goals_that_no_way_leads_to_are_counted_and_left_out(world):
  into, out_of, *_ = world
  steps, goals = np.arange(STEPS), np.arange(STEPS)[::-1].copy()
  ways, (entries, unreachable) = relabelled(world, np.zeros((0, 2), np.int32), steps, goals)
  known = ways.distance[out_of[steps + 1], into[goals]] != offline_graph.NONE
  assert 0 < unreachable == (~known).sum() < STEPS
  assert set(entries.step[np.isin(entries.goal, goals[~known])]) <= set(range(STEPS))
  assert (entries.distance >= 0).all()
  alone, count = relabelled(world, np.zeros((0, 2), np.int32), steps[~known], goals[~known])[1]
  assert len(alone.step) == 0
  assert count == unreachable


@pytest.mark.parametrize("negatives", [False, True])
def test_hindsight_is_that_of_a_loop(negatives):
  steps, goals = np.array([12, 5, 7]), np.array([40, 3, 22])
  begins, arrived = np.array([10, 5, 5]), np.array([15, 7, 9])
  slow = []
  for step, goal, begin, row in zip(steps, goals, begins, arrived, strict=True):
    drawn = [(step, goal, 0, 0, True), (step, row, 1, 0, False)]
    for earlier in range(begin, step):
      drawn += [(earlier, goal, 0, 1, False), (earlier, row, 0, 1, False)]
    for entry in drawn:
      slow.append((*entry, False))
      if negatives:
        slow.append((*entry[:2], 0, 0, False, True))
  found = relabel.in_hindsight(steps, goals, begins, arrived, negatives)
  assert list(zip(*(x.tolist() for x in found), strict=True)) == slow
