"""The speed of two checkouts in alternating pairs:
`python -m tests.speed_pairs BEFORE AFTER --env zipf/gridworld [--rounds 15]`.

One process of each runs what `rarebird bench` times; they take turns, part by part, and the one
that waits is stopped. So a ratio compares two measurements made within a second or two of each
other, on a machine whose speed drifts. Printed for each part: the median of after's speed over
before's, and a 95% interval of that median (by order statistics, exact).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def median_interval(values: list[float]) -> tuple[float, float]:
  """At least 95% confidence that the median lies within: order statistics of a fair coin's tosses.

  With fewer than six values no interval is that sure; the range is given.
  """
  n, tail, k = len(values), 0.0, 0
  while (tail := tail + math.comb(n, k) / 2**n) <= 0.025:
    k += 1
  ranked = sorted(values)
  k = max(k, 1)
  return ranked[k - 1], ranked[n - k]


def _module(*names: str) -> Any:
  """The first of these that this checkout has (an editable install also finds another's)."""
  for name in names:
    if Path(name.replace(".", "/") + ".py").is_file():
      return importlib.import_module(name)
  raise ModuleNotFoundError(" or ".join(names))


def _turn(part: str, function: Callable[[], Any]) -> float:
  """Waits for the turn, runs, tells its seconds."""
  print(json.dumps({"part": part}), flush=True)
  sys.stdin.readline()
  start = time.perf_counter()
  function()
  seconds = time.perf_counter() - start
  print(json.dumps({"seconds": seconds}), flush=True)
  return seconds


def work(env_name: str, env_args: tuple[str, ...], rounds: int) -> None:
  """What one checkout times, each part in its turn."""
  import jax

  bench = _module("experiments.commands.bench", "experiments.bench")
  settings = _module("experiments.settings.train", "experiments.config")
  runs = _module("experiments.runs.experiment", "experiments.train")
  config = dataclasses.replace(bench.BenchConfig(), env=env_name, env_args=env_args, rounds=rounds)
  train = settings.TrainConfig(env=env_name, env_args=env_args, agent=config.agent)
  env = runs.build(train).env
  if isinstance(env, _module("envs.host.environment", "envs.vector").HostEnvironment):
    # Fewer environments: a default network on Atari's frames takes seconds an update.
    small = dataclasses.replace(config.agent, batch_size=8)
    train = dataclasses.replace(train, agent=small)
    work_on_host(train, env, settings.build_agent(train, env), rounds)
    return
  labels: Iterator[str] = iter(())

  def seconds(function: Callable[[], Any]) -> float:
    return _turn(next(labels), lambda: jax.block_until_ready(function()))

  bench._seconds = seconds
  both = ("environment", "environment, frames kept")
  labels = iter(["", ""] + list(both) * rounds)
  bench.bench_environment(env, 256, 128, rounds)
  names = list(config.variants())
  parts = [f"{name}: {part}" for part in ("acting", "learning", "all") for name in names]
  labels = iter(parts * rounds)
  bench.bench_agents(env, config)


def work_on_host(train: Any, env: Any, agent: Any, rounds: int) -> None:
  """The same of an environment that runs on the host: actors, learner, and the whole runtime."""
  import jax

  host = _module("experiments.bench.host", "experiments.bench_host")

  def in_turn(parts: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    for part in parts.values():
      part()
    return {
      name: list(times)
      for name, times in zip(
        parts,
        zip(*([_turn(n, p) for n, p in parts.items()] for _ in range(rounds)), strict=True),
        strict=True,
      )
    }

  host._rounds = in_turn
  host.UNROLLS = 1
  _, unroll = host.bench_acting(train, env, agent, rounds)
  host.bench_learner(agent, unroll, rounds)
  train = dataclasses.replace(
    train, log_updates=1, steps=10**12, eval_rows=10**9, runtime="actor_learner"
  )
  loop = host.ActorLearnerLoop(train, env, agent, jax.local_devices())
  with contextlib.closing(loop.train(loop.init(), lambda: False)) as progress:

    def row() -> None:
      while not next(progress).rows:
        pass

    row()
    row()
    for _ in range(rounds):
      _turn("all", row)


class Worker:
  """A process of one checkout."""

  def __init__(self, checkout: str, arguments: list[str]):
    path = [str(Path(checkout).resolve()), os.environ.get("PYTHONPATH", "")]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    self.process = subprocess.Popen(
      [sys.executable, str(Path(__file__).resolve()), "--work", checkout, checkout, *arguments],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      cwd=checkout,
      env=environ,
      start_new_session=True,
    )

  def said(self) -> dict[str, Any] | None:
    """Its next message; None at its end."""
    assert self.process.stdout is not None
    for line in self.process.stdout:
      if line.startswith("{"):
        return json.loads(line)
    return None

  def signal(self, number: int) -> None:
    """To it and its children."""
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self.process.pid, number)

  def run(self) -> float:
    """Its turn: seconds of the part that it waits with. It is stopped afterwards."""
    assert self.process.stdin is not None
    self.signal(signal.SIGCONT)
    self.process.stdin.write("go\n")
    self.process.stdin.flush()
    message = self.said()
    if message is None:
      raise SystemExit("one of the two ended, see above")
    return message["seconds"]


def pairs(before: str, after: str, arguments: list[str]) -> dict[str, list[tuple[float, float]]]:
  """Seconds (before, after) of each part, in turn; every other pair the other way round."""
  workers = [Worker(before, arguments), Worker(after, arguments)]
  out: dict[str, list[tuple[float, float]]] = {}
  try:
    while True:
      for worker in workers:
        worker.signal(signal.SIGCONT)
      waiting = [worker.said() for worker in workers]
      if waiting[0] is None and waiting[1] is None:
        return out
      if waiting[0] != waiting[1] or waiting[0] is None:
        raise SystemExit(f"the two time different parts: {waiting}")
      for worker in workers:
        worker.signal(signal.SIGSTOP)
      timed = out.setdefault(waiting[0]["part"], [])
      order = (0, 1) if len(timed) % 2 == 0 else (1, 0)
      seconds = [0.0, 0.0]
      for i in order:
        seconds[i] = workers[i].run()
        workers[i].signal(signal.SIGSTOP)
      timed.append((seconds[0], seconds[1]))
  finally:
    for worker in workers:
      worker.signal(signal.SIGKILL)
      worker.process.wait()


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument("before")
  parser.add_argument("after")
  parser.add_argument("--env", default="zipf/gridworld")
  parser.add_argument("--env-args", nargs="*", default=[])
  parser.add_argument("--rounds", type=int, default=15)
  parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
  asked = parser.parse_args()
  if asked.work:
    sys.path[0] = os.getcwd()  # and not this file's folder
    work(asked.env, tuple(asked.env_args), asked.rounds)
    return
  arguments = ["--env", asked.env, "--rounds", str(asked.rounds)]
  if asked.env_args:
    arguments += ["--env-args", *asked.env_args]
  print(f"{asked.env}: speed of after over before, {asked.rounds} pairs")
  for part, timed in pairs(asked.before, asked.after, arguments).items():
    if not part:
      continue  # warming up
    ratios = [a / b for a, b in timed]
    low, high = median_interval(ratios)
    median = statistics.median(ratios)
    seconds = statistics.median(a for a, _ in timed)
    print(f"  {part:28s} {median:.3f}  [{low:.3f}, {high:.3f}]  ({seconds * 1e3:.1f} ms before)")


if __name__ == "__main__":
  main()
