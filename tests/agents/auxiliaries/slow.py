"""Slow and plain versions of what auxiliary losses share, in NumPy, and small inputs for them."""

import jax
import jax.numpy as jnp
import numpy as np

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


def inputs(seed=0, length=LENGTH, batch=BATCH, weights=None, labels=None):
  """Inputs [T+1, B] of linear encoders of pictures; the first entry of each column burns in."""
  rng = np.random.default_rng(seed)

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape).astype(np.float32))

  observation = normal(length + 1, batch, *SPEC.shape)
  online, target = (normal(SIDE * SIDE * 2, SIZE) / 4 for _ in range(2))
  if weights is None:
    weights = np.ones((length + 1, batch), np.float32)
    weights[0] = 0.0
  reward = jnp.round(normal(length + 1, batch))
  played = trajectory(firsts(length, batch), observation, reward)
  played = played._replace(
    action=jnp.asarray(rng.integers(0, 2, size=(length + 1, batch)), jnp.int32)
  )
  return of_encoders(
    played, online, target, normal(length + 1, batch, SIZE), jnp.asarray(weights), labels or {}
  )


def of_encoders(played, online, target, beliefs, weights, labels):
  """The inputs of a trajectory by linear encoders [H * W * C, N]."""

  def encode(w):
    return lambda x: x.reshape(*x.shape[: x.ndim - 3], -1) @ w

  return Inputs(
    played,
    encode(online)(played.observation),
    beliefs,
    None,
    encode(online),
    lambda x: jax.lax.stop_gradient(encode(target)(x)),
    labels,
    weights,
  )


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
