"""Retrieval: states that belong together, found by contrasting two spans of one episode.

  loss = -log  exp(q . k / tau) / (exp(q . k / tau) + sum_i exp(q . k_i / tau))
where q and k are unit vectors of two spans, cropped one apart from the other from one episode: the
mean over the span of an encoder's outputs, q by the encoder that learns, k by its moving average.
The k_i are a queue of earlier k; those of the same episode are no negatives, and are left out.
Source: Izacard et al. 2021, Contriever (arXiv 2112.09118), section 3, its code and the options it
was trained with; He et al. 2020, MoCo (arXiv 1911.05722). Ours: cosines, as in MoCo, where
Contriever leaves lengths as they are; a queue that starts empty, not with random keys; nothing is
deleted from a span.
Good at: what is met in the same episodes, whatever the direction. Bad at: ways, for which there is
the reachability network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

from agents.reachability.pairs import PADDING

Metrics = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class RetrievalConfig:
  """Retrieval by contrast of spans. Sources name Contriever, arXiv 2112.09118."""

  retrieval_features: int = 32
  """F, size of an embedding (BERT's 768)."""
  retrieval_hidden: int = 64
  """Units of the encoder's hidden layers."""
  retrieval_layers: int = 3
  """Layers of the encoder, its last included."""
  retrieval_queue: int = 4096
  """Q, keys that serve as negatives (131072; 32768 for many languages)."""
  retrieval_momentum: float = 0.999
  """Decay of the moving average that makes the keys (.9995 over 500000 updates; .999 for many
  languages, and in MoCo)."""
  retrieval_temperature: float = 0.05
  """tau (.05)."""
  retrieval_span_min: float = 0.1
  """Least length of a span, as a share of its episode (code: .1; paper: .05)."""
  retrieval_span_max: float = 0.5
  """Largest length of a span, as a share of its episode (.5)."""
  retrieval_learning_rate: float = 1e-3
  """Adam's step size (5e-5, of a BERT)."""

  def __post_init__(self) -> None:
    for name in ("features", "hidden", "layers", "queue"):
      if getattr(self, f"retrieval_{name}") < 1:
        raise ValueError(f"retrieval_{name} must be at least 1.")
    if not 0.0 <= self.retrieval_momentum <= 1.0:
      raise ValueError(f"retrieval_momentum is {self.retrieval_momentum}; it must lie in [0, 1].")
    if not 0.0 <= self.retrieval_span_min <= self.retrieval_span_max <= 1.0:
      raise ValueError("0 <= retrieval_span_min <= retrieval_span_max <= 1 does not hold.")
    for name in ("temperature", "learning_rate"):
      if not getattr(self, f"retrieval_{name}") > 0.0:
        raise ValueError(f"retrieval_{name} must be above 0.")


class Queue(NamedTuple):
  """Keys of earlier batches.

  Attributes:
    keys: unit vectors, float32 [Q, F].
    episodes: which each is of, int32 [Q]; `PADDING` for none.
    head: int32, the place of the oldest, which goes next.
  """

  keys: jax.Array
  episodes: jax.Array
  head: jax.Array


class State(NamedTuple):
  """What is kept beside the parameters: those of the keys' encoder, and the queue."""

  slow: Any
  queue: Queue


class Retrieval(NamedTuple):
  """Pure functions of a retriever.

  Attributes:
    init: key -> (params, State).
    embed: (params, x [..., N]) -> unit vectors float32 [..., F].
    of_span: (params, x [T, B, N], bool [T, B]) -> unit vectors of the spans that are true, [B, F].
    loss: (params, state, latents [T, B, N], episodes int32 [T, B], key) -> (nats, (Queue with the
      new keys, metrics)). `episodes` numbers the episodes of the whole run, without gaps in a
      column, or is `PADDING`; one episode of each column is taken.
    update: (state, params, queue) -> the state after a step of the parameters.
    search: (params, queries [P, N], held [M, N], k, size=M) -> the k with the highest cosines among
      the first `size` of M, best first, int32 [P, k]; if they are fewer, others follow.
  """

  init: Callable[[jax.Array], tuple[Any, State]]
  embed: Callable[[Any, jax.Array], jax.Array]
  of_span: Callable[[Any, jax.Array, jax.Array], jax.Array]
  loss: Callable[..., tuple[jax.Array, tuple[Queue, Metrics]]]
  update: Callable[[State, Any, Queue], State]
  search: Callable[..., jax.Array]


def enqueue(queue: Queue, keys: jax.Array, episodes: jax.Array) -> Queue:
  """The queue with keys [B, F] of episodes [B] in place of its B oldest.

  Raises:
    ValueError: where B is larger than the queue.
  """
  count, places = len(keys), len(queue.keys)
  if count > places:
    raise ValueError(f"{count} keys do not fit a queue of {places}; raise retrieval_queue.")
  place = (queue.head + jnp.arange(count)) % places
  return Queue(
    queue.keys.at[place].set(keys),
    queue.episodes.at[place].set(episodes),
    (queue.head + count) % places,
  )


def info_nce(
  queries: jax.Array, keys: jax.Array, episodes: jax.Array, queue: Queue, temperature: float
) -> tuple[jax.Array, jax.Array]:
  """InfoNCE (van den Oord et al. 2018, arXiv 1807.03748) against a queue.

  Args:
    queries: unit vectors [B, F].
    keys: their partners [B, F].
    episodes: of both, int32 [B].
    queue: negatives, but for those of the same episode.
    temperature: tau.

  Returns:
    Nats [B], and whether the partner beats all negatives, bool [B].
  """
  partner = jnp.sum(queries * keys, axis=-1) / temperature
  usable = (queue.episodes != PADDING) & (queue.episodes != episodes[:, None])
  others = jnp.where(usable, queries @ queue.keys.T / temperature, -jnp.inf)
  every = jnp.concatenate([partner[:, None], others], axis=1)
  return jax.nn.logsumexp(every, axis=1) - partner, partner > jnp.max(others, axis=1)


def crop(
  key: jax.Array, begin: jax.Array, end: jax.Array, length: int, low: float, high: float
) -> jax.Array:
  """Spans of episodes that take up [begin, end) [B]: bool [length, B].

  A span's share of its episode is uniform in [low, high), rounded down but to no less than a step;
  its place is uniform.
  """
  share_key, start_key = jax.random.split(key)
  share = jax.random.uniform(share_key, begin.shape, minval=low, maxval=high)
  size = jnp.maximum((share * (end - begin)).astype(jnp.int32), 1)
  start = jax.random.randint(start_key, begin.shape, begin, end - size + 1)
  time = jnp.arange(length)[:, None]
  return (time >= start) & (time < start + size)


def recall(indices: jax.Array, true_nearest: jax.Array, k: int) -> jax.Array:
  """Recall@k: the share of the truly nearest that are among the first k found, a mean over queries.

  Args:
    indices: what was found, best first, [P, K] with K >= k.
    true_nearest: [P, n], what should be.
    k: how many of those found count.
  """
  found = true_nearest[:, :, None] == indices[:, None, :k]
  return jnp.mean(jnp.any(found, axis=-1).astype(jnp.float32))


def optimiser(config: RetrievalConfig) -> optax.GradientTransformation:
  """Adam."""
  return optax.adam(config.retrieval_learning_rate)


def build(config: RetrievalConfig, size: int) -> Retrieval:
  """A retriever that reads vectors [N] of `size` N."""
  sizes = [config.retrieval_hidden] * (config.retrieval_layers - 1) + [config.retrieval_features]
  network = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP(sizes)(x)))

  def unit(x: jax.Array) -> jax.Array:
    return x / jnp.sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + 1e-12)

  def init(key: jax.Array) -> tuple[Any, State]:
    params = network.init(key, jnp.zeros((1, size)))
    places = config.retrieval_queue
    blank = jnp.zeros((places, config.retrieval_features), jnp.float32)
    return params, State(params, Queue(blank, jnp.full(places, PADDING, jnp.int32), jnp.int32(0)))

  def embed(params: Any, x: jax.Array) -> jax.Array:
    return unit(network.apply(params, x))

  def of_span(params: Any, latents: jax.Array, span: jax.Array) -> jax.Array:
    inside = span[..., None].astype(jnp.float32)
    return unit(jnp.sum(network.apply(params, latents) * inside, axis=0) / jnp.sum(inside, axis=0))

  def loss(
    params: Any, state: State, latents: jax.Array, episodes: jax.Array, key: jax.Array
  ) -> tuple[jax.Array, tuple[Queue, Metrics]]:
    length, batch = episodes.shape
    time_key, query_key, key_key = jax.random.split(key, 3)
    # The episode of a random entry: long ones are taken in proportion.
    time = jax.random.randint(time_key, (batch,), 0, length)
    episode = episodes[time, jnp.arange(batch)]
    inside = episodes == episode
    begin = jnp.argmax(inside, axis=0).astype(jnp.int32)
    end = begin + jnp.sum(inside, axis=0, dtype=jnp.int32)
    shares = config.retrieval_span_min, config.retrieval_span_max
    spans = [crop(k, begin, end, length, *shares) for k in (query_key, key_key)]
    queries = of_span(params, latents, spans[0])
    keys = jax.lax.stop_gradient(of_span(state.slow, latents, spans[1]))

    mask = (episode != PADDING).astype(jnp.float32)
    total = jnp.maximum(jnp.sum(mask), 1.0)
    temperature = config.retrieval_temperature
    errors, first = info_nce(queries, keys, episode, state.queue, temperature)
    value = jnp.sum(errors * mask) / total
    metrics = {
      "retrieval_loss": value,
      "retrieval_accuracy": jnp.sum(first * mask) / total,
      # 1 / sqrt(F) for directions that are spread evenly; 0 where all embeddings are one.
      "retrieval_spread": jnp.mean(jnp.std(queries, axis=0)),
    }
    return value, (enqueue(state.queue, keys, episode), metrics)

  def update(state: State, params: Any, queue: Queue) -> State:
    rate = 1.0 - config.retrieval_momentum
    return State(optax.incremental_update(params, state.slow, rate), queue)

  def search(
    params: Any,
    queries: jax.Array,
    held: jax.Array,
    k: int,
    size: jax.Array | int | None = None,
  ) -> jax.Array:
    cosines = embed(params, queries) @ embed(params, held).T
    usable = jnp.arange(len(held)) < (len(held) if size is None else size)
    return jax.lax.top_k(jnp.where(usable, cosines, -jnp.inf), k)[1]

  return Retrieval(init, embed, of_span, loss, update, search)
