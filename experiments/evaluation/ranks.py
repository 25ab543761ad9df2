"""Success by rank: how well an agent does in what is common and in what is rare.

Where an environment does not say what success is, its score by rank: where a return stands between
random and good play (`HasReferences`), 0 and 1.

The figure of Zipfian environments (Chan et al. 2022, arXiv 2203.08222): success against the rank of
what an episode is about, where training draws ranks by a power law. All ranks are played alike.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from envs.capabilities import HasRanks, HasReferences
from envs.environment import Environment
from experiments.acting import keys, rollout
from experiments.acting.policy import ActingPolicy, AgentPolicy, RandomPolicy
from experiments.evaluation.pictures import COLOURS, GREY, LIGHT, write_figure
from experiments.runs.experiment import Experiment

EPISODES = 4000
"""Of each seed: 200 a rank where there are 20, standard error at most 3.5 points."""
COSTLY_EPISODES = (32, 512)
"""The least and the most where a step is costly, and between them what a twentieth of the run's
steps are enough for."""
SPLIT = "uniform"
SEED = 3_000_000
"""Of the episodes, folded into each seed's key, away from those of training and evaluation."""


class Ranked(NamedTuple):
  """Success of an agent by rank, or its score; NaN where there was no episode.

  Attributes:
    what: "success" or "score".
    shares: by what is ranked, [S, number of ranks].
    random: the same of random play, [number of ranks].
    pairs: where two things are ranked, [ranks of the first, of the second], over all seeds.
  """

  what: str
  shares: dict[str, np.ndarray]
  random: dict[str, np.ndarray]
  pairs: np.ndarray | None

  def to_json(self) -> dict[str, Any]:
    """For ranks.json and finals.jsonl."""
    return {
      name: {self.what: _listed(self.shares[name]), "random": _listed(self.random[name])}
      for name in self.shares
    }


def affordable(env: Environment, steps: int) -> int:
  """How many episodes of each seed a measure of what they are about plays, after so many steps."""
  if not env.costly_step:
    return EPISODES
  least, most = COSTLY_EPISODES
  return min(max(steps // (20 * env.max_episode_steps), least), most)


def measure(experiment: Experiment, variables: Any, episodes: int | None = None) -> Ranked | None:
  """Plays so many episodes of each seed; None where an environment has no ranks, or of a sweep."""
  env, config = experiment.env, experiment.config
  if not isinstance(env, Environment) or config.sweep:
    return None
  split = env.splits().get(SPLIT)
  if split is None or not isinstance(split, HasRanks):
    return None
  succeeds = math.isfinite(split.success_return)
  if not (succeeds or isinstance(split, HasReferences)):
    return None
  if episodes is None:
    episodes = affordable(env, config.steps)
  sizes = split.rank_names()
  policy = AgentPolicy(experiment.agent)
  drawn = keys.stream(config.keys(), keys.EVALUATION, SEED)

  def act(variables: Any, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _play(split, policy, episodes, experiment.agent.on_task(variables), key)

  ranks, success = jax.device_get(jax.jit(jax.vmap(act))(variables, drawn))
  play = jax.jit(functools.partial(_play, split, RandomPolicy(split.action_spec()), episodes, ()))
  by_chance = jax.device_get(play(drawn[0]))
  shares, random = {}, {}
  for axis, (name, size) in enumerate(sizes.items()):
    shares[name] = np.stack(
      [_means(r[:, axis], s, size) for r, s in zip(ranks, success, strict=True)]
    )
    random[name] = _means(by_chance[0][:, axis], by_chance[1], size)
  pairs = None
  if len(sizes) == 2:
    first, second = sizes.values()
    flat = (ranks[..., 0] * second + ranks[..., 1]).ravel()
    pairs = _means(flat, success.ravel(), first * second).reshape(first, second)
  return Ranked("success" if succeeds else "score", shares, random, pairs)


def _play(
  env: Any, policy: ActingPolicy, batch: int, variables: Any, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Ranks [B, R] and success or score [B] of B episodes."""
  states, _ = rollout.first(env, batch, key)
  scores, ranks = (
    rollout.episodes(env, policy, variables, batch, key)[0],
    jax.vmap(env.ranks)(states),
  )
  if scores.success is not None:
    return ranks, scores.success
  low, high = jnp.asarray(env.references(), jnp.float32)[ranks[:, 0]].T
  return ranks, (scores.episode_return - low) / (high - low)


def _means(index: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
  """The mean of `values` at each index below `size`; NaN where there is none."""
  count = np.bincount(index, minlength=size)
  total = np.bincount(index, weights=values.astype(np.float64), minlength=size)
  return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _listed(values: np.ndarray) -> list[Any]:
  if values.ndim > 1:
    return [_listed(row) for row in values]
  return [None if np.isnan(x) else round(float(x), 4) for x in values]


def write(path: Path, ranked: Ranked, title: str) -> None:
  """Draws a PNG at `path`: success against each rank, and the success of each pair of ranks."""
  panels = len(ranked.shares) + (ranked.pairs is not None)
  figure = Figure(figsize=(4.2 * panels, 3.6), facecolor="white", layout="constrained")
  figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", parse_math=False)
  axes = np.atleast_1d(figure.subplots(1, panels))
  for panel, name in zip(axes, ranked.shares, strict=False):
    _draw_shares(panel, name, ranked)
  if ranked.pairs is not None:
    first, second = ranked.shares
    image = axes[-1].imshow(ranked.pairs, vmin=0.0, vmax=1.0, cmap="viridis", origin="upper")
    axes[-1].set(xlabel=f"rank of the {second}", ylabel=f"rank of the {first}")
    axes[-1].set_xticks(range(0, ranked.pairs.shape[1], 5), range(1, ranked.pairs.shape[1] + 1, 5))
    axes[-1].set_yticks(range(0, ranked.pairs.shape[0], 5), range(1, ranked.pairs.shape[0] + 1, 5))
    figure.colorbar(image, ax=axes[-1], shrink=0.85, format=PercentFormatter(1.0, decimals=0))
  write_figure(path, figure)


def _draw_shares(axes: Axes, name: str, ranked: Ranked) -> None:
  shares, random = ranked.shares[name], ranked.random[name]
  rank = np.arange(1, shares.shape[1] + 1)
  if len(shares) > 1:
    axes.plot(rank, shares.T, color=COLOURS[0], linewidth=0.6, alpha=0.45)
  known = ~np.isnan(shares)
  count = known.sum(axis=0)
  total = np.where(known, shares, 0.0).sum(axis=0)
  mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
  axes.plot(rank, mean, color=COLOURS[0], linewidth=2.2, marker="o", markersize=4, label="agent")
  axes.plot(rank, random, color=GREY, linewidth=1.1, linestyle=(0, (5, 3)), label="random play")
  style_rank_axes(axes, name, ranked.what)
  if ranked.what == "score":  # below random play it is negative, above good play more than 1
    low, high = np.nanmin([*mean, *random, 0.0]), np.nanmax([*mean, *random, 1.0])
    axes.set_ylim(max(low, -1.0) - 0.05, min(high, 2.0) + 0.05)


def style_rank_axes(axes: Axes, name: str, label: str) -> None:
  """Axes of a share in [0, 1], called `label`, by ranks of `name`; what is drawn has a legend."""
  axes.set(xlabel=f"rank of the {name}, the commonest first", ylim=(-0.02, 1.03))
  axes.set_ylabel(label, fontsize=9)
  axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
  axes.xaxis.set_major_locator(MaxNLocator(integer=True))
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis="y", color=LIGHT, linewidth=0.4)
  axes.legend(frameon=False, fontsize=8.5)
