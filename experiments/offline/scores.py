"""How often goals are reached: on every split, and by how far they are."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from rich.table import Table

from agents.agent import Agent
from envs.goals.goal_environment import GoalEnvironment
from envs.observation import GOAL, VIEW
from experiments.acting import keys, rollout
from experiments.evaluation import scores
from experiments.evaluation.scores import EVALUATION_SEED

BANDS = 5
"""Of distance from start to goal, of equal width."""
RANDOM_EPISODES = 2000
"""Of random play in the reference: standard error about 1 point of success at most."""


def evaluate(
  env: GoalEnvironment, agent: Agent, state: Any, episodes: int, seed: int
) -> dict[str, Any]:
  """Plays the policy's mode on every split.

  Returns:
    `splits`, scores as `scores.summarise` makes them; `random`, references; `bands`, for goals
    anywhere, a row a band of distances from start to goal, with `unreachable` for goals to which no
    way leads, which no policy can reach.
  """
  key = keys.stream(jax.random.key(seed)[None], keys.EVALUATION, EVALUATION_SEED)
  one = jax.tree.map(lambda x: x[None], agent.variables(state))
  played = jax.device_get(rollout.split_player(env, agent, episodes, explore=False)(one, key))
  distance = np.asarray(_distances(env.splits()["uniform"], key[0], episodes))
  return {
    "splits": scores.summarise(played),
    "random": scores.references(env, RANDOM_EPISODES),
    "bands": bands(distance, np.asarray(played["uniform"].success)[0]),
    "unreachable": int(np.sum(~np.isfinite(distance))),
  }


def _distances(env: Any, key: jax.Array, episodes: int) -> jax.Array:
  """True distances from start to goal of the episodes that `rollout.episodes` plays, [E]."""

  @jax.jit
  def ways(key: jax.Array) -> jax.Array:
    pairs = rollout.first(env, episodes, key)[1].observation
    return jax.vmap(env.distance)(pairs[VIEW], pairs[GOAL])

  return ways(key)


def bands(distance: np.ndarray, success: np.ndarray) -> list[dict[str, Any]]:
  """Success [E] by distance [E], in `BANDS` of equal width up to the longest finite one."""
  finite = np.isfinite(distance)
  ends = np.linspace(0.0, distance[finite].max(initial=0.0), BANDS + 1)
  place = np.clip(np.searchsorted(ends, distance, side="right") - 1, 0, BANDS - 1)
  rows = []
  for band in range(BANDS):
    inside = finite & (place == band)
    count = int(inside.sum())
    share = scores.interval(success[None, inside], True) if count else None
    low, high = float(ends[band]), float(ends[band + 1])
    rows.append({"from": low, "to": high, "episodes": count, "success": share})
  return rows


def table(results: dict[str, Any], title: str) -> Table:
  """Success on every split and in every band, 80 columns."""
  out = Table(title=title, caption="the policy's mode; 95% intervals over episodes")
  for column in ("goals", "episodes", "success", "95%", "random"):
    out.add_column(column, justify="left" if column == "goals" else "right")
  for name, score in results["splits"].items():
    random = results["random"][name]["random"]["success"]
    out.add_row(name, f"{score['episodes_per_seed']:,}", *_cells(score["success"]), f"{random:.1%}")
  out.add_section()
  for row in results["bands"]:
    label = f"{row['from']:.3g} to {row['to']:.3g} away"
    out.add_row(label, f"{row['episodes']:,}", *_cells(row["success"]), "")
  if results["unreachable"]:
    out.add_row("no way leads there", f"{results['unreachable']:,}", "", "", "")
  return out


def _cells(share: Any) -> tuple[str, str]:
  return (f"[bold]{share[0]:.1%}[/]", f"{share[1]:.0%} to {share[2]:.0%}") if share else ("-", "")
