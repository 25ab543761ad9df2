"""A soak of faults: random combinations of agent, objective, bonus, runtime and environment.

  python -m tests.soak --count 200 --out runs/soak       (from the checkout; about half an hour)
  python -m tests.soak --matrix --out runs/matrix        (each objective and agent in each runtime)

Environments are the awkward ones of tests/quirks.py. Each combination is a run of 20 updates. It
has to end well, or with exit status 2 and one line that says what is wrong; anything else, a
traceback, several lines, silence, no end, is a fault. The table of all is OUT/table.jsonl. A
combination runs in a process that stays for the next, until it dies.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import queue
import random
import subprocess
import sys
import threading
from pathlib import Path

TESTS = Path(__file__).parent
LIMIT_SECONDS = 600
"""Of one combination; longer counts as a fault."""
TINY = """
  --log-updates 5 --batch-size 4 --unroll-length 5 --latent-size 8 --core-size 8
  --predictor-hidden 8 --head-hidden 8 --horizon 2 --eval-episodes 2 --devices 1
""".split()  # noqa: SIM905 - reads like a command line
STEPS, WARM_UP = 20 * 4 * 5, 4 * 5
QUIRKS = """
  Base Start Empty TextDict MultiDiscreteAction MultiBinaryAction UnboundedAction NaNReward InfObs
  HugeReward Constant InfoSuccess RenderAssert OldStep OldReset WrongShape Masked Both OneStep
  Endless Boom Cue
""".split()  # noqa: SIM905 - reads like a list
AGENTS = (
  "byol_explore", "soft_q", "soft_pg", "sac", "reach", "her", "muzero", "go_explore",
)  # fmt: skip
RUNTIMES = {"on_device": 1, "queue": 6, "replay": 6, "reverb": 2, "cluster": 1}
"""What a combination may run in, and how often beside the others."""


def flags(agent: str, objective: str, bonus: str, runtime: str, env: list[str]) -> list[str]:
  """The command of a combination, without its folder."""
  command = "launch" if runtime == "cluster" else "train"
  out = [command, "--agent", agent, *TINY, "--env", *env]
  if objective:
    out += ["--objective", objective]
  if bonus:
    out += ["--bonus", bonus]
  if bonus == "ndigo":
    out += ["--bonus.horizon", "2"]
  if runtime in ("queue", "replay", "reverb"):
    out += ["--runtime", "actor_learner"]
  elif runtime == "on_device":
    out += ["--runtime", "on_device"]
  if runtime == "reverb":
    out += ["--experience", "reverb"]
  steps = STEPS
  if runtime == "replay":
    out += ["--replay-capacity", "40", "--replay-min-size", "4", "--samples-per-insert", "1"]
    steps += WARM_UP
  elif agent not in ("byol_explore", "soft_pg"):
    out += ["--replay-capacity", "0"]
  return [*out, "--steps", str(steps)]


def drawn(count: int, seed: int) -> list[list[str]]:
  """Random combinations."""
  from agents import bonuses, objectives

  rng = random.Random(seed)
  out = []
  for _ in range(count):
    quirk = rng.choice(QUIRKS)
    env = [f"quirks:{quirk}"]
    settings = []
    if rng.random() < 0.3:
      env = [f"gym:quirks:{'QuirkRenderAssert' if quirk == 'RenderAssert' else 'Quirk'}-v0"]
    elif rng.random() < 0.8:
      settings.append("stepping=serial")
    if quirk == "Cue" and "Cue" in env[0]:
      settings.append(f"unit={rng.choice(['1.0', '1e4', '1e-3'])}")
    if settings:
      env += ["--env-args", *settings]
    # Half of them with the agent's own, as most others do not fit it and are refused.
    objective = rng.choice(["", rng.choice(objectives.registry.names())])
    runtime = rng.choices(list(RUNTIMES), list(RUNTIMES.values()))[0]
    agent = rng.choices(AGENTS, [8, 4, 4, 3, 1, 1, 1, 1])[0]
    out.append(flags(agent, objective, rng.choice(bonuses.registry.names()), runtime, env))
  return out


def matrix() -> list[list[str]]:
  """Each objective, and each agent with its own, in each runtime, in a world that fits."""
  from agents import objectives

  out = []
  for objective, runtime in itertools.product(objectives.registry.names(), RUNTIMES):
    env = ["pendulum"] if objective == "sac" else ["deep_sea", "--env-args", "size=4"]
    own = ["--planner", "mcts"] if objective == "muzero" else []
    out.append([*flags("byol_explore", objective, "", runtime, env), *own])
  for agent, runtime in itertools.product(AGENTS, RUNTIMES):
    env = {"sac": "pendulum", "reach": "goals/u_maze", "her": "goals/u_maze"}.get(agent, "catch")
    out.append(flags(agent, "", "", runtime, [env]))
  return out


def judged(status: int, out: str, err: str) -> str:
  """`well`, `told`, or what the fault is."""
  if "Traceback" in out + err:
    return "traceback"
  if status == 0:
    return "well"
  lines = [line for line in err.splitlines() if line.startswith("rarebird: ")]
  if status == 2 and len(lines) == 1:
    return "told"
  return f"status {status}, {len(lines)} lines"


def work() -> None:
  """Runs commands that come as lines of JSON; answers with their exit status."""
  import jax

  from experiments import cli

  os.chdir(TESTS)
  answers = os.fdopen(os.dup(1), "w")
  for line in sys.stdin:
    job = json.loads(line)
    sys.stdout.flush()
    sys.stderr.flush()
    for number, name in ((1, "out"), (2, "err")):
      target = os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
      os.dup2(target, number)
      os.close(target)
    sys.argv = ["rarebird", *job["flags"]]
    try:
      cli.main()
    except SystemExit as ended:
      status = ended.code or 0
    jax.clear_caches()
    sys.stdout.flush()
    sys.stderr.flush()
    print(json.dumps({"status": status}), file=answers, flush=True)


class Worker:
  """A process that runs one combination after another."""

  def __init__(self) -> None:
    self._process: subprocess.Popen[str] | None = None

  def run(self, job: dict) -> int:
    """The exit status; -1 if it did not end in time, or died."""
    if self._process is None or self._process.poll() is not None:
      command = [sys.executable, "-m", "tests.soak", "--work"]
      quick = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}
      self._process = subprocess.Popen(
        command, cwd=TESTS.parent, env=os.environ | quick, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
      )  # fmt: skip
    assert self._process.stdin is not None
    assert self._process.stdout is not None
    print(json.dumps(job), file=self._process.stdin, flush=True)
    timer = threading.Timer(LIMIT_SECONDS, self._process.kill)
    timer.start()
    answer = self._process.stdout.readline()
    timer.cancel()
    return json.loads(answer)["status"] if answer else -1

  def close(self) -> None:
    if self._process is not None:
      self._process.kill()


def main() -> int:
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--count", type=int, default=200)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--matrix", action="store_true")
  parser.add_argument("--processes", type=int, default=2)
  parser.add_argument("--out", type=Path, default=Path("runs/soak"))
  parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
  options = parser.parse_args()
  if options.work:
    work()
    return 0
  folder = options.out.absolute()
  folder.mkdir(parents=True)  # the table of another soak is not added to
  commands = matrix() if options.matrix else drawn(options.count, options.seed)
  jobs: queue.SimpleQueue[tuple[int, list[str]]] = queue.SimpleQueue()
  for job in enumerate(commands):
    jobs.put(job)
  counts: collections.Counter[str] = collections.Counter()

  def serve() -> None:
    worker = Worker()
    while True:
      try:
        number, command = jobs.get_nowait()
      except queue.Empty:
        break
      paths = {name: str(folder / f"{number}.{name}") for name in ("out", "err")}
      asked = [*command, "--out", str(folder / f"{number}")]
      status = worker.run({"flags": asked, **paths})
      out, err = (Path(path).read_text(errors="replace") for path in paths.values())
      verdict = judged(status, out, err)
      told = next((x for x in err.splitlines() if x.startswith("rarebird: ")), "")
      counts[verdict] += 1
      row = {"number": number, "verdict": verdict, "told": told, "command": " ".join(command)}
      with (folder / "table.jsonl").open("a") as table:
        table.write(json.dumps(row) + "\n")
      if verdict not in ("well", "told"):
        print(f"{number}: {verdict}: {' '.join(command)}", flush=True)
    worker.close()

  threads = [threading.Thread(target=serve) for _ in range(options.processes)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  print(dict(counts))
  return 0 if set(counts) <= {"well", "told"} else 1


if __name__ == "__main__":
  sys.exit(main())
