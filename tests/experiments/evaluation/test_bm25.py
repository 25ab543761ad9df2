"""BM25 against loops, and what it must do."""

import math

import numpy as np

from experiments.evaluation import bm25

TERMS = 7
RNG = np.random.default_rng(0)
DOCUMENTS, QUERIES = RNG.integers(-1, TERMS, (5, 9)), RNG.integers(-1, TERMS, (3, 4))


def slow(query, document, documents, k1, b):
  """One score, by lists."""
  lists = [[t for t in d if t >= 0] for d in documents.tolist()]
  own = [t for t in document.tolist() if t >= 0]
  mean = sum(map(len, lists)) / len(lists)
  total = 0.0
  for term in query.tolist():
    if term < 0:
      continue
    having = sum(term in d for d in lists)
    idf = math.log(1 + (len(lists) - having + 0.5) / (having + 0.5))
    count = own.count(term)
    total += idf * count * (k1 + 1) / (count + k1 * (1 - b + b * len(own) / mean))
  return total


def test_it_equals_loops():
  for k1, b in ((bm25.K1, bm25.B), (1.2, 0.75)):
    found = bm25.scores(bm25.counts(QUERIES, TERMS), bm25.counts(DOCUMENTS, TERMS), k1, b)
    for i, j in np.ndindex(3, 5):
      expected = slow(QUERIES[i], DOCUMENTS[j], DOCUMENTS, k1, b)
      np.testing.assert_allclose(found[i, j], expected, rtol=1e-5, atol=1e-6)


def test_a_rare_term_counts_more_and_a_strange_one_nothing():
  documents = bm25.counts(np.array([[0, 1], [0, 2], [0, 3]]), 5)
  scores = bm25.scores(bm25.counts(np.array([[0], [1], [4]]), 5), documents)
  assert scores[1, 0] > scores[0, 0] > 0.0
  assert scores[1, 1] == 0.0
  assert not scores[2].any()
