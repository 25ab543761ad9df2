"""BM25: how well a document answers a query, by how often the query's terms occur in it.

  score(q, d) = sum over t of n_q(t) idf(t) n_d(t) (k1 + 1) / (n_d(t) + k1 (1 - b + b |d| / mean))
  idf(t) = log(1 + (D - D_t + 1/2) / (D_t + 1/2))
with n the count of a term, D_t the documents that have it, and |d| a document's terms.
Source: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework; idf as in Lucene.
"""

from __future__ import annotations

import numpy as np

K1, B = 0.9, 0.4
"""As Pyserini has them, by which Contriever's baseline was measured (recalled)."""


def counts(terms: np.ndarray, size: int) -> np.ndarray:
  """How often each of `size` terms occurs, float32 [N, size], in texts of terms int [N, L]; -1 is
  none."""
  text, place = np.nonzero(terms >= 0)
  out = np.zeros((len(terms), size), np.float32)
  np.add.at(out, (text, terms[text, place]), 1.0)
  return out


def scores(queries: np.ndarray, documents: np.ndarray, k1: float = K1, b: float = B) -> np.ndarray:
  """float32 [Q, D], of counts of terms [Q, V] and [D, V]."""
  length = documents.sum(axis=1, keepdims=True)
  having = (documents > 0).sum(axis=0)
  idf = np.log1p((len(documents) - having + 0.5) / (having + 0.5))
  mean = max(float(length.mean()), 1e-9)
  weighed = documents * (k1 + 1) / (documents + k1 * (1 - b + b * length / mean))
  return (queries * idf) @ weighed.T
