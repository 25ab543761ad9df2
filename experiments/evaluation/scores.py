"""Scores with 95% intervals, beside random and optimal play."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
import scipy.stats
from rich.console import Group
from rich.table import Table

from envs.environment import Environment
from envs.host.environment import HostEnvironment
from experiments.acting import host_rollout, keys, rollout
from experiments.acting.episodes import Episodes
from experiments.acting.random_play import random_play
from experiments.runs.experiment import Experiment
from experiments.settings.train import TrainConfig

EVALUATION_SEED = 1_000_000
"""Of the episodes of the final scores; folded into each seed's key."""
RANDOM_EPISODES = 20_000
"""Episodes of random play in a reference: standard error below .4 points of success."""
COSTLY_EPISODES = 256
"""The same where a reset or a step is costly: of Craftax 20,000 would take half an hour."""


def references(env: Environment | HostEnvironment, episodes: int | None = None) -> dict[str, Any]:
  """Random and, where known, optimal play on every split: {split: {"random": {...}, ...}}.

  `success` is None where nothing tells it.

  Nothing of an environment on the host, where so many episodes would take hours.
  """
  out: dict[str, Any] = {}
  if isinstance(env, HostEnvironment):
    return out
  if episodes is None:
    episodes = COSTLY_EPISODES if env.costly_reset or env.costly_step else RANDOM_EPISODES
  for name, split in env.splits().items():
    random = random_play(split, jax.random.key(0), episodes)
    optimal = split.optimal()
    untold = {} if math.isfinite(split.success_return) else {"success": None}
    out[name] = {
      kind: None if known is None else {k: float(v) for k, v in known._asdict().items()} | untold
      for kind, known in {"random": random, "optimal": optimal}.items()
    }
  return out


Interval = tuple[float, float | None, float | None]
"""A mean, and the ends of its 95% interval; None where one value gives none."""


def interval(values: np.ndarray, is_share: bool) -> Interval:
  """Returns the mean of values [S, E] and its 95% interval.

  With several seeds, Student's t over the seeds' means, because what a reader wants to know is how
  another seed would do. With one, over its episodes: Wilson's for a share, t otherwise.
  """
  values = np.asarray(values, np.float64)
  mean = float(values.mean())
  if values.shape[0] == 1 and is_share:
    ci = scipy.stats.binomtest(int(values.sum()), values.size).proportion_ci(method="wilson")
    return mean, float(ci.low), float(ci.high)
  sample = values.mean(axis=1) if values.shape[0] > 1 else values[0]
  if sample.size < 2:
    return mean, None, None
  half = float(scipy.stats.t.ppf(0.975, sample.size - 1) * scipy.stats.sem(sample))
  low, high = mean - half, mean + half
  return (mean, max(low, 0.0), min(high, 1.0)) if is_share else (mean, low, high)


def evaluate(
  experiment: Experiment,
  variables: Any,
  episodes: int,
  seed: int = EVALUATION_SEED,
  explore: bool = True,
) -> dict[str, Any]:
  """Plays `episodes` of every split with each seed's agent.

  Returns:
    What `summarise` makes of them; of a run that sweeps, a dict of such by the swept numbers.
  """
  config, env, agent = experiment.config, experiment.env, experiment.agent
  drawn = keys.stream(config.keys(), keys.EVALUATION, seed)
  if isinstance(env, HostEnvironment):
    one = jax.tree.map(lambda x: x[0], variables)
    played = host_rollout.play(env, agent, one, episodes, drawn[0], config.step_timeout, explore)
  else:
    play_splits = rollout.split_player(env, agent, episodes, explore)
    played = jax.device_get(play_splits(variables, drawn))
  if not config.sweep:
    return summarise(played)
  scores, lanes = {}, config.lanes()
  for begin in range(0, len(lanes), config.seeds):
    own = jax.tree.map(lambda x, begin=begin: x[begin : begin + config.seeds], played)
    scores[lanes[begin].name] = summarise(own)
  return scores


def tables(config: TrainConfig, scores: dict[str, Any], refs: dict[str, Any], title: str) -> Group:
  """What a person sees of `evaluate`'s scores: a table, of a sweep one for each combination."""
  if not config.sweep:
    return Group(table(scores, refs, title))
  return Group(*(table(own, refs, f"{title}, {name}") for name, own in scores.items()))


def summarise(episodes: dict[str, Episodes]) -> dict[str, Any]:
  """Scores of every split: {split: {"success": [mean, low, high], "return": ..., ...}}.

  `success` is None where nothing tells it.
  """
  out = {}
  for name, e in episodes.items():
    out[name] = {
      "success": None if e.success is None else interval(np.asarray(e.success), True),
      "return": interval(np.asarray(e.episode_return), False),
      "discounted_return": interval(np.asarray(e.discounted_return), False),
      "length": interval(np.asarray(e.length), False),
      "seeds": int(np.shape(e.length)[0]),
      "episodes_per_seed": int(np.shape(e.length)[1]),
    }
  return out


def table(scores: dict[str, Any], refs: dict[str, Any], title: str) -> Table:
  """The table a person sees: a row a split, the agent between random and optimal."""
  any_split = next(iter(scores.values()))
  seeds, episodes = any_split["seeds"], any_split["episodes_per_seed"]
  over = f"{seeds} seeds" if seeds > 1 else "episodes"
  several = seeds > 1 or episodes > 1
  caption = f"{episodes} episodes a split and seed; 95% intervals over {over}"
  out = Table(title=title, caption=caption if several else "one episode a split: no intervals")
  out.add_column("split")
  for column in ("success", "random", "optimal", "return", "random", "optimal"):
    out.add_column(column, justify="right", no_wrap=True)

  def reference(name: str, kind: str, what: str, form: str) -> str:
    known = (refs.get(name) or {}).get(kind)
    return "-" if known is None or known[what] is None else form.format(known[what])

  def cell(mean: str, ends: str) -> str:
    return f"[bold]{mean}[/] {ends}" if several else f"[bold]{mean}[/]"

  for name, score in scores.items():
    share, (mean, low, high) = score["success"], score["return"]
    out.add_row(
      name,
      cell(f"{share[0]:.1%}", f"{100 * share[1]:.0f}-{100 * share[2]:.0f}") if share else "-",
      reference(name, "random", "success", "{:.1%}"),
      reference(name, "optimal", "success", "{:.0%}"),
      cell(f"{mean:.3f}", f"±{(high - low) / 2:.3f}" if several else ""),
      reference(name, "random", "episode_return", "{:.3f}"),
      reference(name, "optimal", "episode_return", "{:.3f}"),
    )
  return out
