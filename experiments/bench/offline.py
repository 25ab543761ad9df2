"""`rarebird bench --runtime offline`: the stages of `rarebird offline`, on random walks.

Rates are medians over calls of the compiled programs, read from a stage's own reports of progress,
so compilation stays apart. A graph is timed whole, its compilation included, over memories made to
hold so many nodes by taking every observation for new.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agents import fresh
from agents.fresh import FreshConfig
from agents.offline.graph import MOST_NODES
from envs.goals.goal_environment import GoalEnvironment
from experiments.datasets import collect
from experiments.datasets.collect import CollectConfig
from experiments.datasets.dataset import Dataset
from experiments.datasets.writer import Writer
from experiments.offline import policy
from experiments.offline.discovery import UPDATES, Discovery
from experiments.offline.filling import Filler
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, build_environment

EPISODES = 2000
"""Random walks in the dataset."""
FILLINGS = 3
"""Of the policy's buffer."""


class Clock:
  """A stage's `Tick` that keeps when it was told what.

  Attributes:
    told: (seconds, share that was done, words), in their order.
  """

  def __init__(self) -> None:
    self.told: list[tuple[float, float, str]] = []

  def __call__(self, share: float, words: str) -> None:
    self.told.append((time.perf_counter(), share, words))

  def rate(self, words: str) -> float:
    """Of the stage, what a second of calls with such words does: their median, less the first."""
    pairs = zip(self.told, self.told[1:], strict=False)
    rates = [
      (share - done) / (now - then)
      for (then, done, was), (now, share, told) in pairs
      if words in was and words in told
    ]
    return statistics.median(rates[1:])


def measure(config: TrainConfig, graph_nodes: tuple[int, ...], rounds: int) -> dict[str, Any]:
  """The stages of `fresh` at its defaults.

  Args:
    config: names the environment; the rest is not read.
    graph_nodes: of each graph.
    rounds: calls of 50 updates of the reachability network that are timed.

  Raises:
    UserError: for an environment without goals, or graphs of no size.
  """
  if wrong := [n for n in graph_nodes if not 2 <= n <= MOST_NODES]:
    raise UserError(f"--graph-nodes has {wrong[0]}; give 2 to {MOST_NODES}.")
  env = build_environment(config)
  if not isinstance(env, GoalEnvironment):
    raise UserError(
      f"{config.env!r} has no goals written in JAX; give an --env such as goals/u_maze."
    )
  agent = FreshConfig()
  agent = dataclasses.replace(
    agent,
    training=dataclasses.replace(agent.training, reach_updates=UPDATES * (rounds + 2)),
    buffer=dataclasses.replace(agent.buffer, updates=FILLINGS * agent.buffer.fill_updates),
  )
  with tempfile.TemporaryDirectory() as folder:
    source = collect.source(
      CollectConfig(str(Path(folder) / "data"), config.env, config.env_args, episodes=EPISODES)
    )
    with Writer(Path(folder) / "data", source.description) as writer:
      for episodes, lengths in source.blocks:
        writer.add(episodes, lengths)
    dataset = Dataset(Path(folder) / "data")
    discovery, clock = Discovery(agent, dataset, 0), Clock()
    reachability = discovery.train_reachability(None, clock)
    pairs = clock.rate("loss") * agent.training.reach_updates * agent.training.reach_batch
    graphs = []
    for size in graph_nodes:
      seconds, built = _graph(agent, dataset, reachability, size, env)
      graphs.append({"nodes": built.report["nodes"], "edges": built.report["edges"]} | seconds)
    discovery.use(None, reachability)
    nodes = discovery.build_memory(Clock())
    graph = discovery.build_graph(nodes, env, Clock())
    clock = Clock()
    filler = Filler(discovery, fresh.build(agent, env), nodes, graph)
    policy.train(filler.learner, filler, Path(folder), {}, clock)
  return {
    "dataset": {"episodes": len(dataset), "steps": dataset.steps},
    "reachability_pairs_per_second": pairs,
    "graphs": graphs,
    "policy": _policy_rates(clock, agent),
  }


def _graph(
  agent: FreshConfig, dataset: Dataset, reachability: Any, nodes: int, env: GoalEnvironment
) -> tuple[dict[str, float], Any]:
  """Seconds of memory and graph with so many nodes, and the graph."""
  share = min(1.0, 1.1 * nodes / (dataset.steps + len(dataset)))
  every = dataclasses.replace(
    agent.graph, node_capacity=nodes, node_threshold=np.inf, node_share=share
  )
  discovery = Discovery(dataclasses.replace(agent, graph=every), dataset, 0)
  discovery.use(None, reachability)
  began = time.perf_counter()
  memory = discovery.build_memory(Clock())
  between = time.perf_counter()
  graph = discovery.build_graph(memory, env, Clock())
  ended = time.perf_counter()
  return {"memory_seconds": between - began, "graph_seconds": ended - between}, graph


def _policy_rates(clock: Clock, agent: FreshConfig) -> dict[str, float]:
  """Updates a second, alone and with the fillings of the buffer; the first of these compiles."""
  learning = clock.rate("learning") * agent.buffer.updates
  fills = [(at, share) for at, share, words in clock.told if words.startswith("filling")]
  (begin, done), (end, share) = fills[1], fills[-1]
  whole = (share - done) * agent.buffer.updates / (end - begin)
  return {
    "batch": agent.batch_size,
    "learning_updates_per_second": learning,
    "updates_per_second": whole,
  }


def show(result: dict[str, Any], console: Console) -> None:
  """Prints what `measure` returned."""
  own, out = result["policy"], Table(caption="medians; compilation apart, but for the graphs")
  out.add_column("what")
  out.add_column("", justify="right")
  data = result["dataset"]
  out.add_row("dataset", f"{data['episodes']:,} episodes, {data['steps']:,} steps")
  out.add_row("reachability", f"{result['reachability_pairs_per_second']:,.0f} pairs/s")
  for graph in result["graphs"]:
    out.add_row(
      f"graph of {graph['nodes']:,} nodes, {graph['edges']:,} edges",
      f"memory {graph['memory_seconds']:.1f} s, graph {graph['graph_seconds']:.1f} s",
    )
  out.add_row(
    f"policy, {own['batch']} transitions an update",
    f"{own['learning_updates_per_second']:,.0f} updates/s",
  )
  out.add_row("  with the buffer's fillings", f"{own['updates_per_second']:,.0f} updates/s")
  console.print(out)
