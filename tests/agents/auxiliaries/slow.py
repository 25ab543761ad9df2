"""Slow and plain versions of what auxiliary losses share, in NumPy, and small inputs for them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents import auxiliaries
from agents.auxiliaries import Inputs
from agents.trajectory import Trajectory
from envs.environment import FIRST, LAST, MID
from envs.observation import Cells

LENGTH, BATCH, SIZE, SIDE = 5, 3, 6, 4
"""T, B, N, and rows and columns of the pictures."""
SPEC = Cells((SIDE, SIDE, 2), np.float32, -np.inf, np.inf, 1, "view")


def trajectory(first, observation=None, reward=None):
  """Of episodes that begin where `first` [T+1, B]."""
  first = jnp.asarray(first)
  ends = jnp.concatenate([first[1:], jnp.zeros_like(first[:1])])
  zeros = jnp.zeros(first.shape)
  return Trajectory(
    observation=zeros if observation is None else observation,
    action=jnp.zeros(first.shape, jnp.int32),
    reward=zeros if reward is None else reward,
    discount=jnp.ones(first.shape),
    step_type=jnp.where(first, FIRST, jnp.where(ends, LAST, MID)),
    extras=(),
    memory=(),
  )


def firsts(length=LENGTH, batch=BATCH):
  """bool [T+1, B]: an episode begins within the first column, and one in the last."""
  first = np.zeros((length + 1, batch), bool)
  first[3, 0] = first[2, -1] = True
  return first


class Given(NamedTuple):
  """What inputs are made of: arrays [T+1, B, ...], and linear encoders [H * W * C, N]."""

  observation: Any
  first: Any
  action: Any
  reward: Any
  beliefs: Any
  labels: Any
  weights: Any
  online: Any
  target: Any


def given(seed=0, length=LENGTH, batch=BATCH, labels=None):
  """A batch in which the first entry of each column burns in."""
  rng = np.random.default_rng(seed)

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape).astype(np.float32))

  lead = (length + 1, batch)
  return Given(
    normal(*lead, *SPEC.shape),
    jnp.asarray(firsts(length, batch)),
    jnp.asarray(rng.integers(0, 2, size=lead), jnp.int32),
    jnp.round(normal(*lead)),
    normal(*lead, SIZE),
    labels or {},
    jnp.ones(lead).at[0].set(0.0),
    normal(SIDE * SIDE * 2, SIZE) / 4,
    normal(SIDE * SIDE * 2, SIZE) / 4,
  )


def of(given):
  """The inputs of a batch."""

  def encode(w):
    return lambda x: x.reshape(*x.shape[: x.ndim - 3], -1) @ w

  played = trajectory(given.first, given.observation, given.reward)
  return Inputs(
    played._replace(action=given.action),
    encode(given.online)(given.observation),
    given.beliefs,
    None,
    lambda x, key=None: encode(given.online)(x),  # it leaves out no branches
    lambda x: jax.lax.stop_gradient(encode(given.target)(x)),
    given.labels,
    given.weights,
  )


def inputs(seed=0, length=LENGTH, batch=BATCH, labels=None):
  """Inputs [T+1, B] of linear encoders of pictures; the first entry of each column burns in."""
  return of(given(seed, length, batch, labels))


def episodes(first):
  return np.cumsum(np.asarray(first).astype(int), axis=0)


def positives(first, weights, gap):
  """What each entry counts for that has a positive `gap` steps later, [T+1, B]."""
  out = np.zeros_like(weights)
  episode = episodes(first)
  for t, b in np.ndindex(*weights.shape):
    ahead = t + gap
    if ahead < len(weights) and episode[t, b] == episode[ahead, b] and weights[ahead, b] > 0:
      out[t, b] = weights[t, b]
  return out


def allowed(first, weights, neighbours):
  """bool [R, R] over entries t * B + b: which may be negatives of which."""
  entries = list(np.ndindex(*weights.shape))
  episode = episodes(first)
  out = np.zeros((len(entries), len(entries)), bool)
  for i, (t, b) in enumerate(entries):
    for j, (u, c) in enumerate(entries):
      near = b == c and episode[t, b] == episode[u, c] and abs(t - u) <= neighbours
      out[i, j] = weights[u, c] > 0 and not near
  return out


def info_nce(logits, weights, negatives):
  """The mean over rows that count of their contrast."""
  total = count = 0.0
  for i, weight in enumerate(weights):
    if weight > 0:
      exps = [np.exp(logits[i, j]) for j in range(len(logits)) if negatives[i, j] and j != i]
      total += weight * -np.log(np.exp(logits[i, i]) / (np.exp(logits[i, i]) + sum(exps)))
      count += weight
  return total / max(count, 1e-9)


def normal(x):
  """Rows over their norms; 0 stays 0."""
  return x / np.sqrt(np.sum(np.square(x), axis=-1, keepdims=True) + 1e-12)


def mlp(params, x):
  """A head of agents/auxiliaries/heads.py, without normalisation."""
  params = {name.rpartition("/")[2]: layer for name, layer in params.items()}
  hidden = np.maximum(x @ np.asarray(params["hidden"]["w"]) + np.asarray(params["hidden"]["b"]), 0)
  return hidden @ np.asarray(params["out"]["w"]) + np.asarray(params["out"]["b"])


def rows(x):
  """[R, ...] of [T+1, B, ...]."""
  return np.asarray(x).reshape(-1, *np.shape(x)[2:])


def ahead(x, gap):
  """x at t + gap; the last entry beyond the end."""
  x = np.asarray(x)
  return np.stack([x[min(t + gap, len(x) - 1)] for t in range(len(x))])


def mean(values, weights):
  """The mean of rows that count."""
  pairs = [(v, w) for v, w in zip(np.ravel(values), np.ravel(weights), strict=True) if w > 0]
  return sum(v * w for v, w in pairs) / sum(w for _, w in pairs)


class Pictures:
  """The specs of the environment that the inputs are of."""

  def observation_spec(self):
    return SPEC

  def action_spec(self):
    return specs.DiscreteArray(2)


def build(
  name,
  length=LENGTH,
  batch=BATCH,
  env=None,
  classes=0,
  stochastic=True,
  teacher=None,
  stored=False,
  **settings,
):
  """A method for the inputs here, its parameters and its state."""
  context = auxiliaries.Context(
    env or Pictures(), SIZE, SIZE, 2, length, batch, classes, stochastic, teacher=teacher,
    stored=stored,
  )  # fmt: skip
  method = auxiliaries.registry.build(auxiliaries.registry.choice(name, **settings), context)
  return method, *jax.jit(method.init)(jax.random.key(5))


def loss(method, params, state, inputs, key):
  """The loss, its metrics and the state after it, compiled."""
  return jax.jit(lambda params, state, key: method.loss(params, state, inputs, key))(
    params, state, key
  )


def numpy(tree):
  """Arrays in float64."""
  return jax.tree.map(lambda x: np.asarray(x, np.float64), tree)
