"""Probes: what a frozen representation tells of the state, by simple readers trained on it.

  linear     logistic regression with L2 on normalised features
  few-shot   the same from a few episodes of each of a few classes (RFS: Tian et al. 2020,
             arXiv 2003.11539)
  retrieval  whether the nearest by cosine are of the same class
  geometry   alignment and uniformity (Wang and Isola 2020, arXiv 2005.10242), effective rank

What is tested comes from other episodes than what is trained on, for steps of one episode are
alike. A rare class counts as a common one: accuracies are means over classes of each class's own,
and the linear probe learns with weights that make up for how often a class occurs.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.stats

from agents.auxiliaries import align_uniform
from agents.world_model import diagnostics
from agents.world_model.table import normalise

INVERSE_L2 = 1.0
"""C of the logistic regression (arXiv 2003.11539: 1)."""
ITERATIONS = 50
"""Of L-BFGS; with normalised features the loss stands still long before."""
TRAIN_SHARE = 2 / 3
"""Of the episodes."""
MOST_ROWS = 4096
"""Rows that a probe is trained on, and tested on, at most."""
ENDS = 4
"""Classes that are called common, and rare."""
NEIGHBOURS = 10
"""That are looked at in retrieval."""
QUERIES = 15
"""Of each class in a few-shot task (arXiv 2003.11539: 15)."""
TASKS = 100
"""Few-shot tasks; arXiv 2003.11539 has 600, of which the interval is 2.4 times as narrow."""
SPREAD_ROWS = 1024
"""Rows whose pairs are compared for uniformity."""


class Labels(NamedTuple):
  """What is to be read from a representation.

  Attributes:
    name: of it.
    values: int [E, K], the class at K steps of E episodes, the commonest 0; -1 for none.
    classes: how many there are.
  """

  name: str
  values: np.ndarray
  classes: int


class Features(NamedTuple):
  """A representation at K steps of E episodes.

  Attributes:
    now: float32 [E, K, D].
    after: float32 [E, K, D], one step later.
    follows: bool [E, K], whether that is in the same episode.
  """

  now: np.ndarray
  after: np.ndarray
  follows: np.ndarray


class Accuracy(NamedTuple):
  """Accuracy by class, and its means; NaN for a class that was not tested.

  Attributes:
    by_rank: float [C].
    all, common, rare: means over all classes, the first ENDS and the last, of few classes halves.
    steps: mean over steps, in which what occurs often counts the more.
  """

  by_rank: np.ndarray
  all: float
  common: float
  rare: float
  steps: float


def split(episodes: int, seed: int) -> np.ndarray:
  """bool [E], which episodes a probe is trained on; the others test it."""
  order = np.random.default_rng(seed).permutation(episodes)
  return order < round(TRAIN_SHARE * episodes)


def by_class(correct: np.ndarray, labels: np.ndarray, classes: int) -> Accuracy:
  """The accuracy of each class, from hits or shares of them [R] and labels [R]."""
  count = np.bincount(labels, minlength=classes)
  hits = np.bincount(labels, weights=correct.astype(np.float64), minlength=classes)
  share = np.where(count > 0, hits / np.maximum(count, 1), np.nan)
  ends = max(min(ENDS, classes // 2), 1)
  rare, common = share[-ends:], share[:ends]
  return Accuracy(share, _mean(share), _mean(common), _mean(rare), _mean(np.asarray(correct)))


def balanced(labels: np.ndarray, classes: int) -> np.ndarray:
  """Weights float32 [R] of rows, the same sum for each class that occurs and R for all of them
  (scikit-learn's `class_weight="balanced"`)."""
  count = np.bincount(labels, minlength=classes)
  share = len(labels) / (max((count > 0).sum(), 1) * np.maximum(count, 1))
  return share[labels].astype(np.float32)


def _mean(values: np.ndarray) -> float:
  known = values[~np.isnan(values)]
  return float(known.mean()) if known.size else float("nan")


@functools.partial(jax.jit, static_argnames="classes")
def fit(x: jax.Array, y: jax.Array, weights: jax.Array, classes: int) -> tuple[jax.Array, ...]:
  """Logistic regression: the least of |W|^2 / 2 + C sum of cross-entropies, by L-BFGS.

  Args:
    x: [R, D], normalised.
    y: int [R].
    weights: float32 [R]; rows of 0 do not count.
    classes: C, of y.

  Returns:
    W [D, C] and the intercepts [C], which are not held small.
  """
  total = jnp.maximum(jnp.sum(weights), 1.0)

  def loss(params: tuple[jax.Array, jax.Array]) -> jax.Array:
    w, b = params
    errors = optax.softmax_cross_entropy_with_integer_labels(x @ w + b, y)
    return jnp.sum(weights * errors) / total + jnp.sum(jnp.square(w)) / (2 * INVERSE_L2 * total)

  solver = optax.lbfgs()
  value_and_grad = optax.value_and_grad_from_state(loss)

  def step(carry: Any, _: None) -> tuple[Any, None]:
    params, state = carry
    value, gradient = value_and_grad(params, state=state)
    updates, state = solver.update(
      gradient, state, params, value=value, grad=gradient, value_fn=loss
    )
    return (optax.apply_updates(params, updates), state), None

  start = (jnp.zeros((x.shape[-1], classes)), jnp.zeros((classes,)))
  (params, _), _ = jax.lax.scan(step, (start, solver.init(start)), None, length=ITERATIONS)
  return params


def _rows(
  features: np.ndarray, labels: Labels, episodes: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
  """Normalised features [R, D] and classes [R] of some episodes' steps that have one."""
  chosen = np.flatnonzero((episodes[:, None] & (labels.values >= 0)).ravel())
  if len(chosen) > MOST_ROWS:
    chosen = np.random.default_rng(seed).choice(chosen, MOST_ROWS, replace=False)
  x = features.reshape(-1, features.shape[-1])[chosen]
  return np.asarray(normalise(jnp.asarray(x))), labels.values.ravel()[chosen]


def padded(*arrays: np.ndarray) -> list[np.ndarray]:
  """Arrays [R, ...] with rows of 0 behind, up to the next power of two: programs are compiled for a
  number of rows, which few share else."""
  size = len(arrays[0])
  behind = (1 << max(size - 1, 1).bit_length()) - size
  return [np.pad(x, ((0, behind), *((0, 0),) * (x.ndim - 1))) for x in arrays]


def linear(features: np.ndarray, labels: Labels, train: np.ndarray, seed: int) -> Accuracy:
  """The linear probe's accuracy on the episodes that are not `train`; features are [E, K, D]."""
  x, y = _rows(features, labels, train, seed)
  w, b = fit(*padded(x, y, balanced(y, labels.classes)), labels.classes)
  x, y = _rows(features, labels, ~train, seed)
  return by_class(np.asarray(jnp.argmax(x @ w + b, axis=-1)) == y, y, labels.classes)


def retrieval(features: np.ndarray, labels: Labels, train: np.ndarray, seed: int) -> Accuracy:
  """Share of the NEIGHBOURS nearest by cosine, among the steps of `train`, of the same class."""
  keys, classes = _rows(features, labels, train, seed)
  x, y = _rows(features, labels, ~train, seed)
  count = min(NEIGHBOURS, len(keys))
  nearest = np.asarray(_nearest(keys, x, count))
  return by_class((classes[nearest] == y[:, None]).mean(axis=1), y, labels.classes)


@functools.partial(jax.jit, static_argnames="count")
def _nearest(keys: jax.Array, x: jax.Array, count: int) -> jax.Array:
  """Which of keys [K, D] are the nearest to each of x [R, D], int32 [R, count]."""
  return jax.lax.map(lambda q: jax.lax.top_k(keys @ q, count)[1], x, batch_size=256)


@functools.partial(jax.jit, static_argnames="way")
def _told(known: jax.Array, asked: jax.Array, way: int) -> jax.Array:
  """The classes, int32 [N, Q], that a probe of each task's known [N, way * shots, D] reads from
  what is asked [N, Q, D]."""
  y = jnp.repeat(jnp.arange(way), known.shape[1] // way)
  weights = jnp.ones(len(y), jnp.float32)
  w, b = jax.lax.map(lambda x: fit(x, y, weights, way), known, batch_size=50)
  return jnp.argmax(jnp.einsum("tqd,tdc->tqc", asked, w) + b[:, None], axis=-1)


def few_shot(
  features: np.ndarray,
  labels: Labels,
  train: np.ndarray,
  way: int,
  shots: int,
  seed: int,
  among: np.ndarray | None = None,
) -> tuple[float, float, float] | None:
  """Mean accuracy of n-way k-shot tasks and its 95% t-interval; None where too few are there.

  Args:
    features: [E, K, D].
    labels: of the same steps.
    train: bool [E]; shots are of these episodes, each of another, and queries of the others.
    way, shots: n and k.
    seed: of the tasks.
    among: the classes that are drawn from; all by default.
  """
  drawn = tasks(labels, train, way, shots, seed, among)
  if drawn is None:
    return None
  support, queries, way = *drawn, len(drawn[0][0]) // shots
  flat = np.asarray(normalise(jnp.asarray(features.reshape(-1, features.shape[-1]))))
  told = np.asarray(_told(flat[support], flat[queries], way))
  return interval((told == np.repeat(np.arange(way), QUERIES)).mean(axis=1))


def interval(scores: np.ndarray) -> tuple[float, float, float]:
  """Mean of the accuracies of tasks [N], and its 95% t-interval."""
  half = float(scipy.stats.t.ppf(0.975, len(scores) - 1) * scipy.stats.sem(scores))
  mean = float(scores.mean())
  return mean, max(mean - half, 0.0), min(mean + half, 1.0)


def tasks(
  labels: Labels,
  train: np.ndarray,
  way: int,
  shots: int,
  seed: int,
  among: np.ndarray | None = None,
  count: int | None = None,
) -> tuple[np.ndarray, np.ndarray] | None:
  """The rows of `count` tasks, TASKS where none is given; see `few_shot`.

  Returns:
    Of their supports [count, way * shots] and queries [count, way * QUERIES], class by class, as
    numbers of flattened steps; None where fewer than two classes have enough episodes. `way` is
    that of the classes there are, where these are fewer.
  """
  count = TASKS if count is None else count
  rng = np.random.default_rng(seed)
  pools = {
    c: (_steps(labels.values, c, train), _steps(labels.values, c, ~train))
    for c in (range(labels.classes) if among is None else among)
  }
  usable = [c for c, (known, asked) in pools.items() if len(known) >= shots and len(asked)]
  way = min(way, len(usable))
  if way < 2:
    return None
  support, queries = [], []
  for _ in range(count):
    drawn = [pools[c] for c in rng.choice(usable, way, replace=False)]
    support += [_draw(rng, known, shots) for known, _ in drawn]
    queries += [_draw(rng, asked, QUERIES) for _, asked in drawn]
  return np.array(support).reshape(count, -1), np.array(queries).reshape(count, -1)


def _steps(values: np.ndarray, label: int, episodes: np.ndarray) -> list[np.ndarray]:
  """The steps of a class, as numbers of flattened rows, of each episode that has some."""
  size = values.shape[1]
  found = (episodes[:, None] & (values == label)).nonzero()
  rows, first = np.unique(found[0], return_index=True)
  steps = found[0] * size + found[1]
  return np.split(steps, first[1:]) if len(rows) else []


def _draw(rng: np.random.Generator, pool: list[np.ndarray], count: int) -> list[int]:
  """One step of each of `count` episodes, which come again only where there are fewer."""
  chosen = rng.choice(len(pool), count, replace=len(pool) < count)
  return [int(rng.choice(pool[i])) for i in chosen]


def geometry(features: Features) -> dict[str, float]:
  """How a representation fills its space: `effective_rank`, `cosine`, `collapsed` as in
  `agents.world_model.diagnostics`, `alignment` of neighbours in time and `uniformity` of steps of
  different episodes."""
  size = features.now.shape[-1]
  told = diagnostics.latent_diagnostics(jnp.asarray(features.now))
  x, y = (normalise(jnp.asarray(z.reshape(-1, size))) for z in (features.now, features.after))
  follows = jnp.asarray(features.follows.ravel(), jnp.float32)
  episode = np.repeat(np.arange(len(features.now)), features.now.shape[1])
  some = np.random.default_rng(0).permutation(len(episode))[:SPREAD_ROWS]
  different = jnp.asarray(episode[some][:, None] != episode[some][None])
  return {
    "effective_rank": float(told["effective_rank"]),
    "cosine": float(told["cosine"]),
    "collapsed": float(told["collapsed"]),
    "alignment": float(align_uniform.align(x, y, follows)),
    "uniformity": float(align_uniform.uniformity(x[some], jnp.ones(len(some)), different)),
  }
