"""The stage that trains the policy: fill the buffer, learn from it, save; again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.offline.learner import GoalLearner
from envs.registry import Choice
from experiments.offline.discovery import Tick
from experiments.offline.filling import Filler, batches
from experiments.runs.checkpoint import Checkpoints
from experiments.runs.logs import Logs
from experiments.settings.errors import UserError

CALL_BYTES = 2**26
"""Of observations that one call of the compiled program learns from, at most."""
CALL_UPDATES = 20
"""Updates of one call, at most."""
FILL_STAGE = 4
"""Folded into the seed's key."""


def train(
  learner: GoalLearner, filler: Filler, path: Path, fingerprint: dict[str, Any], tick: Tick
) -> tuple[Any, dict[str, Any]]:
  """Trains up to the updates asked for, from the last checkpoint in `path` if there is one.

  All that is drawn for a filling follows from the seed and its number, so what is resumed ends as
  what was never interrupted.

  Returns:
    The learner state, and what a person is told.

  Raises:
    UserError: if numbers stop being finite.
  """
  config, dataset, seed = filler.config, filler.dataset, filler.discovery.seed
  own, root = config.buffer, jax.random.fold_in(jax.random.key(seed), FILL_STAGE)
  state = learner.init(root)
  saved = Checkpoints(path, fingerprint, create=True)
  done, goals = saved.latest() or 0, jnp.zeros(2, jnp.int32)
  if done:
    state, goals = saved.restore((state, goals))
    filler.drawn, filler.unreachable = map(int, goals)
  logs, metrics = Logs(path, (Choice("tensorboard"),)), dict[str, float]()
  pair_bytes = 4 * dataset.observation[:1].nbytes * config.batch_size
  most = max(1, min(CALL_UPDATES, CALL_BYTES // pair_bytes))
  try:
    while done < own.updates:
      number = done // own.fill_updates
      rng = np.random.default_rng([seed, FILL_STAGE, number])
      key = jax.random.fold_in(root, number)
      tick(done / own.updates, _told("filling the buffer", metrics))
      buffer = filler.fill(state, rng, key)
      if not len(buffer.before):
        break
      end = min((number + 1) * own.fill_updates, own.updates)
      while done < end:
        count = min(most, end - done)
        picked = rng.integers(len(buffer.before), size=(count, config.batch_size))
        batch = batches(dataset, buffer, picked)
        state, history = learner.learn(state, batch, jax.random.fold_in(key, done))
        metrics = {name: float(x) for name, x in history.items()}
        done += count
        tick(done / own.updates, _told("learning", metrics))
      metrics["reward"] = float(buffer.reward.mean())
      if bad := [name for name, x in metrics.items() if not math.isfinite(x)]:
        raise UserError(
          f"update {done:,}: {', '.join(bad)} are no longer finite; give a smaller --learning-rate"
          " and another --out."
        )
      saved.save(done, (state, jnp.array([filler.drawn, filler.unreachable], jnp.int32)))
      logs.write([{"seed": seed, "step": done} | metrics])
  finally:
    logs.close()
    saved.close()
  report = {
    "updates": done,
    "goals_drawn": filler.drawn,
    "goals_unreachable": filler.unreachable,
    "metrics": metrics,
  }
  return state, report


def _told(what: str, metrics: dict[str, float]) -> str:
  return what + (f", q {metrics['q']:.2f}, error {metrics['td_error']:.3f}" if metrics else "")
