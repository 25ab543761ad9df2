"""The cluster runtime: the driver of a run whose nodes are Ray actors.

The driver starts the nodes, collects rows and scores, and replaces what dies. Only it writes to the
run folder, but for the replay server's checkpoints.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.agent import Agent
from envs.environment import Environment
from envs.errors import Failure
from envs.host.environment import HostEnvironment
from experiments.acting.episodes import EpisodeTotals
from experiments.runs import checkpoint
from experiments.runs.files import write_json
from experiments.runs.rows import Row
from experiments.runtimes import loop
from experiments.runtimes.cluster import nodes, session
from experiments.runtimes.cluster.supervisor import (
  Supervisor,
  Watched,
  driver_node,
  failed,
  require_resources,
)
from experiments.runtimes.interval import Interval
from experiments.runtimes.learner import Learner, LearnerCarry
from experiments.runtimes.loop import Progress
from experiments.settings.cluster import ClusterConfig, amounts, options
from experiments.settings.errors import Failed, UserError
from experiments.settings.train import TrainConfig, steps, to_json

POLL_SECONDS = 0.25
"""Between two rounds of questions to the nodes; one costs about 4 ms a node."""
STATUS_SECONDS = 1.0
"""Between two writes of status.json."""
SAVE_SECONDS = 60.0
"""How long the learner may take to hand its state over."""


class ClusterLoop(loop.Loop):
  """The state is the learner's carry, as in actor_learner."""

  def __init__(
    self,
    config: TrainConfig,
    env: Environment | HostEnvironment,
    agent: Agent,
    cluster: ClusterConfig,
  ):
    """Raises UserError for a config that this runtime cannot carry out."""
    if config.sweep:
      raise UserError("--sweep needs one compiled program: --runtime on_device.")
    if config.seeds != 1:
      raise UserError("--seeds must be 1 in this runtime; give each seed a run of its own.")
    self._config, self.agent, self._cluster = config, agent, cluster
    self._resources = {
      name: amounts(getattr(cluster, f"{name}_resources"), f"--{name}-resources")
      for name in ("learner", "actor", "replay", "evaluator")
    }
    self._learner = Learner(agent, jax.local_devices()[:1])

  def init(self) -> LearnerCarry:
    return self._learner.init(jax.random.key(self._config.seed))

  def updates(self, state: LearnerCarry) -> int:
    return int(state.updates)

  def variables(self, state: LearnerCarry) -> Any:
    return jax.tree.map(lambda x: x[None], self.agent.variables(state.learner))

  def learners(self, state: LearnerCarry) -> Any:
    return jax.tree.map(lambda x: x[None], state.learner)

  def with_learners(self, state: LearnerCarry, learners: Any) -> LearnerCarry:
    one = jax.tree.map(lambda x: x[0], learners)
    return state._replace(learner=loop.placed(one, state.learner))

  def train(self, state: LearnerCarry, stopping: Callable[[], bool]) -> Generator[Progress]:
    if self.updates(state) >= Interval(self._config, self.agent.data).total:
      return
    needed = {name: r for name, r in self._resources.items() if name != "actor"}
    needed |= {f"actor {i}": self._resources["actor"] for i in range(self._config.actors)}
    # A private Ray hands out what is asked for, not what there is: processes share processors.
    cpus = int(np.ceil(sum(r.get("CPU", 0) for r in needed.values())))
    address = self._cluster.address
    with session.start(address, cpus=None) if address else session.start(cpus=cpus):
      require_resources(needed)
      run = _Run(self._config, self._cluster, self._resources, self, state)
      try:
        yield from run.train(stopping)
      finally:
        run.close()


class _Run:
  """One run in a Ray session."""

  def __init__(
    self,
    config: TrainConfig,
    cluster: ClusterConfig,
    resources: dict[str, dict[str, float]],
    owner: ClusterLoop,
    state: LearnerCarry,
  ):
    self._config, self._cluster, self._owner, self._state = config, cluster, owner, state
    self._folder = Path(config.folder()).absolute()
    self._resources = resources
    self._json = to_json(config)
    self._interval = Interval(config, owner.agent.data)
    self._updates = owner.updates(state)
    self._totals = EpisodeTotals()
    self._unrolls: dict[str, int] = {}
    self._address: str | None = None
    self._asked_address: Any = None
    self._rate, self._started, self._status_at = 0.0, time.time(), 0.0
    self._saving: Any = None
    self._scoring: Any = None
    self._to_score: tuple[int, Any] | None = None
    self._scores: dict[str, float] = {}
    self._supervisor = Supervisor(self._event)
    add = self._supervisor.add
    self._replay = add("replay", self._create("replay", str(self._folder / "replay")), self._ask)
    self._learner = add("learner", self._create("learner"), self._begin_learner)
    self._actors = [
      add(f"actor {i}", self._create("actor", i), self._begin_actor) for i in range(config.actors)
    ]
    self._evaluator = add("evaluator", self._create("evaluator"), lambda node: None)

  # Nodes: how each is made and sent to work

  def _create(self, kind: str, *arguments: Any) -> Callable[[], Any]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = self._resources[kind]
    here = kind in ("replay", "learner") and set(asked) <= {"CPU"}
    strategy: Any = "SPREAD" if kind == "actor" else "DEFAULT"
    if here:
      strategy = NodeAffinitySchedulingStrategy(driver_node(), soft=False)
    node = {
      "replay": nodes.ReplayNode,
      "learner": nodes.LearnerNode,
      "actor": nodes.ActorNode,
      "evaluator": nodes.EvaluatorNode,
    }[kind]
    remote: Any = ray.remote(node).options(
      scheduling_strategy=strategy,
      max_concurrency=4,
      runtime_env={"env_vars": _variables(bool(asked.get("GPU")))},
      **options(asked),
    )
    return lambda: remote.remote(self._json, *arguments)

  def _ask(self, node: Watched) -> None:
    """Asks a new replay server for its address; the others are told once it answers."""
    self._asked_address = node.handle.address.remote()

  def _connect(self, address: str) -> None:
    first, self._address = self._address is None, address
    if first:
      self._begin_learner(self._learner)
      for actor in self._actors:
        self._begin_actor(actor)
      return
    self._learner.handle.connect.remote(address)
    for actor in self._actors:
      actor.handle.connect.remote(address, self._learner.handle)

  def _begin_learner(self, node: Watched) -> None:
    if self._address is None:
      return
    leaves = jax.device_get(jax.tree.leaves(checkpoint.to_arrays(self._state)))
    # The count goes on where the lost learner stood: steps that were taken are not taken back.
    # One update at least is left, for the last row to be made.
    updates = min(self._updates, self._interval.total - 1)
    node.handle.start.remote(self._address, leaves, updates)
    if node.restarts:
      for actor in self._actors:
        actor.handle.connect.remote(self._address, node.handle)

  def _begin_actor(self, node: Watched) -> None:
    if self._address is not None:
      # Other random streams than those that the one before it, or an earlier run, began with.
      begin = self._updates + node.restarts
      node.handle.start.remote(self._address, self._learner.handle, begin)

  # The run

  def train(self, stopping: Callable[[], bool]) -> Generator[Progress]:
    """See `ClusterLoop.train`."""
    self._write_status("starting")
    done = self._updates
    while done < self._interval.total:
      rows = self._round()
      if stopping():
        state = self._save()
        rows += self._round()  # of before it was saved
        yield Progress.at(self._updates, [row for _, row in rows], state)
        return
      if rows and rows[-1][0] == self._interval.total:
        rows[-1][1].update(self._final_scores(stopping))
      done = rows[-1][0] if rows else done
      yield Progress(done, [row for _, row in rows], self._save)

  def _round(self) -> list[tuple[int, Row]]:
    """Asks every node once; returns the rows of intervals that ended, with their updates."""
    rows: list[tuple[int, Row]] = []
    for node, answer in self._supervisor.poll(POLL_SECONDS):
      if (error := getattr(answer, "error", None)) is not None:
        raise Failed.by(node.name, error)
      if isinstance(answer, nodes.ActorReport):
        self._totals.merge(answer.totals)
        self._unrolls[node.name] = answer.unrolls
      elif isinstance(answer, nodes.LearnerReport):
        self._updates = max(self._updates, answer.updates)
        rows += [
          (updates, self._row(updates, metrics, rate)) for updates, metrics, rate in answer.rows
        ]
    self._collect()
    if time.monotonic() - self._status_at > STATUS_SECONDS:
      self._write_status("running" if self._rate else "starting")
    return rows

  def _collect(self) -> None:
    """Takes what was asked for apart from polling: the server's address, an evaluation."""
    if self._asked_address is not None:
      address = _take(self._asked_address)
      if address is not _PENDING:
        self._asked_address = None
        if address is not None:
          self._connect(address)
    if self._scoring is not None:
      scores = _take(self._scoring)
      if scores is _PENDING:
        return
      self._scoring = None
      if isinstance(scores, Failure):
        raise Failed.by("evaluator", scores)
      if scores is None:  # the evaluator died; its successor scores the same policy
        self._submit()
      else:
        self._to_score = None
        self._scores |= scores

  def _submit(self) -> None:
    assert self._to_score is not None
    step, reference = self._to_score
    self._scoring = self._evaluator.handle.score.remote(step, reference)

  def _evaluate(self, step: int) -> None:
    """Has the newest policy scored, unless another is being scored."""
    if self._scoring is None:
      published = _get(self._learner.handle.variables.remote(0), SAVE_SECONDS)
      if published is not None:
        self._to_score = (step, published[1])
        self._submit()

  def _final_scores(self, stopping: Callable[[], bool]) -> dict[str, float]:
    """Scores of the last policy, waited for."""
    while self._scoring is not None and not stopping():
      self._round()
    self._evaluate(self._steps(self._updates))
    while self._scoring is not None and not stopping():
      self._round()
    scores, self._scores = self._scores, {}
    return scores

  def _steps(self, updates: int) -> int:
    return steps(self._owner.agent.data, updates)

  def _row(self, updates: int, metrics: dict[str, float], rate: float) -> Row:
    self._rate = rate
    row = self._interval.row(metrics | self._totals.take(), updates, rate)
    if self._interval.scores(updates) and updates < self._interval.total:
      self._evaluate(self._steps(updates))
    scores, self._scores = self._scores, {}
    return row | scores

  def _save(self) -> LearnerCarry:
    """The learner's state, or, if it is just being replaced, the last one that it handed over."""
    if self._address is None or self._learner.about is None:
      return self._state
    leaves = _get(self._learner.handle.save.remote(), SAVE_SECONDS)
    if leaves is not None:
      structure = jax.tree.structure(checkpoint.to_arrays(self._state))
      arrays = jax.tree.unflatten(structure, leaves)
      self._state = checkpoint.from_arrays(self._state, jax.device_put(arrays))
      self._updates = max(self._updates, self._owner.updates(self._state))
      # One at a time: nobody inserts or samples while the server saves.
      refused = "" if self._saving is None else _take(self._saving)
      if refused is not _PENDING:
        if refused:
          self._event(f"replay was not saved: {refused}")
        self._saving = self._replay.handle.checkpoint.remote()
    return self._state

  # What others see

  def _event(self, text: str) -> None:
    with open(self._folder / "events.log", "a", encoding="utf-8") as file:
      file.write(f"{datetime.now().isoformat(timespec='seconds')} {text}\n")

  def _write_status(self, state: str) -> None:
    self._status_at = time.monotonic()
    status = {
      "state": state,
      "time": time.time(),
      "started": self._started,
      "updates": self._updates,
      "steps": self._steps(self._updates),
      "steps_per_second": self._rate,
      "nodes": [
        node.row() | {"unrolls": self._unrolls.get(node.name)} for node in self._supervisor.nodes
      ],
    }
    write_json(self._folder / "status.json", status)

  def close(self) -> None:
    """Ends the nodes, once replay has saved what it was asked to."""
    if self._saving is not None:
      with contextlib.suppress(Exception):  # nothing may keep the nodes from being ended
        _get(self._saving, SAVE_SECONDS)
    self._supervisor.kill()
    for node in self._supervisor.nodes:
      node.about = None
    with contextlib.suppress(OSError):
      self._write_status("stopped")


def _variables(accelerated: bool) -> dict[str, str]:
  """Environment variables of a node's process."""
  # Where the command was typed there may be a folder named as one of our packages, which would
  # hide an editable installation of them.
  ours = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
  path = {"PYTHONPATH": os.pathsep.join(filter(None, ours))}
  # Only a node that asks for an accelerator takes memory there.
  return path if accelerated else path | {"JAX_PLATFORMS": "cpu"}


_PENDING = object()


def _take(reference: Any) -> Any:
  """What a call returned: None if its node died, `_PENDING` while it is under way."""
  import ray

  ready, _ = ray.wait([reference], timeout=0)
  return _get(reference, None) if ready else _PENDING


def _get(reference: Any, seconds: float | None) -> Any:
  """What a call returned; None if its node died or does not answer in time, where one is given."""
  import ray

  try:
    return ray.get(reference, timeout=seconds)
  except ray.exceptions.RayTaskError as error:
    raise failed("a node", error) from error
  except ray.exceptions.RayError:  # a timeout is one of them
    return None
