"""Random inputs of the objectives over action values, and their arithmetic in slow NumPy."""

import contextlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.objectives import Context, ObjectiveConfig, registry
from agents.objectives.action_values import Duals
from agents.objectives.objective import Loss, View, episodic
from agents.trajectory import Trajectory
from envs.environment import LAST

LENGTH, BATCH, ACTIONS, GAMMA = 9, 6, 3, 0.9
SOFT = ("soft_q", "soft_pg", "pcl", "soft_retrace", "munchausen")
NAMES = (*SOFT, "double_q", "pqn")
KEY = jax.random.key(0)


@contextlib.contextmanager
def float64():
  """Lets JAX compute in float64; decorates a test too."""
  jax.config.update("jax_enable_x64", True)
  try:
    yield
  finally:
    jax.config.update("jax_enable_x64", False)


class Inputs(NamedTuple):
  """What `prepare` and `loss` take; of a network only its action values [T+1, B, A]."""

  duals: Duals
  q: jax.Array
  lagging: jax.Array
  trajectory: Trajectory
  rewards: jax.Array
  weights: jax.Array


class Outcome(NamedTuple):
  """What they return, and the loss's gradient by the duals and the online action values."""

  targets: Any
  loss: Loss
  duals: Duals
  q: np.ndarray


def random_inputs(make_trajectory, seed=0, tau=0.5):
  """Weights are those of a burn-in of two steps and of random importance."""
  rng = np.random.default_rng(seed)
  trajectory = make_trajectory(rng, LENGTH, BATCH, actions=ACTIONS)
  shape = (LENGTH + 1, BATCH, ACTIONS)
  q, lagging = (jnp.asarray(rng.normal(size=shape), jnp.float32) for _ in range(2))
  weights = rng.uniform(0.1, 1.0, BATCH) * np.asarray(trajectory.mask)
  weights[:2] = 0.0
  return Inputs(
    Duals(jnp.log(jnp.float32(tau)), jnp.asarray(rng.normal(size=ACTIONS), jnp.float32)),
    q,
    lagging,
    trajectory,
    jnp.asarray(rng.normal(size=(LENGTH, BATCH)), jnp.float32),
    jnp.asarray(weights, jnp.float32),
  )


def build(name, **settings):
  """The objective `name`."""
  context = Context(specs.DiscreteArray(ACTIONS), ObjectiveConfig(discount=GAMMA), 8, 1)
  return registry.build(registry.choice(name, **settings), context)


def view(q):
  """Of action values [T+1, B, A]."""
  return View((), jnp.zeros(()), q)


def streams(trajectory, rewards):
  """What `Objective.prepare` takes."""
  return (episodic(rewards, GAMMA, trajectory),)


def run(objective, inputs, jitted=True):
  """An Outcome."""

  def whole(inputs):
    duals, q, lagging, trajectory, rewards, weights = inputs
    stream = streams(trajectory, rewards)
    targets = objective.prepare(duals, view(q), view(lagging), trajectory, stream, KEY)

    def loss(duals, q):
      out = objective.loss(duals, view(q), trajectory, targets, weights, KEY)
      return out.total, out

    gradients, out = jax.grad(loss, argnums=(0, 1), has_aux=True)(duals, q)
    return Outcome(targets, out, *gradients)

  return (jax.jit(whole) if jitted else whole)(inputs)


class Slow(NamedTuple):
  """The inputs in float64, with both networks read; `mask` and the rest as in the library."""

  tau: float
  q: np.ndarray
  value: np.ndarray
  log_ratio: np.ndarray
  pi: np.ndarray
  kl: np.ndarray
  discounts: np.ndarray
  rewards: np.ndarray
  action: np.ndarray
  weights: np.ndarray
  mask: np.ndarray


def read(inputs, q):
  """The inputs with the action values `q` read, by the definitions."""
  tau = np.exp(np.float64(inputs.duals.log_temperature))
  reference = np.exp(np.asarray(inputs.duals.reference, np.float64))
  reference /= reference.sum()
  q = np.asarray(q, np.float64)
  unnormalised = reference * np.exp(q / tau)
  total = unnormalised.sum(axis=-1)
  pi = unnormalised / total[..., None]
  trajectory = inputs.trajectory
  return Slow(
    tau,
    q,
    tau * np.log(total),
    np.log(pi / reference),
    pi,
    np.sum(pi * np.log(pi / reference), axis=-1),
    GAMMA * np.asarray(trajectory.discount[1:], np.float64),
    np.asarray(inputs.rewards, np.float64),
    np.asarray(trajectory.action),
    np.asarray(inputs.weights, np.float64),
    np.asarray(trajectory.step_type) != LAST,
  )


def pick(values, slow):
  """values [T+1, B, A] of what was done, [T+1, B]."""
  return np.take_along_axis(values, slow.action[..., None], axis=-1)[..., 0]


def returns(slow, bootstrap, n, reward):
  """n-step returns [T, B]; reward(t, s, b) is what step s adds to the return of t."""
  out = np.array(bootstrap[:-1], np.float64)
  for t, b in np.argwhere(slow.mask[:-1]):
    total, factor, s = 0.0, 1.0, t
    while s < min(t + n, len(out)) and slow.mask[s, b]:
      total += factor * reward(t, s, b)
      factor *= slow.discounts[s, b]
      s += 1
    out[t, b] = total + factor * bootstrap[s, b]
  return out


def soft_targets(slow, n, rewards):
  """y_t [T, B]: the KL of later steps counts, that of t does not."""
  return returns(
    slow, slow.value, n, lambda t, s, b: rewards[s, b] - (slow.tau * slow.kl[s, b] if s > t else 0)
  )


def mean(slow, x):
  """The weighted sum of x [T, B] over the number of steps that count."""
  return np.sum(slow.weights * x) / np.sum(slow.weights > 0)


def squared(slow, targets):
  """1/2 (Q - y)^2: the loss, its gradient by Q [T+1, B, A], and the errors [T, B]."""
  error = pick(slow.q, slow)[:-1] - targets
  gradient = np.zeros_like(slow.q)
  for t, b in np.argwhere(slow.weights > 0):
    gradient[t, b, slow.action[t, b]] = slow.weights[t, b] * error[t, b]
  return mean(slow, 0.5 * error**2), gradient / np.sum(slow.weights > 0), error


def assert_equal(outcome, loss, gradient, error, slow):
  """An Outcome's loss, gradient by Q, and, where it counts, errors."""
  np.testing.assert_allclose(outcome.loss.total, loss, rtol=1e-4)
  np.testing.assert_allclose(outcome.q, gradient, atol=2e-5)
  counts = slow.weights > 0
  np.testing.assert_allclose(outcome.loss.errors[counts], error[counts], rtol=1e-3, atol=2e-5)
