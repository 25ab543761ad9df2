"""Contriever's recipe: which episodes were played in the same map is found from a few steps of one.

A query is SPAN steps of an episode of random play, a document LENGTH steps of another; of each map
there are as many documents as are looked at, fewer where episodes are short, so that recall@10 is 1
for a perfect search and about 1/20 for chance. The contrast learns from crops of episodes in a
world whose maps are as Zipf has them, and no label; the test has all maps alike. BM25 counts terms:
the view of a step as a whole, or each cell of it with what is there.
Source: Izacard et al. 2021 (arXiv 2112.09118); what differs stands in agents/offline/retrieval.py.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from agents.auxiliaries import pairs
from agents.offline import retrieval
from agents.offline.retrieval import Retrieval, RetrievalConfig
from agents.torsos.torso import preprocess
from envs.auto_reset import AutoReset
from envs.capabilities import HasRanks
from envs.environment import Environment
from experiments.acting import rollout
from experiments.acting.policy import RandomPolicy
from experiments.claims import lab
from experiments.claims.claim import Claim, Row
from experiments.evaluation import bm25

LENGTH, SPAN = 32, 8
"""Steps of a document, and of a query."""
FOUND = 10
"""Documents of each map, and looked at: recall@10."""
QUERIES, PLAYED = 20, 2048
"""Queries of each map; episodes to learn from, of which those that last LENGTH steps are taken."""
UPDATES, BATCH = 300, 64
"""Of the contrast of crops (Contriever: 500,000 of 2,048)."""
PAIRS, TUNED = 1000, 300
"""Pairs of a query and a document of its map to fine-tune on, and updates on them."""
RARE = 4
"""Maps, the last, that are called rare."""


class Played(NamedTuple):
  """Episodes: observations [E, LENGTH, *O], what networks read of them [E, LENGTH, N], and of which
  map each is, int [E]."""

  observation: np.ndarray
  read: np.ndarray
  map: np.ndarray


def play(env: Environment, episodes: int, seed: int) -> Played:
  """Random play, of episodes that last long enough."""
  stream, policy = AutoReset(env), RandomPolicy(env.action_spec())
  assert isinstance(stream, HasRanks)

  @jax.jit
  def run(key: jax.Array) -> Any:
    start_key, act_key = jax.random.split(key)
    acting = rollout.start(stream, policy, episodes, start_key)
    ranks = jax.vmap(stream.ranks)(acting.env_state)
    keys = jax.random.split(act_key, LENGTH - 1)
    _, trajectory, _, _ = rollout.unroll(stream, policy, (), acting, keys, lambda c, s: (c, ()))
    return trajectory.observation, trajectory.first, ranks[:, 0]

  observation, first, maps = jax.device_get(run(jax.random.key(seed)))
  whole = ~first[1:].any(axis=0)
  observation = np.swapaxes(observation, 0, 1)[whole]
  flat = observation.reshape(-1, *observation.shape[2:])
  read = np.asarray(preprocess(env.observation_spec(), flat)).reshape(len(observation), LENGTH, -1)
  return Played(observation, read.astype(np.float32), maps[whole])


class World(NamedTuple):
  """Episodes to learn from, as Zipf has them; documents and queries, of each map as many, with
  where each query's span begins, int [Q]."""

  train: Played
  documents: Played
  queries: Played
  begins: np.ndarray


@functools.cache
def world() -> World:
  """What is learned from and searched, the same for all arms."""
  env = lab.world(lab.WORLD)
  train = play(env, PLAYED, lab.PROBE_SEED)
  test = play(env.splits()["uniform"], 2 * PLAYED, lab.PROBE_SEED + 1)
  documents, queries = [], []
  for each in np.unique(test.map):
    own = np.flatnonzero(test.map == each)
    documents.append(own[:FOUND])
    queries.append(own[FOUND : FOUND + QUERIES])
  found, asked = (Played(*(x[np.concatenate(rows)] for x in test)) for rows in (documents, queries))
  rng = np.random.default_rng(lab.PROBE_SEED)
  return World(train, found, asked, rng.integers(LENGTH - SPAN + 1, size=len(asked.map)))


def recalled(given: World, scores: np.ndarray) -> Row:
  """Recall@10 of scores [Q, D]: the share of the documents of a query's map that are found."""
  found = given.documents.map[np.argsort(-scores, axis=1, kind="stable")[:, :FOUND]]
  asked = given.queries.map
  hits = (found == asked[:, None]).sum(axis=1)
  share = hits / (given.documents.map == asked[:, None]).sum(axis=1)
  rare = asked >= asked.max() + 1 - RARE
  return {"recall": float(share.mean()), "recall_rare": float(share[rare].mean())}


def _span(given: World, x: np.ndarray) -> np.ndarray:
  """The span of each query, [Q, SPAN, ...] of x [Q, LENGTH, ...]."""
  return x[np.arange(len(x))[:, None], given.begins[:, None] + np.arange(SPAN)]


def by_terms(cells: bool, seeds: Sequence[int]) -> list[Row]:
  """BM25 of views as a whole, or of their cells."""
  given = world()
  views = given.documents.observation, _span(given, given.queries.observation)
  sizes = [x.shape[:2] for x in views]
  flat = [x.reshape(*size, -1) for x, size in zip(views, sizes, strict=True)]
  if cells:
    places = views[0].shape[2] * views[0].shape[3]
    flat = [x.reshape(*size, places, -1) for x, size in zip(flat, sizes, strict=True)]
    where = [np.broadcast_to(np.arange(places)[:, None], (*x.shape[:3], 1)) for x in flat]
    flat = [np.concatenate([w, x], axis=-1) for w, x in zip(where, flat, strict=True)]
  rows = np.concatenate([x.reshape(-1, x.shape[-1]) for x in flat])
  _, terms = np.unique(rows, axis=0, return_inverse=True)
  terms = terms.reshape(-1)
  count = int(terms.max()) + 1
  first = flat[0].size // flat[0].shape[-1]
  documents, queries = (
    bm25.counts(part.reshape(size[0], -1), count)
    for part, size in zip((terms[:first], terms[first:]), sizes, strict=True)
  )
  return [recalled(given, bm25.scores(queries, documents)) for _ in seeds]


CONFIG = RetrievalConfig()


@functools.cache
def _network() -> Retrieval:
  return retrieval.build(CONFIG, world().train.read.shape[-1])


@jax.jit
def _embedded(params: Any, x: jax.Array) -> jax.Array:
  """Unit vectors [E, F] of spans [E, L, N]."""
  x = jnp.swapaxes(x, 0, 1)
  return _network().of_span(params, x, jnp.ones(x.shape[:2], bool))


@jax.jit
def _contrasted(params: Any, state: Any, read: jax.Array, drawn: jax.Array, key: jax.Array) -> Any:
  """Parameters after learning from crops of episodes drawn [U, B] of read [E, L, N]."""
  net, optimiser = _network(), retrieval.optimiser(CONFIG)

  def step(carry: Any, inputs: Any) -> Any:
    params, state, optimiser_state = carry
    episodes, key = inputs
    latents = jnp.swapaxes(read[episodes], 0, 1)
    numbers = jnp.broadcast_to(episodes.astype(jnp.int32), latents.shape[:2])
    gradient, (queue, _) = jax.grad(net.loss, has_aux=True)(params, state, latents, numbers, key)
    change, optimiser_state = optimiser.update(gradient, optimiser_state)
    params = optax.apply_updates(params, change)
    return (params, net.update(state, params, queue), optimiser_state), None

  start = (params, state, optimiser.init(params))
  return jax.lax.scan(step, start, (drawn, jax.random.split(key, len(drawn))))[0][0]


@jax.jit
def _tuned(
  params: Any, short: jax.Array, whole: jax.Array, label: jax.Array, drawn: jax.Array
) -> Any:
  """Parameters after learning from pairs drawn [U, B]; entries of one map are no negatives."""
  optimiser = retrieval.optimiser(CONFIG)

  def error(params: Any, i: jax.Array) -> jax.Array:
    logits = _embedded(params, short[i]) @ _embedded(params, whole[i]).T
    negatives = label[i][:, None] != label[i][None]
    return pairs.info_nce(logits / CONFIG.retrieval_temperature, jnp.ones(len(i)), negatives)

  def step(carry: Any, i: jax.Array) -> Any:
    params, state = carry
    change, state = optimiser.update(jax.grad(error)(params, i), state)
    return (optax.apply_updates(params, change), state), None

  return jax.lax.scan(step, (params, optimiser.init(params)), drawn)[0][0]


def contrasted(given: World, params: Any, state: Any, seed: int) -> Any:
  """Parameters after learning from crops."""
  drawn = np.random.default_rng(seed).integers(len(given.train.map), size=(UPDATES, BATCH))
  return _contrasted(params, state, given.train.read, drawn, jax.random.key(seed))


def tuned(given: World, params: Any, seed: int) -> Any:
  """Parameters after fine-tuning on PAIRS pairs of a span and another episode of its map."""
  rng, maps = np.random.default_rng(seed), given.train.map
  one = rng.choice(np.flatnonzero(np.bincount(maps)[maps] > 1), PAIRS)
  same = [np.flatnonzero((maps == maps[i]) & (np.arange(len(maps)) != i)) for i in one]
  other = np.array([rng.choice(rows) for rows in same])
  begin = rng.integers(LENGTH - SPAN + 1, size=PAIRS)
  short = given.train.read[one[:, None], begin[:, None] + np.arange(SPAN)]
  drawn = rng.integers(PAIRS, size=(TUNED, BATCH))
  return _tuned(params, short, given.train.read[other], maps[one], drawn)


def _learned(contrast: bool, supervised: bool, seeds: Sequence[int]) -> list[Row]:
  given, rows = world(), []
  for seed in seeds:
    params, state = _network().init(jax.random.key(seed))
    if contrast:
      params = contrasted(given, params, state, seed)
    if supervised:
      params = tuned(given, params, seed)
    asked = _embedded(params, _span(given, given.queries.read))
    rows.append(recalled(given, np.asarray(asked @ _embedded(params, given.documents.read).T)))
  return rows


CLAIMS: Mapping[str, Claim] = {
  "contriever": Claim(
    "Contriever (arXiv 2112.09118): the contrast of crops rivals BM25, and is above it once tuned",
    {
      "BM25 of views": functools.partial(by_terms, False),
      "BM25 of cells": functools.partial(by_terms, True),
      "untrained": functools.partial(_learned, False, False),
      "contrast of crops": functools.partial(_learned, True, False),
      "1,000 pairs alone": functools.partial(_learned, False, True),
      "contrast, then pairs": functools.partial(_learned, True, True),
    },
    {"recall": "{:.0%}", "recall_rare": "{:.0%}"},
  )
}
