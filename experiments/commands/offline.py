"""`rarebird offline`: from a dataset to a policy that reaches goals, in stages that resume.

config.json       what was asked for, and of which dataset
encoder.npz  reachability.npz  retrieval.npz  memory.npz  graph.npz   what finished stages left
metrics.jsonl  tensorboard/  checkpoints/              of the policy
results.json      what was measured, of every stage
map.png           visits, nodes, graph, rewards, success;  episode.gif, the way to a goal
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from agents import fresh
from agents.agent import Agent
from envs.goals.goal_environment import GoalEnvironment
from experiments.commands import terminal
from experiments.commands.terminal import Bar, number
from experiments.datasets.dataset import Dataset
from experiments.evaluation import clips
from experiments.evaluation.pictures import draw
from experiments.offline import pictures, policy, retrieving, scores, stage_files
from experiments.offline.discovery import Discovery, Tick
from experiments.offline.filling import Filler
from experiments.offline.stage_files import Result
from experiments.runs import run_folder
from experiments.runs.files import write_json
from experiments.runs.interrupted import Interrupted
from experiments.runs.run_folder import Folder
from experiments.settings import flags, reader, stored
from experiments.settings import offline as offline_config
from experiments.settings.errors import UserError
from experiments.settings.offline import RESUMABLE, OfflineConfig

DESCRIPTION_WIDTH = 46
"""Columns of a bar's words, so that a bar with its share and time left fits into 80."""


class Stopped(Exception):
  """The run is to end, as it was asked to."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  algorithm = flags.value_of(arguments, "algorithm", "fresh")
  config = reader.read("offline", arguments, OfflineConfig.of(algorithm), about)
  return functools.partial(run, config, terminal.console())


def run(config: OfflineConfig, console: Console) -> int:
  """Runs what is not done yet; returns the exit status, 130 if it was interrupted."""
  offline_config.check(config)
  dataset = Dataset(config.dataset)
  env = offline_config.build_environment(config, dataset)
  try:
    learner = fresh.build(config.agent, env)
    discovery = Discovery(config.agent, dataset, config.seed)
  except (TypeError, ValueError) as error:
    raise UserError(str(error)) from error
  path, asked = config.folder(), offline_config.to_json(config, dataset)
  folder = Folder(
    path,
    asked,
    lambda: offline_config.differences(run_folder.read_asked(path, "offline run"), asked, path),
    kind="offline run",
  )
  console.print(
    f"{config.agent.algorithm} on {dataset.steps:,} steps of {config.dataset} -> {path}"
    + (", resumed" if folder.resumes else ""),
    markup=False,
    soft_wrap=True,
  )
  interrupted = Interrupted(folder)
  stages = Stages(path, console, interrupted.requested)
  try:
    with interrupted.listening():
      _run(config, env, learner, discovery, stages, asked)
  except Stopped:
    console.print(f"stopped in {path}; the same command resumes.", markup=False, soft_wrap=True)
    return 130
  finally:
    folder.close()
  return 0


def _run(
  config: OfflineConfig, env: Any, learner: Any, discovery: Discovery, stages: Stages, asked: str
) -> None:
  own, nodes, graph, latents = config.agent, None, None, None
  if own.reads_reachability:
    if own.encoder.encoder != "none":
      latents = stages.run("encoder", discovery.train_encoder)
    reachability = stages.run(
      "reachability", lambda tick: discovery.train_reachability(latents, tick)
    )
    discovery.use(latents, reachability)
    if own.retrieval_training.retrieval_updates:
      stages.run("retrieval", lambda tick: retrieving.train(discovery, env, tick))
  if own.algorithm == "fresh":
    nodes = stages.run("memory", discovery.build_memory)
    if len(nodes.arrays["rows"]) < 2:
      raise UserError(
        f"{config.dataset}: the memory has a single node, as reachability takes all observations"
        " for near each other; give a smaller --reach-window or more --reach-updates."
      )
    graph = stages.run("graph", lambda tick: discovery.build_graph(nodes, env, tick))
  filler = Filler(discovery, learner, nodes, graph)
  fingerprint = {
    name: value
    for name, value in stored.flatten(json.loads(asked)).items()
    if name not in RESUMABLE
  }
  with stages.showing("policy") as tick:
    state, report = policy.train(learner, filler, stages.path, fingerprint, tick)
  stages.reports["policy"] = report
  if report["goals_unreachable"]:
    stages.console.print(
      f"{report['goals_unreachable']:,} of {report['goals_drawn']:,} goals drawn could not be"
      " reached in the graph and were left out.",
      style="yellow",
    )
  with stages.showing("evaluation") as tick:
    tick(0.0, f"{config.eval_episodes:,} episodes of each split")
    scored = scores.evaluate(env, learner.agent, state, config.eval_episodes, config.seed)
    tick(1.0, f"{config.eval_episodes:,} episodes of each split")
  results = {"evaluation": scored, "stages": stages.reports, "seconds": stages.seconds}
  stages.write_json("results.json", results)
  # The tables before the pictures, which may fail and take a while.
  for table in tables(results, str(stages.path)):
    stages.console.print(table)

  def map_(to: Path) -> None:
    pictures.write(to, env, discovery, nodes, graph, scored["bands"])

  def clip(to: Path) -> None:
    variables = jax.tree.map(lambda x: x[None], learner.agent.variables(state))
    clips.write_episode(to, Shown(env, learner.agent), variables)

  with stages.console.status("drawing"):
    draw(stages.console, "map", stages.path / "map.png", map_)
    draw(stages.console, "clip", stages.path / "episode.gif", clip)


class Shown(NamedTuple):
  """What the clip shows."""

  env: GoalEnvironment
  agent: Agent


class Stages:
  """Runs stages with a progress bar each, keeps what they leave, and skips what is done.

  Attributes:
    path: the run folder.
    reports: of each stage, by its name.
    seconds: that each took in this process.
  """

  def __init__(self, path: Path, console: Console, stopping: Callable[[], bool]):
    self.path, self.console, self._stopping = path, console, stopping
    self.reports: dict[str, Any] = {}
    self.seconds: dict[str, float] = {}

  def run(self, name: str, stage: Callable[[Tick], Result]) -> Result:
    """The result of a stage, read or made."""
    file = self.path / f"{name}.npz"
    result = stage_files.load(file)
    if result is None:
      with self.showing(name) as tick:
        result = stage(tick)
      stage_files.save(file, result)
    self.reports[name] = result.report
    return result

  @contextmanager
  def showing(self, name: str) -> Iterator[Tick]:
    """A progress bar for as long as a stage runs; its `Tick` raises `Stopped` if that is asked."""
    columns = (
      TextColumn("{task.description}", markup=False),
      BarColumn(bar_width=None),
      TextColumn("{task.percentage:>3.0f}% left"),
      TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Bar(*columns, console=self.console) as progress:
      task = progress.add_task(name, total=1.0)

      def tick(share: float, words: str) -> None:
        text = f"{name}: {words}"[:DESCRIPTION_WIDTH]
        progress.update(task, completed=min(share, 1.0), description=text)
        if self._stopping():
          raise Stopped

      yield tick
    self.seconds[name] = time.monotonic() - began

  def write_json(self, name: str, data: Any) -> None:
    """Writes a JSON file at once or not at all."""
    write_json(self.path / name, data)


def tables(results: dict[str, Any], title: str) -> list[Table]:
  """What a person sees at the end: what the stages found, and success; 80 columns."""
  reports, out = results["stages"], Table(title=title, show_header=False)
  if found := reports.get("reachability"):
    out.add_row(
      "reachability",
      f"{found['pairs']:,} pairs; held out: accuracy {found['accuracy']:.1%}, calibration error"
      f" {found['ece_before']:.3f}, {found['ece']:.3f} at temperature {found['temperature']:.2f}",
    )
  if found := reports.get("retrieval"):
    out.add_row(
      "retrieval",
      f"recall@10 of true neighbours {found['recall']:.2f}; by reachability"
      f" {found['reachability']:.2f}, untrained {found['untrained']:.2f}, chance"
      f" {found['chance']:.3f}",
    )
  if found := reports.get("graph"):
    out.add_row(
      "graph",
      f"{found['nodes']:,} nodes, {found['edges']:,} edges, {found['components']:,} components"
      f" joined by {found['joined']:,} edges",
    )
    agree = found["distance"]
    out.add_row(
      "against the truth",
      f"distances correlate by {number(agree['pearson'], '{:.3f}')}"
      f" (ranks {number(agree['spearman'], '{:.3f}')});"
      f" {found['teleports']:,} teleport edges, {found['joined_teleports']:,} of them joined",
    )
  done = reports["policy"]
  out.add_row(
    "policy",
    f"{done['updates']:,} updates; {done['goals_unreachable']:,} of {done['goals_drawn']:,} goals"
    " drawn could not be reached",
  )
  spent = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in results["seconds"].items())
  out.add_row("time", spent)
  return [out, scores.table(results["evaluation"], "goals reached")]
