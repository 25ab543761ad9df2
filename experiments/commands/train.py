"""`rarebird train`: the run loop with its progress bar, logs, pictures and final table."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from agents import observation_normaliser
from envs.errors import RAISED, Failure
from envs.host import seeding
from envs.host.environment import HostEnvironment
from experiments.commands import terminal
from experiments.commands.terminal import Bar
from experiments.evaluation import clips, collapse, links, maze_pictures, pictures, ranks
from experiments.evaluation import scores as evaluation
from experiments.runs import experiment as train
from experiments.runs import run_folder, transfer
from experiments.runs.interrupted import Interrupted
from experiments.runs.logs import Logs
from experiments.runs.rows import Row
from experiments.runs.run_folder import RunFolder
from experiments.runs.transfer import Source
from experiments.runtimes.from_dataset import DatasetLoop
from experiments.settings import flags, reader, recipes, sweeps
from experiments.settings.cluster import ClusterConfig
from experiments.settings.errors import failing, reported
from experiments.settings.train import DEFAULT_AGENT, TrainConfig, spread

FINAL_EPISODES = 1000
"""Episodes of each split in the table that ends a run, for each seed."""
FINAL_SLOW_EPISODES = 64
"""The same on the host and of dear worlds, unless --eval-episodes says otherwise."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  arguments = recipes.expanded(arguments, DEFAULT_AGENT)
  agent = flags.value_of(arguments, "agent", DEFAULT_AGENT)
  config = reader.read("train", arguments, TrainConfig.of(agent), about)
  return functools.partial(run, config, terminal.console())


def run(config: TrainConfig, console: Console, cluster: ClusterConfig | None = None) -> int:
  """Trains or resumes, and returns the exit status: 0, or 130 if it was interrupted."""
  if config.runtime == "cluster":
    cluster = cluster or ClusterConfig()
    jax.config.update("jax_platforms", "cpu")  # the accelerators are the learner node's
    # Ray's processes are started by fork and exec at once, which is safe.
    warnings.filterwarnings("ignore", message="os.fork", category=RuntimeWarning)
  spread(len(config.lanes()))
  experiment = train.build(config, cluster)
  if isinstance(experiment.loop, DatasetLoop):
    experiment.loop.prepare()  # before a file is touched
  source = transfer.read(experiment)
  folder = RunFolder(config)
  try:
    with reported(folder.path), failing("learner"):
      return _run(experiment, folder, console, source)
  finally:
    folder.close()


def _run(
  experiment: train.Experiment, folder: RunFolder, console: Console, source: Source | None
) -> int:
  config, path = experiment.config, folder.path
  train.keep_teacher(config)
  refs = run_folder.read_json(path, "references.json")
  if refs is None:
    with console.status("measuring random and optimal play"):
      refs = evaluation.references(experiment.env)
    folder.write_json("references.json", refs)

  saved = train.checkpoints(experiment, path, create=True)
  resumed = saved.latest() is not None
  state = train.restore(experiment, saved)
  done = experiment.loop.updates(state)
  if source is not None:
    state = transfer.begin(experiment, state, source)
    saved.save(done, state)  # so that the other run is not needed any more
  normalised = observation_normaliser.applies(config.agent.normalise_observations, experiment.env)
  reads = "observations normalised, " if normalised else ""
  console.print(
    f"{config.env} {' '.join(config.env_args)} bonus {config.agent.bonus.name}, {reads}seeds"
    f" {config.seed} to {config.seed + config.seeds - 1}, {_swept(config)}"
    f" {experiment.steps(experiment.updates):,} steps each -> {path}"
    + (f", resumed at step {experiment.steps(done):,}" if resumed else ""),
    markup=False,
  )
  if source is not None:
    console.print(source.about, markup=False)
  for note in _notes(experiment):
    console.print(f"note: {note}", markup=False)
  interrupted = Interrupted(folder)
  logs = Logs(path, config.log, lambda line: console.print(line, style="yellow", markup=False))
  collapsed, full, scores = False, False, dict[str, float]()
  # `byol` is there without being named where the bonus needs it.
  trained = tuple(dict.fromkeys(("byol", *(own.name for own in config.agent.auxiliary))))
  with interrupted.listening(), _progress(console) as progress:
    task = progress.add_task("compiling", total=experiment.updates, completed=done)
    stopping = interrupted.requested
    for step in train.advance(experiment, state, saved, logs, stopping, experiment.updates):
      done, rows = step.updates, step.rows
      said = {}
      if rows:
        scores |= _split_scores(rows)
        said["description"] = _describe(rows, scores)
        if (now := collapse.warning(rows, trained)) and not collapsed:
          logs.warn(f"step {rows[0]['step']:,.0f}: {now}")
          progress.console.print(now, style="yellow")
        collapsed = bool(now)
        if (now := _full(rows)) and not full:
          logs.warn(f"step {rows[0]['step']:,.0f}: {now}")
          progress.console.print(now, style="yellow")
        full = full or bool(now)
      progress.update(task, completed=done, **said)
      state = step.state
  logs.close()
  saved.close()
  if done < experiment.updates:
    console.print(f"stopped and saved in {path}; the same command resumes.")
    return 130
  _finish(experiment, state, folder, refs, console)
  return 0


def _swept(config: TrainConfig) -> str:
  """What is tried side by side, for the line that begins a run."""
  names = dict.fromkeys(lane.name for lane in config.lanes())
  return f"each with {' '.join(names)}, " if config.sweep else ""


def _finish(
  experiment: train.Experiment, state: Any, folder: RunFolder, refs: Any, console: Console
) -> None:
  """Final scores, pictures and the table."""
  path = folder.path
  variables = experiment.loop.variables(state)
  with console.status("evaluating"):
    env = experiment.env
    slow = isinstance(env, HostEnvironment) or env.costly_reset or env.costly_step
    episodes = experiment.config.eval_episodes if slow else FINAL_EPISODES
    with failing("evaluation"):
      scores = evaluation.evaluate(experiment, variables, episodes or FINAL_SLOW_EPISODES)
    folder.write_json("results.json", scores)
  # The table before the pictures, which may fail and take a while.
  step = experiment.steps(experiment.loop.updates(state))
  console.print(evaluation.tables(experiment.config, scores, refs, f"{path} at {step:,} steps"))
  with console.status("measuring how far it came"), failing("the links of chains"):
    reached = links.measure(experiment, variables)
  if reached is not None:
    folder.write_json("links.json", reached)
    console.print("links reached, and by random play:", *links.lines(reached), sep="\n  ")
  with console.status("drawing"):
    title = f"{experiment.config.env}, bonus {experiment.config.agent.bonus.name}"

    def curves(to: Path) -> None:
      swept = tuple(sweeps.parse(experiment.config.sweep))
      pictures.write_curves(to, run_folder.read_rows(path), refs, title, swept)

    def by_rank(to: Path) -> bool:
      ranked = ranks.measure(experiment, variables)
      if ranked is None:
        return False
      folder.write_json("ranks.json", ranked.to_json())
      ranks.write(to, ranked, f"{title}: {ranked.what} by rank")
      return True

    def memory(to: Path) -> bool:
      learner_state = experiment.loop.learner_state(state)
      return maze_pictures.write_memory(to, env, experiment.agent, learner_state)

    def clip(to: Path) -> None:
      clips.write_episode(to, experiment, variables)

    pictures.draw(console, "curves", path / "curves.png", curves)
    pictures.draw(console, "success by rank", path / "ranks.png", by_rank)
    pictures.draw(console, "goal memory", path / "goals.png", memory)
    pictures.draw(console, "clip", path / "episode.gif", clip)


def _notes(experiment: train.Experiment) -> list[str]:
  """What a person should know of an environment on the host: a line each."""
  env, name = experiment.env, experiment.config.env
  if not isinstance(env, HostEnvironment):
    return []
  notes = list(env.notes)
  # The families that come with Rarebird, which have no colon, seed their copies.
  if ":" in name:
    try:
      if seeding.begin_alike(env):
        notes.append(
          f"copies of {name} begin with the same observations, whatever their seed; unless that is"
          " meant, let its reset(seed=...) seed it."
        )
    except RAISED as error:  # the run meets it too, and tells all of it
      notes.append(f"whether copies of {name} begin alike is not known ({Failure.of(error)}).")
  return notes


def _progress(console: Console) -> Bar:
  return Bar(
    TextColumn("{task.description}"),
    BarColumn(bar_width=None),
    TextColumn("{task.percentage:>3.0f}%"),
    TextColumn("left"),
    TimeRemainingColumn(),
    console=console,
  )


def _split_scores(rows: list[Row]) -> dict[str, float]:
  """Success of each split that these rows hold, mean over the seeds."""
  found: dict[str, list[float]] = {}
  for row in rows:
    for name in row:
      if name.startswith("eval/") and name.endswith("/success"):
        found.setdefault(name.split("/")[1], []).append(row[name])
  return {split: sum(values) / len(values) for split, values in found.items()}


def _describe(rows: list[Row], scores: dict[str, float]) -> str:
  """Rate, episodes and their success, success on each split; 80 columns with the bar.

  The mean return in place of success where nothing tells that.
  """
  rate = rows[0]["steps_per_second"]
  parts = [f"{rate / 1000:.1f}k steps/s" if rate >= 1000 else f"{rate:.0f} steps/s"]
  successes = bool(scores) or any("episode/success" in row for row in rows)
  name = "episode/success" if successes else "episode/return"
  ended = [row[name] for row in rows if name in row]
  if ended:
    episodes, mean = sum(row["episode/count"] for row in rows), sum(ended) / len(ended)
    parts.append(f"{episodes:,.0f} ep. " + (f"{mean:.0%}" if successes else f"return {mean:.1f}"))
  return " ".join(parts + [f"{split} {score:.0%}" for split, score in scores.items()])


def _full(rows: list[Row]) -> str:
  """What is done where an archive of states has no room left, else nothing."""
  for row in rows:
    if row.get("archive_full"):
      return (
        f"the archive of seed {row['seed']:.0f} is full, {row['archive_cells']:,.0f} cells: new"
        " ones take the places of the most visited; --archive-capacity gives more."
      )
  return ""
