"""`rarebird probe`: what a run's representation holds of the state, of the common and the rare."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from envs.capabilities import HasPlaces, HasRanks
from envs.environment import Environment
from experiments.commands import terminal
from experiments.evaluation import pictures, probe_data
from experiments.evaluation.pictures import COLOURS, GREY, write_figure
from experiments.evaluation.probe_data import AGENT, FRESH, PARALLEL, Row
from experiments.evaluation.probes import TASKS
from experiments.evaluation.ranks import style_rank_axes
from experiments.runs import experiment as train
from experiments.runs.experiment import Experiment
from experiments.runs.files import finite, write_atomically
from experiments.settings import flags, reader
from experiments.settings.errors import UserError

PROBE_SEED = 4_000_000
"""Of the episodes, away from those of training and evaluation."""
FRESH_SEED = PROBE_SEED + 1
"""Of the untrained agent."""
ROWS, PICTURE = "probes.jsonl", "probes.png"


@dataclasses.dataclass(frozen=True)
class ProbeConfig:
  """Probe the representation of a run's first seed."""

  run: Path = flags.positional()
  """The run folder."""
  policy: Literal["agent", "random"] = "agent"
  """Who plays the episodes: the agent, or chance."""
  episodes: int = 512
  """Episodes; of two thirds a probe learns, on the others it is tested."""
  way: int = 5
  """Classes of a few-shot task."""
  shots: int = 5
  """Episodes of each class in a few-shot task."""
  seed: int = PROBE_SEED
  """Seed of the episodes and of their split, away from training's by default."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("probe", arguments, ProbeConfig(flags.REQUIRED), about)
  return functools.partial(run, config, terminal.console())


def run(config: ProbeConfig, console: Console) -> int:
  """Probes the newest checkpoint; adds rows to probes.jsonl and draws probes.png anew."""
  for name, least in (("episodes", PARALLEL), ("way", 2), ("shots", 1)):
    if getattr(config, name) < least:
      raise UserError(f"--{name} is {getattr(config, name)}; give at least {least}.")
  if not 0 <= config.seed < 2**32:
    raise UserError(f"--seed is {config.seed}; give one from 0 to {2**32 - 1}.")
  experiment, state = train.load(config.run)
  env, split = _probed(experiment, config.run)
  learner = experiment.loop.learner_state(state)
  agent = experiment.agent
  play = probe_data.player(env, agent, config.episodes, config.policy == "random")
  with console.status("playing and probing"):
    fresh = agent.init(jax.random.key(FRESH_SEED))
    played = jax.device_get(play(learner, fresh, jax.random.key(config.seed)))
    accuracies, geometries = probe_data.measure(env, played, config.seed, config.way, config.shots)
  if not accuracies:
    raise UserError(
      f"{config.run}: no two classes lie in {probe_data.LEAST_EPISODES} episodes each; give more"
      " --episodes, or --policy random."
    )
  step = experiment.steps(experiment.loop.updates(state))
  facts = {
    "step": step,
    "split": split,
    "policy": config.policy,
    "episodes": len(played.follows),
    "way": config.way,
    "shots": config.shots,
    "seed": config.seed,
  }
  append(config.run / ROWS, [facts | row for row in (*accuracies, *geometries)])
  console.print(accuracy_table(accuracies, config, f"{config.run} at {step:,} steps"))
  console.print(geometry_table(geometries))
  pictures.draw(
    console, "probes", config.run / PICTURE, lambda path: write(path, accuracies, str(config.run))
  )
  return 0


def _probed(experiment: Experiment, path: Path) -> tuple[Environment, str]:
  """The split that is played, and its name; UserError where there is nothing to probe."""
  env, agent = experiment.env, experiment.agent
  told = isinstance(env, Environment) and isinstance(env, HasRanks | HasPlaces)
  if not isinstance(env, Environment) or not told:
    raise UserError(
      f"{path}: {experiment.config.env} tells neither ranks nor places, so there is nothing to"
      " probe; train in a world that does, such as zipf/gridworld or maze/nine_rooms."
    )
  if agent.encode is None and (agent.probe is None or agent.probe.beliefs is None):
    raise UserError(
      f"{path}: agent {experiment.config.agent_name} has neither latents nor beliefs to probe."
    )
  split = probe_data.probed_split(env)
  return env.splits()[split], split


def append(path: Path, rows: list[Row]) -> None:
  """Adds JSON lines to a file, all of them or none."""
  old = path.read_bytes() if path.exists() else b""
  if old and not old.endswith(b"\n"):
    old += b"\n"
  lines = "".join(json.dumps(finite(row), allow_nan=False) + "\n" for row in rows)
  write_atomically(path, old + lines.encode())


def accuracy_table(rows: list[Row], config: ProbeConfig, title: str) -> Table:
  """Accuracies, the agent's beside the untrained one's."""
  caption = (
    f"balanced accuracy on other episodes; linear probe of all classes, of the common and of the"
    f" rare; {config.way}-way {config.shots}-shot, ± 95% of {TASKS} tasks; nearest: share of the"
    " same class"
  )
  out = Table(title=title, caption=caption, box=None, padding=(0, 1))
  for column in ("of", "read from", "encoder"):
    out.add_column(column, no_wrap=True)
  for column in ("chance", "all", "common", "rare", "few-shot", "nearest"):
    out.add_column(column, justify="right", no_wrap=True)
  for row in sorted(rows, key=lambda row: (row["label"], row["features"] != probe_data.LATENTS)):
    few = row["few_shot"]
    numbers = [terminal.number(row[name], "{:.0%}") for name in ("chance", "all", "common", "rare")]
    shown = "-" if few is None else f"{few[0]:.0%} ±{50 * (few[2] - few[1]):.0f}"
    nearest = terminal.number(row["retrieval"], "{:.0%}")
    out.add_row(row["label"], row["features"], row["encoder"], *numbers, shown, nearest)
  return out


def geometry_table(rows: list[Row]) -> Table:
  """How each representation fills its space."""
  out = Table(box=None, padding=(0, 1), caption="of normalised features; uniformity is at least -4")
  for column in ("read from", "encoder"):
    out.add_column(column, no_wrap=True)
  for column in ("effective rank", "cosine", "alignment", "uniformity", "collapsed"):
    out.add_column(column, justify="right", no_wrap=True)
  for row in rows:
    forms = {"effective_rank": "{:.1f}", "cosine": "{:.2f}", "alignment": "{:.2f}"}
    forms["uniformity"] = "{:.2f}"
    numbers = [terminal.number(row[name], form) for name, form in forms.items()]
    verdict = "yes" if row["collapsed"] else "no"
    out.add_row(row["features"], row["encoder"], *numbers, verdict)
  return out


def write(path: Path, rows: list[Row], title: str) -> None:
  """Draws a PNG: the linear probe's accuracy by rank, a panel for each label."""
  names = list(dict.fromkeys(row["label"] for row in rows))
  kinds = list(dict.fromkeys(row["features"] for row in rows))
  figure = Figure(figsize=(4.2 * len(names), 3.6), facecolor="white", layout="constrained")
  figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", parse_math=False)
  for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
    for row in (row for row in rows if row["label"] == name):
      values = np.array(row["by_rank"], np.float64)
      colour = COLOURS[kinds.index(row["features"])]
      fresh = row["encoder"] == FRESH
      axes.plot(
        np.arange(1, len(values) + 1),
        values,
        color=colour,
        linewidth=1.1 if fresh else 2.2,
        linestyle=(0, (5, 3)) if fresh else "-",
        marker=None if fresh else "o",
        markersize=4,
        label=row["features"] + (", untrained" if fresh else ""),
      )
    chance = next(row["chance"] for row in rows if row["label"] == name and AGENT in row.values())
    axes.axhline(chance, color=GREY, linewidth=0.9, linestyle=":", label="chance")
    style_rank_axes(axes, name, "accuracy of the linear probe")
  write_figure(path, figure)
