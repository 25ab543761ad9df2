"""`rarebird bench --runtime actor_learner`: environments, actors, experience and learner, alone and
together, and a cluster of the same nodes: its start, its memory, and its recovery from kill -9.

As in `bench`: parts in turn, round after round, medians, compilation apart.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from agents.agent import Agent
from agents.trajectory import Trajectory
from envs.environment import Environment
from envs.host.environment import HostEnvironment, VectorEnvironment
from envs.host.vector import vector
from envs.observation import legal
from envs.random_action import random_action
from experiments.acting import host_rollout
from experiments.acting.episodes import EpisodeTotals
from experiments.acting.policy import RandomPolicy
from experiments.commands.terminal import number
from experiments.experience import forms
from experiments.experience.layout import Layout, item_signature
from experiments.runtimes.actor import Actor
from experiments.runtimes.actor_learner import ActorLearnerLoop
from experiments.runtimes.learner import Learner, place
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, build_agent, build_environment, to_json

UNROLLS = 4
"""Unrolls of one actor in a measured round."""
UPDATES = 10
"""Updates of the whole runtime in a measured round."""
START_SECONDS = 180.0
"""How long a cluster may take to start, or to recover."""


def bench_acting(
  config: TrainConfig, env: Environment | HostEnvironment, agent: Agent, rounds: int
) -> tuple[dict[str, Any], Trajectory]:
  """The environments alone, the batched network alone, and the actor; and one of its unrolls."""
  batch, length = config.environments(agent.data), agent.data.unroll_length
  variables = jax.device_put(agent.variables(agent.init(jax.random.key(0))), jax.local_devices()[0])
  spec, masked = env.action_spec(), legal(env.observation_spec()) is not None
  actions = np.asarray(random_action(spec, jax.random.key(2), (UNROLLS * length, batch)))
  with contextlib.ExitStack() as stack:
    alone: VectorEnvironment = stack.enter_context(vector(env, batch, 0, config.step_timeout))
    acted: VectorEnvironment = stack.enter_context(vector(env, batch, 0, config.step_timeout))
    at_random = host_rollout.HostRollout(RandomPolicy(spec), alone, jax.random.key(2))
    actor = Actor(
      agent,
      acted,
      jax.random.key(1),
      lambda: variables,
      item_signature(agent, env),
      env.success_return,
      EpisodeTotals(),
    )

    def step() -> None:
      if not masked:
        host_rollout.replay(alone, actions)
        return
      for _ in actions:  # what is allowed is known at each step alone
        at_random.step(())

    def network() -> None:
      actor.policy_alone(UNROLLS * length)

    def act() -> None:
      for _ in range(UNROLLS):
        actor.unroll()

    times = _rounds({"environment": step, "network": network, "acting": act}, rounds)
    unroll = jax.tree.map(np.array, actor.unroll())
  steps = UNROLLS * length * batch
  rate = {name: steps / statistics.median(seconds) for name, seconds in times.items()}
  # What would be left of the environments' speed if the network's time were all that acting adds.
  kept = [
    (e + n) / a
    for e, n, a in zip(times["environment"], times["network"], times["acting"], strict=True)
  ]
  return {
    "environments": batch,
    "environment_steps_per_second": rate["environment"],
    "network_steps_per_second": rate["network"],
    "acting_steps_per_second": rate["acting"],
    "acting_over_environment_and_network": statistics.median(kept),
  }, unroll


def bench_experience(
  config: TrainConfig,
  env: Environment | HostEnvironment,
  agent: Agent,
  unroll: Trajectory,
  rounds: int,
) -> dict[str, Any]:
  """Writing and reading, one batch at a time: items/s, MB/s, and microseconds of an append."""
  layout = Layout(item_signature(agent, env))
  batch = agent.data.batch_size
  items = unroll.reward.shape[1]
  if batch % items:
    raise UserError(
      f"--batch-size is {batch}; the bench needs a multiple of the {items} environments of an actor"
      " (--envs-per-actor)."
    )
  with forms.local(config, agent, env) as experience:
    inserter = experience.inserter()
    seconds: dict[str, list[float]] = {"write": [], "read": []}
    for i in range(rounds + 1):
      start = time.perf_counter()
      for _ in range(batch // items):
        inserter.insert(unroll)
      wrote = time.perf_counter()
      experience.sample()
      if i:  # the first round warms up
        seconds["write"].append(wrote - start)
        seconds["read"].append(time.perf_counter() - wrote)
  write, read = (statistics.median(s) for s in seconds.values())
  megabytes = layout.record.itemsize / 1e6
  return {
    "item_megabytes": megabytes,
    "write_items_per_second": batch / write,
    "write_megabytes_per_second": batch * megabytes / write,
    "append_microseconds": 1e6 * write / batch,
    "read_items_per_second": batch / read,
    "read_megabytes_per_second": batch * megabytes / read,
  }


def bench_learner(agent: Agent, unroll: Trajectory, rounds: int) -> dict[str, Any]:
  """Updates of one batch that is there already."""
  devices = jax.local_devices()
  batch = agent.data.batch_size
  whole = unroll.columns(jnp.arange(batch) % unroll.reward.shape[1])
  placed = place(devices, whole)
  learner = Learner(agent, devices)
  learner.restore(learner.init(jax.random.key(0)))
  start = time.perf_counter()
  learner.step(placed)
  jax.block_until_ready(learner.save())
  compile_seconds = time.perf_counter() - start

  def update() -> None:
    learner.step(placed)
    jax.block_until_ready(learner.save())

  seconds = statistics.median(_rounds({"update": update}, rounds)["update"])
  return {
    "learner_steps_per_second": agent.data.unroll_length * batch / seconds,
    "updates_per_second": 1 / seconds,
    "compile_seconds": compile_seconds,
  }


def bench_together(
  config: TrainConfig, env: Environment | HostEnvironment, agent: Agent, rounds: int
) -> dict[str, Any]:
  """The whole runtime: from its start to the first update, then steps/s and the learner's waits."""
  config = dataclasses.replace(
    config, log_updates=UPDATES, steps=10**12, eval_rows=10**9, runtime="actor_learner"
  )
  loop = ActorLearnerLoop(config, env, agent, jax.local_devices())
  rates, waits, first = [], [], 0.0
  start = time.perf_counter()
  with contextlib.closing(loop.train(loop.init(), lambda: False)) as progress:
    for now in progress:
      first = first or time.perf_counter() - start
      for row in now.rows:
        rates.append(row["steps_per_second"])
        waits.append(row["learner_waited"])
      if len(rates) > rounds:
        break
  return {
    "seconds_to_first_update": first,
    "end_to_end_steps_per_second": statistics.median(rates[1:]),
    "learner_waited": statistics.median(waits[1:]),
  }


def bench_cluster(config: TrainConfig) -> dict[str, Any]:
  """A cluster of two actors on this machine: start, memory of each node, recovery from kill -9."""
  with tempfile.TemporaryDirectory() as folder, _launched(config, folder) as status:
    begun = time.monotonic()
    _until(lambda: status().get("updates", 0) > 0)
    out: dict[str, Any] = {"seconds_to_first_update": time.monotonic() - begun}
    _until(lambda: all(node["pid"] for node in status()["nodes"]))
    nodes = {node["name"]: node for node in status()["nodes"]}
    out["node_megabytes"] = {name: _megabytes(node["pid"]) for name, node in nodes.items()}
    out["recovery_seconds"] = {}
    for name, node in nodes.items():
      os.kill(node["pid"], signal.SIGKILL)

      recovered = functools.partial(_recovered, status, name)
      _until(lambda recovered=recovered: recovered() > 0)  # type: ignore[misc]
      out["recovery_seconds"][name] = recovered()
    return out


def _recovered(status: Callable[[], dict[str, Any]], name: str) -> float:
  return next(n["recovered_seconds"] for n in status()["nodes"] if n["name"] == name)


@contextlib.contextmanager
def _launched(config: TrainConfig, folder: str) -> Iterator[Callable[[], dict[str, Any]]]:
  """A run of the bench's environment and agent in a process of its own; gives its status."""
  run = Path(folder) / "run"
  asked = dataclasses.replace(
    config, out=str(run), runtime="cluster", steps=10**12, actors=2, eval_rows=10**9
  )
  code = (
    "import sys; from rich.console import Console; from experiments.commands import train;"
    "from experiments.settings.cluster import ClusterConfig;"
    "from experiments.settings.train import from_json;"
    "train.run(from_json(sys.argv[1]), Console(), ClusterConfig())"
  )
  with open(Path(folder) / "stderr", "wb") as stderr:
    process = subprocess.Popen(
      [sys.executable, "-c", code, to_json(asked)],
      stdout=subprocess.DEVNULL,
      stderr=stderr,
    )

  def status() -> dict[str, Any]:
    if process.poll() is not None:
      raise UserError(f"the cluster ended: {(Path(folder) / 'stderr').read_text('utf-8')[-300:]}")
    try:
      return json.loads((run / "status.json").read_text("utf-8"))
    except FileNotFoundError:
      return {}

  try:
    yield status
  finally:
    process.send_signal(signal.SIGINT)
    process.wait()


def _until(condition: Callable[[], bool]) -> None:
  deadline = time.monotonic() + START_SECONDS
  while not condition():
    if time.monotonic() > deadline:
      raise UserError(f"the cluster did not do so within {START_SECONDS:.0f} s.")
    time.sleep(0.05)


def _megabytes(pid: int) -> float | None:
  """Memory of a process, shared pages counted by their share (Linux); None if it is not told."""
  for line in Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines():
    if line.startswith("Pss:"):
      return int(line.split()[1]) / 1e3
  return None


def _rounds(parts: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
  """Seconds of each part, in turn, round after round; the first round warms up."""
  times: dict[str, list[float]] = {name: [] for name in parts}
  for i in range(rounds + 1):
    for name, part in parts.items():
      start = time.perf_counter()
      part()
      if i:
        times[name].append(time.perf_counter() - start)
  return times


def measure(config: TrainConfig, rounds: int) -> dict[str, Any]:
  """Everything that is installed; see the functions above."""
  env = build_environment(config)
  agent = build_agent(config, env)
  acting, unroll = bench_acting(config, env, agent, rounds)
  out: dict[str, Any] = {"acting": acting, "experience": {}}
  for form in ("embedded", "reverb"):
    asked = dataclasses.replace(config, experience=form)
    try:
      out["experience"][form] = bench_experience(asked, env, agent, unroll, rounds)
    except UserError as error:
      out["experience"][form] = {"not_measured": str(error)}
  out["learner"] = bench_learner(agent, unroll, rounds)
  out["together"] = bench_together(config, env, agent, rounds)
  try:
    out["cluster"] = bench_cluster(config)
  except UserError as error:
    out["cluster"] = {"not_measured": str(error)}
  return out


def show(result: dict[str, Any], console: Console) -> None:
  """Prints what `measure` returned."""
  a, t, c = result["acting"], result["together"], result["cluster"]
  out = Table(caption="medians, compilation apart")
  out.add_column("what")
  out.add_column("", justify="right")
  rate = functools.partial("{:,.0f} steps/s".format)
  out.add_row(f"{a['environments']} environments alone", rate(a["environment_steps_per_second"]))
  out.add_row("policy network alone", rate(a["network_steps_per_second"]))
  out.add_row("one actor", rate(a["acting_steps_per_second"]))
  out.add_row("  of environments and network", f"{a['acting_over_environment_and_network']:.1%}")
  for form, e in result["experience"].items():
    if "not_measured" in e:
      out.add_row(form, e["not_measured"])
      continue
    for way in ("write", "read"):
      out.add_row(
        f"{form} {way}",
        f"{e[f'{way}_items_per_second']:,.0f} items/s {e[f'{way}_megabytes_per_second']:,.0f} MB/s",
      )
    out.add_row(f"{form} append", f"{e['append_microseconds']:,.0f} us an item")
  out.add_row("learner alone", rate(result["learner"]["learner_steps_per_second"]))
  out.add_row("all together", rate(t["end_to_end_steps_per_second"]))
  out.add_row("  time that the learner waits", f"{t['learner_waited']:.0%}")
  out.add_row("  to the first update", f"{t['seconds_to_first_update']:.1f} s")
  if "not_measured" in c:
    out.add_row("cluster", c["not_measured"])
  else:
    out.add_row("cluster to the first update", f"{c['seconds_to_first_update']:.1f} s")
    for name, size in c["node_megabytes"].items():
      seconds = c["recovery_seconds"][name]
      out.add_row(f"  {name}", f"{number(size, '{:,.0f}')} MB, back {seconds:.1f} s after kill -9")
  console.print(out)
