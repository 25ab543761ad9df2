"""Networks in NumPy, and a deterministic loop to grow familiar with, for the tests of bonuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from agents.bonuses import Forecasts, Outputs
from agents.trajectory import Trajectory
from agents.world_model import table
from envs.environment import MID
from tests.agents.bonuses.small_world import KEY, LATENT, SIZE, context

HORIZON, BELIEF = 3, 4
STATES, BATCH, LENGTH = 6, 4, 12
CONTEXT = context()._replace(horizon=HORIZON)


def mlp(params, x):
  """Linear layers in order, ReLU between them; a torso's `latent` is the last."""
  x = np.asarray(x, np.float64)
  names = sorted(params, key=lambda name: (name.endswith("latent"), name))
  for n, name in enumerate(names):
    w, b = (np.asarray(params[name][k], np.float64) for k in ("w", "b"))
    x = np.maximum(x, 0.0) @ w + b if n else x @ w + b
  return x


def unit(x):
  return np.asarray(x, np.float64) / np.linalg.norm(x)


def random_outputs(rng, trajectory):
  """Random beliefs, latents, targets and forecasts; the real entries are the trajectory's."""
  length, batch = trajectory.reward.shape
  length -= 1

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)

  forecasts = Forecasts(
    normal(length + 1, batch, LATENT),
    normal(length, HORIZON, batch, BELIEF),
    jnp.square(normal(length, HORIZON, batch)),
    table.valid_pairs(trajectory.first, HORIZON),
  )
  beliefs, latents = normal(length + 1, batch, BELIEF), normal(length + 1, batch, LATENT)
  return Outputs(beliefs, latents, forecasts)


def loop(seed):
  """A trajectory round a loop of `STATES` states, and what a perfect world model makes of it."""
  rng = np.random.default_rng(seed)
  state = (np.arange(LENGTH + 1)[:, None] + np.arange(BATCH)) % STATES
  k = np.arange(HORIZON)[:, None]
  ahead = (np.arange(LENGTH)[:, None, None] + k + 1 + np.arange(BATCH)) % STATES

  def code(*size):
    return jnp.asarray(rng.normal(size=(STATES, *size)), jnp.float32)

  step_type = jnp.full(state.shape, MID, jnp.int32)
  trajectory = Trajectory(
    observation=code(SIZE)[state],
    action=jnp.asarray(state % 2, jnp.int32),
    reward=jnp.zeros(state.shape, jnp.float32),
    discount=jnp.ones(state.shape, jnp.float32),
    step_type=step_type,
    extras={},
    memory=(),
  )
  beliefs, targets = code(BELIEF), code(LATENT)
  forecasts = Forecasts(
    targets[state],
    code(HORIZON, BELIEF)[ahead, k],
    jnp.zeros((LENGTH, HORIZON, BATCH)),
    table.valid_pairs(trajectory.first, HORIZON),
  )
  return trajectory, Outputs(beliefs[state], targets[state], forecasts)


def train(bonus, trajectory, outputs, steps=300, learning_rate=3e-3, vary=lambda key, o: o):
  """Parameters and statistics after training the bonus's own loss on one trajectory.

  `vary` changes the outputs at each step.
  """
  params, statistics = bonus.init(KEY)
  _, statistics, _ = bonus.reward(params, statistics, trajectory, outputs, KEY)
  optimiser = optax.adam(learning_rate)

  @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 1})
  def run(params):
    def step(carry, key):
      params, state = carry
      vary_key, loss_key = jax.random.split(key)
      gradient = jax.grad(bonus.loss)(
        params, statistics, trajectory, vary(vary_key, outputs), loss_key
      )
      change, state = optimiser.update(gradient, state)
      return (optax.apply_updates(params, change), state), None

    keys = jax.random.split(KEY, steps)
    return jax.lax.scan(step, (params, optimiser.init(params)), keys)[0][0]

  return run(params), statistics


def familiar_and_unseen(bonus, steps=300):
  """Mean size of the rewards on a loop after training on it, and on other loops."""
  params, statistics = train(bonus, *loop(0), steps)

  def mean(seed):
    paid, _, _ = bonus.reward(params, statistics, *loop(seed), KEY)
    # The entries that are paid at all: a bonus may need some steps that lie ahead.
    return float(jnp.mean(jnp.abs(paid[: LENGTH - HORIZON])))

  return mean(0), np.mean([mean(seed) for seed in (1, 2, 3)])
