"""Killed and resumed in any world: `python -m tests.resumes zipf/labyrinth zipf/playroom`.

For worlds that take too long to compile for `make test`. In each world and runtime a small run is
made whole, and again with `kill -9` in its middle (a cluster, of many processes, is interrupted)
and the same command after it. Compiled whole, the last checkpoint has to hold the same arrays to
the bit; elsewhere, where actors and learner take turns as they come, the same steps have to be in
the log. A line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from experiments.runs import run_folder
from experiments.settings.train import DEFAULT_AGENT
from tests.experiments.command_line import (
  kill_after,
  last_checkpoint,
  rarebird,
  start,
  wait_for_rows,
)

ROWS, KILLED_AFTER = 6, 3
TINY = """
  --batch-size 4 --unroll-length 5 --latent-size 8 --core-size 8 --predictor-hidden 8
  --head-hidden 8 --horizon 2 --eval-episodes 2 --log-updates 2 --checkpoint-rows 1 --out run
""".split()  # noqa: SIM905 - reads like a command line
ROW_STEPS = 2 * 4 * 5
RUNTIMES = {
  "on_device": ("train", "--runtime", "on_device"),
  "actor_learner": ("train", "--runtime", "actor_learner"),
  "cluster": ("launch", "--actors", "1"),
}


def main() -> None:
  """Makes all runs; the exit status is 1 if one was not as it should be."""
  parser = argparse.ArgumentParser(description="Kills and resumes runs in any world.")
  parser.add_argument("worlds", nargs="+")
  parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, default=list(RUNTIMES))
  parser.add_argument("--agent", default=DEFAULT_AGENT)
  asked = parser.parse_args()
  fine = True
  for world in asked.worlds:
    for runtime in asked.runtimes:
      began = time.monotonic()
      with tempfile.TemporaryDirectory() as folder:
        fault = resumed(world, runtime, Path(folder), asked.agent)
      fine &= not fault
      told = {"env": world, "runtime": runtime, "outcome": fault or "as it should be"}
      print(json.dumps(told | {"seconds": round(time.monotonic() - began)}), flush=True)
  raise SystemExit(not fine)


def resumed(world: str, runtime: str, folder: Path, agent: str = DEFAULT_AGENT) -> str:
  """What differs between a whole run and one that was killed and resumed; "" for nothing."""
  command, *words = RUNTIMES[runtime]
  words = [command, "--agent", agent, "--env", world, *words, *TINY]
  words += ["--steps", str(ROWS * ROW_STEPS)]
  for cut in (False, True):
    place = folder / ("cut" if cut else "whole")
    place.mkdir()
    if cut and runtime == "cluster":
      running = start(*words, cwd=place, stdout=subprocess.DEVNULL)
      wait_for_rows(place, KILLED_AFTER)
      running.send_signal(signal.SIGINT)
      running.wait()
    elif cut:
      kill_after(KILLED_AFTER, *words, cwd=place)
    done = rarebird(*words, cwd=place)
    if done.returncode:
      return done.stderr.strip().splitlines()[-1]
  logs = [run_folder.read_rows(folder / name / "run") for name in ("whole", "cut")]
  steps = [[row["step"] for row in log] for log in logs]
  if steps[0] != steps[1]:
    return f"the log has steps {steps[1]}, not {steps[0]}"
  if runtime != "on_device":
    return ""
  (at, whole), (again, cut) = (last_checkpoint(folder / name) for name in ("whole", "cut"))
  if at != again or whole.keys() != cut.keys():
    return f"the last checkpoint is of update {again}, not {at}, or has other arrays"
  other = [name for name in whole if not np.array_equal(whole[name], cut[name], equal_nan=True)]
  return f"other bits in {', '.join(other[:3])}" if other else ""


if __name__ == "__main__":
  main()
