"""A good embedding against meta-learning and fine-tuning, on the same few-shot episodes.

Steps of random play are told by which of twenty maps they are of. Twelve maps are for learning, the
eight rarest for tests: five of them, from 1 or 5 episodes each, told in steps of other episodes.

  embedding    a network learns to tell the twelve maps; its features are frozen, and logistic
               regression reads the five (RFS: Tian et al. 2020, arXiv 2003.11539)
  fine-tuned   the same network goes on learning on the few steps, with a new last layer
  maml         the network is one from which INNER steps tell five maps of the twelve; first order
               (Finn et al. 2017, arXiv 1703.03400, section 5.2)
  untrained    logistic regression on the features of a network as it is made
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from agents.latent import parts as latent_parts
from experiments.claims import lab
from experiments.claims.claim import Claim, Row
from experiments.evaluation import probe_data, probes
from experiments.evaluation.probe_data import AGENT, LATENTS
from experiments.evaluation.probes import Labels

EPISODES = 2048
BASE = 12
"""Maps to learn from, the commonest ones; the others are for tests."""
WAY = 5
SHOTS = (1, 5)
UPDATES, BATCH, RATE = 600, 256, 1e-3
"""Of Adam, of the embedding and of MAML's outer loop (ours)."""
META_BATCH = 8
"""Tasks of an outer step (ours; arXiv 1703.03400: 4)."""
INNER, INNER_RATE = 5, 0.1
"""Steps of plain gradient descent within a task (arXiv 1703.03400, 5-way Mini-ImageNet: 5, .01;
ours, as layers are few)."""
TUNED, TUNED_RATE = 50, 1e-3
"""Steps of Adam by which the embedding is fine-tuned (ours)."""


class World(NamedTuple):
  """Steps [N, *O], their maps, and which are of episodes to learn from."""

  observation: Any
  labels: Labels
  train: np.ndarray
  model: Any


@functools.cache
def world() -> World:
  """The steps, flattened, and the network."""
  env = lab.world(lab.WORLD)
  played = lab.observed(env, EPISODES)
  now, _ = played.features[LATENTS][AGENT]
  labels = next(own for own in probe_data.labels(env, played) if own.name == "map")
  config = lab.settings(f"{lab.SMALL} {lab.RANDOM_PLAY} --auxiliary byol").agent
  train = probes.split(len(labels.values), lab.PROBE_SEED)
  return World(
    now.reshape(-1, *now.shape[2:]), labels, train, latent_parts.build(config, env).model
  )


def _logits(given: World, params: Any, x: jax.Array) -> jax.Array:
  return given.model.encode(params["encoder"], x) @ params["w"] + params["b"]


def _error(given: World, params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
  logits = _logits(given, params, x)
  return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))


def _new(given: World, key: jax.Array, classes: int) -> Any:
  encoder = given.model.encoder(given.model.init(key))
  size = jax.eval_shape(given.model.encode, encoder, given.observation[:1]).shape[-1]
  return {"encoder": encoder, "w": jnp.zeros((size, classes)), "b": jnp.zeros(classes)}


@functools.cache
def _embedding() -> Any:
  """Compiled, key -> the parameters that tell the maps to learn from."""
  given = world()
  rows = np.flatnonzero(
    (given.train[:, None] & (given.labels.values < BASE) & (given.labels.values >= 0)).ravel()
  )
  x, y = jnp.asarray(given.observation[rows]), jnp.asarray(given.labels.values.ravel()[rows])
  optimiser = optax.adam(RATE)

  def step(carry: Any, key: jax.Array) -> Any:
    params, state = carry
    i = jax.random.randint(key, (BATCH,), 0, len(rows))
    gradient = jax.grad(lambda p: _error(given, p, x[i], y[i]))(params)
    change, state = optimiser.update(gradient, state)
    return (optax.apply_updates(params, change), state), None

  @jax.jit
  def run(key: jax.Array) -> Any:
    params = _new(given, key, BASE)
    keys = jax.random.split(jax.random.fold_in(key, 1), UPDATES)
    return jax.lax.scan(step, (params, optimiser.init(params)), keys)[0][0]

  return run


def _adapted(given: World, params: Any, x: jax.Array, y: jax.Array) -> Any:
  """After INNER steps of gradient descent on the few."""
  for _ in range(INNER):
    gradient = jax.grad(lambda p: _error(given, p, x, y))(params)
    params = jax.tree.map(lambda p, g: p - INNER_RATE * g, params, gradient)
  return params


@functools.cache
def _maml(shots: int) -> Any:
  """Compiled, (key, supports [U, M, n], queries [U, M, q]) -> parameters that a few steps adapt; no
  gradient goes through these."""
  given = world()
  known, asked = (jnp.repeat(jnp.arange(WAY), n) for n in (shots, probes.QUERIES))
  optimiser, observation = optax.adam(RATE), jnp.asarray(given.observation)

  def one(params: Any, few: jax.Array, others: jax.Array) -> Any:
    near = jax.lax.stop_gradient(_adapted(given, params, observation[few], known))
    return jax.grad(lambda p: _error(given, p, observation[others], asked))(near)

  def step(carry: Any, rows: Any) -> Any:
    params, state = carry
    gradient = jax.tree.map(
      lambda g: jnp.mean(g, axis=0), jax.vmap(one, in_axes=(None, 0, 0))(params, *rows)
    )
    change, state = optimiser.update(gradient, state)
    return (optax.apply_updates(params, change), state), None

  @jax.jit
  def run(key: jax.Array, support: jax.Array, queries: jax.Array) -> Any:
    params = _new(given, key, WAY)
    return jax.lax.scan(step, (params, optimiser.init(params)), (support, queries))[0][0]

  return run


def maml(given: World, seed: int, shots: int) -> Any:
  """The parameters that first-order MAML finds."""
  count = UPDATES * META_BATCH
  drawn = probes.tasks(given.labels, given.train, WAY, shots, seed, np.arange(BASE), count)
  assert drawn is not None
  support, queries = (x.reshape(UPDATES, META_BATCH, -1) for x in drawn)
  return _maml(shots)(jax.random.key(seed), support, queries)


@functools.cache
def _tested(shots: int) -> tuple[np.ndarray, np.ndarray]:
  """The test's tasks, the same for all."""
  given = world()
  among = np.arange(BASE, given.labels.classes)
  drawn = probes.tasks(given.labels, given.train, WAY, shots, lab.PROBE_SEED, among)
  assert drawn is not None
  return drawn


@functools.cache
def _scorer(adapt: Any, shots: int) -> Any:
  """Compiled, parameters -> mean accuracy on the test's tasks of what `adapt` makes of them."""
  given = world()
  known, asked = (jnp.repeat(jnp.arange(WAY), n) for n in (shots, probes.QUERIES))
  observation = jnp.asarray(given.observation)

  @jax.jit
  def score(params: Any, tasks: Any) -> jax.Array:
    def task(rows: Any) -> jax.Array:
      few, others = rows
      after = adapt(given, params, observation[few], known)
      return jnp.mean(jnp.argmax(_logits(given, after, observation[others]), -1) == asked)

    return jnp.mean(jax.lax.map(task, tasks, batch_size=10))

  return lambda params: float(score(params, _tested(shots)))


def _read(given: World, encoder: Any, shots: int) -> float:
  """The same by logistic regression on frozen features."""
  features = np.asarray(jax.jit(given.model.encode)(encoder, given.observation))
  features = features.reshape(*given.labels.values.shape, -1)
  tested = np.arange(BASE, given.labels.classes)
  told = probes.few_shot(features, given.labels, given.train, WAY, shots, lab.PROBE_SEED, tested)
  assert told is not None
  return told[0]


def _tuned(given: World, params: Any, x: jax.Array, y: jax.Array) -> Any:
  """All layers after TUNED steps on the few, with a new last layer."""
  size = params["w"].shape[0]
  params = params | {"w": jnp.zeros((size, WAY)), "b": jnp.zeros(WAY)}
  optimiser = optax.adam(TUNED_RATE)

  def step(carry: Any, _: None) -> Any:
    params, state = carry
    gradient = jax.grad(lambda p: _error(given, p, x, y))(params)
    change, state = optimiser.update(gradient, state)
    return (optax.apply_updates(params, change), state), None

  return jax.lax.scan(step, (params, optimiser.init(params)), None, length=TUNED)[0][0]


def _arm(method: str, seeds: Sequence[int]) -> list[Row]:
  given, rows = world(), []
  for seed in seeds:
    row: Row = {}
    params = _embedding()(jax.random.key(seed)) if method in ("embedding", "fine-tuned") else None
    for shots in SHOTS:
      if method == "maml":
        told = _scorer(_adapted, shots)(maml(given, seed, shots))
      elif method == "fine-tuned":
        told = _scorer(_tuned, shots)(params)
      elif method == "untrained":
        told = _read(given, _new(given, jax.random.key(seed), WAY)["encoder"], shots)
      else:
        assert params is not None
        told = _read(given, params["encoder"], shots)
      row[f"{shots}_shot"] = told
    rows.append(row)
  return rows


CLAIMS: Mapping[str, Claim] = {
  "few_shot": Claim(
    "RFS (arXiv 2003.11539): a good embedding is enough, against MAML and fine-tuning",
    {
      name: functools.partial(_arm, name)
      for name in ("untrained", "embedding", "fine-tuned", "maml")
    },
    {"1_shot": "{:.1%}", "5_shot": "{:.1%}"},
  )
}
