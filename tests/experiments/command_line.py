"""Runs the command line as a person would, in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from experiments.runs import checkpoint

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "COLUMNS": "80"}


def command(*arguments):
  """The words that run `rarebird` with these arguments."""
  return [sys.executable, "-m", "experiments", *arguments]


def rarebird(*arguments, cwd, **kwargs):
  """Runs to the end and captures what is printed."""
  return subprocess.run(
    command(*arguments), env=ENVIRONMENT, cwd=cwd, capture_output=True, text=True, **kwargs
  )


def start(*arguments, cwd, environment=ENVIRONMENT, **kwargs):
  """Starts a run that the test ends."""
  return subprocess.Popen(command(*arguments), env=environment, cwd=cwd, **kwargs)


KILLED = """
import os, signal, sys
from experiments import __main__
from experiments.runs.logs import Logs
write, left = Logs.write, int(sys.argv.pop(1))
def last(self, rows):
  global left
  write(self, rows)
  left -= len(rows)
  if left <= 0:
    os.kill(os.getpid(), signal.SIGKILL)
Logs.write = last
__main__.main()
"""


def kill_after(rows, *arguments, cwd):
  """Runs `rarebird` until so many rows are in its log, when `kill -9` ends it, before it saves."""
  words = [sys.executable, "-c", KILLED, str(rows), *arguments]
  done = subprocess.run(words, env=ENVIRONMENT, cwd=cwd, capture_output=True, text=True)
  assert done.returncode == -signal.SIGKILL, done.stderr


def wait_for_rows(folder, count):
  """Returns once the log has that many rows."""
  wait_for_lines(folder / "run" / "metrics.jsonl", count)


def wait_for_lines(path, count):
  """Returns once a file has that many lines; `tail -F` wakes when it grows."""
  follow = ["tail", "-n", "+1", "-F", str(path)]
  with subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tail:
    for _ in range(count):
      tail.stdout.readline()
    tail.kill()


def last_checkpoint(folder):
  """The arrays of the newest checkpoint, by path."""
  saved = checkpoint.Checkpoints(folder / "run", {})
  update = saved.latest()
  arrays = saved.read_arrays()
  saved.close()
  return update, arrays
