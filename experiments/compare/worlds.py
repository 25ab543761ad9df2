"""What a comparison says of its environments: their maps, and random and optimal play."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np

from envs import capabilities
from envs.auto_reset import AutoReset
from envs.capabilities import HasPlaces
from envs.environment import Environment
from experiments.acting import coverage, rollout
from experiments.acting.policy import RandomPolicy
from experiments.acting.random_play import random_play
from experiments.compare import scores

EPISODES = 4096
"""Of random play."""
COSTLY_EPISODES = 256
"""The same where a step is costly."""


def describe(env: Environment, steps: int, batch: int) -> dict[str, Any]:
  """An entry of maps.json.

  Args:
    env: the environment.
    steps: of a run that is compared; random play's coverage is what it sees in as many.
    batch: environments side by side.
  """
  what, places = scores.metric(env), capabilities.places(env)
  entry: dict[str, Any] = {"metric": what, "reference": _reference(env, what, steps, batch)}
  if places is not None:
    entry |= {
      "rows": places.rows,
      "columns": places.columns,
      "reachable": places.reachable.tolist(),
      "rooms": places.rooms.tolist(),
    }
  return entry


def _reference(
  env: Environment, what: scores.Metric, steps: int, batch: int
) -> dict[str, float | None]:
  if what == "coverage":
    return {"random": random_coverage(env, steps, batch), "optimal": None}
  episodes = COSTLY_EPISODES if env.costly_step else EPISODES
  known = [random_play(env, jax.random.key(0), episodes), env.optimal()]
  random, optimal = (
    None if r is None else r.success if what == "success" else scores.share(r.episode_return, env)
    for r in known
  )
  return {"random": random, "optimal": optimal}


def random_coverage(env: Environment, steps: int, batch: int) -> float:
  """Share of the reachable places that random actions come to, in `steps` of B environments."""
  places = capabilities.places(env)
  assert places is not None
  visits = np.asarray(_random_visits(env, steps, batch, jax.random.key(0)))
  return scores.covered(visits, places)["coverage"]


@functools.partial(jax.jit, static_argnames=("env", "steps", "batch"))
def _random_visits(env: Environment, steps: int, batch: int, key: jax.Array) -> jax.Array:
  stream, policy = AutoReset(env), RandomPolicy(env.action_spec())
  assert isinstance(stream, HasPlaces)

  def count(visits: jax.Array, step: rollout.Step) -> tuple[jax.Array, None]:
    return visits.at[rollout.oracle(stream, step.before).place].add(1), None

  acting = rollout.start(stream, policy, batch, key)
  keys = jax.random.split(jax.random.fold_in(key, 1), -(-steps // batch))
  visits = coverage.init(stream.places()).visits
  return rollout.scan(stream, policy, (), acting, keys, count, visits)[1]
