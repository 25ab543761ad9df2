"""Cluster runs through the command line: kill -9 of each node, Ctrl-C, two hosts, strangers."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("ray")
if importlib.util.find_spec("reverb") is None:  # importing it would take seconds
  pytest.skip("needs Reverb", allow_module_level=True)

from experiments.runs import run_folder
from experiments.runtimes.cluster import session
from tests.experiments.command_line import ENVIRONMENT, last_checkpoint, rarebird, start

DEEP_SEA = ["--env", "deep_sea", "--env-args", "size=4"]
# Its steps take two milliseconds, as those of simulators do: actors and a learner at full speed
# would keep the processors from the nodes that a test waits for.
SIMULATOR = ["--env", "tests.quirks:Simulator", "--env-args", "stepping=serial"]
FLAGS = """
  --log-updates 5 --eval-rows 3 --eval-episodes 8
  --batch-size 8 --unroll-length 5 --latent-size 8 --core-size 8 --head-hidden 8
  --bonus none --core feedforward --torso linear --checkpoint-rows 10 --out run --actors 2
""".split()  # noqa: SIM905 - reads like a command line
ROW_STEPS = 5 * 8 * 5
CHECKPOINT_UPDATES = 5 * 10
PATIENCE = 240.0


class Run:
  """A run under way, seen from outside."""

  def __init__(self, folder, *flags, env=SIMULATOR, **environment):
    self.folder = folder
    self.process = start(
      "launch", *env, *FLAGS, "--steps", "100000000", *flags, cwd=folder, stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT, text=True, **environment,
    )  # fmt: skip

  def status(self):
    try:
      return json.loads((self.folder / "run" / "status.json").read_text())
    except FileNotFoundError:
      return {"nodes": [], "steps": 0}

  def nodes(self):
    return {node["name"]: node for node in self.status()["nodes"]}

  def until(self, condition):
    """Waits until the status fulfils a condition, and returns it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
      if self.process.poll() is not None:
        pytest.fail(f"the run ended: {self.process.stdout.read()}")
      status = self.status()
      if condition(status):
        return status
      time.sleep(0.1)
    pytest.fail(f"not within {PATIENCE} s: {status}")

  def advance(self):
    """Waits until the run is a few rows further than now."""
    steps = self.status()["steps"]
    self.until(lambda s: s["steps"] > steps + 3 * ROW_STEPS)

  def interrupt(self):
    self.process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    output, _ = self.process.communicate(timeout=PATIENCE)
    return output, time.monotonic() - begun


def processes_of(run):
  return [node["pid"] for node in run.status()["nodes"] if node["pid"]]


def alive(pid):
  try:
    return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
  except FileNotFoundError:
    return False


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  run = Run(tmp_path_factory.mktemp("run"))
  run.advance()
  yield run
  run.process.kill()
  run.process.communicate()


@pytest.mark.parametrize("name", ["actor 1", "evaluator", "replay"])
def test_training_goes_on_after_kill_9_of(run, name):
  before = run.status()
  os.kill(run.nodes()[name]["pid"], signal.SIGKILL)
  run.until(lambda s: any(n["name"] == name and n["restarts"] and n["pid"] for n in s["nodes"]))
  run.advance()
  steps = [row["step"] for row in run_folder.read_rows(run.folder / "run")]
  assert steps == sorted(set(steps))
  assert run.status()["steps"] > before["steps"]
  check_events(run, name)


def check_events(run, name):
  events = (run.folder / "run" / "events.log").read_text()
  assert f"{name} died" in events
  assert f"{name} is back" in events


def test_a_replaced_learner_has_lost_one_checkpoint_interval_at_most(run):
  """The run counts on; the learner's own count says how many updates its parameters have seen."""

  def lost():
    updates, arrays = last_checkpoint(run.folder)
    return updates, updates - int(arrays["['learner']['updates']"])

  run.until(lambda s: (run.folder / "run" / "checkpoints").is_dir())
  counted, lost_before = lost()
  restarts = run.nodes()["learner"]["restarts"]
  os.kill(run.nodes()["learner"]["pid"], signal.SIGKILL)
  run.until(
    lambda s: run.nodes()["learner"]["restarts"] > restarts and run.nodes()["learner"]["pid"]
  )
  saved = run.folder / "run" / "checkpoints"
  enough = counted + 2 * CHECKPOINT_UPDATES
  run.until(lambda s: any(p.name.isdigit() and int(p.name) > enough for p in saved.iterdir()))
  updates, lost_after = lost()
  assert updates > counted
  steps = [row["step"] for row in run_folder.read_rows(run.folder / "run")]
  assert steps == sorted(set(steps))
  check_events(run, "learner")
  # Rows come in polls, so an interval may be some rows longer.
  assert 0 <= lost_after - lost_before <= 2 * CHECKPOINT_UPDATES


def test_training_goes_on_after_kill_9_of_learner_and_replay_at_once(run):
  before = run.nodes()
  for name in ("learner", "replay"):
    os.kill(before[name]["pid"], signal.SIGKILL)
  run.until(
    lambda s: all(
      node["pid"] and node["restarts"] > before[node["name"]]["restarts"]
      for node in s["nodes"]
      if node["name"] in ("learner", "replay")
    )
  )
  run.advance()


def test_status_shows_the_nodes(run, rarebird_here):
  shown = rarebird_here("status", "run", cwd=run.folder)
  assert shown.returncode == 0
  assert "running, step" in shown.stdout
  for name in run.nodes():
    assert name in shown.stdout
  assert max(len(line) for line in shown.stdout.splitlines()) <= 80


def test_stop_saves_and_ends_everything_and_the_run_resumes(run, rarebird_here):
  pids = processes_of(run)
  stopped = rarebird_here("stop", "run", cwd=run.folder)
  assert stopped.returncode == 0, stopped.stderr
  output, _ = run.process.communicate(timeout=PATIENCE)
  assert run.process.returncode == 130
  assert "the same command resumes" in output
  assert not [pid for pid in pids if alive(pid)]
  before = run_folder.read_rows(run.folder / "run")
  saved = last_checkpoint(run.folder)[0] * ROW_STEPS // 5
  steps = str(max(saved, before[-1]["step"]) + 2 * ROW_STEPS)
  resumed = rarebird(
    "launch", *SIMULATOR, *FLAGS, "--actors", "1", "--steps", steps, cwd=run.folder
  )
  assert resumed.returncode == 0, resumed.stderr
  after = run_folder.read_rows(run.folder / "run")
  assert after[: len(before)] == before
  assert after[-1]["step"] >= int(steps)
  assert "eval/train/success" in after[-1]


def test_ctrl_c_stops_everything_in_seconds(two_hosts, tmp_path):
  """In a cluster of two hosts, with actors on both, whose own processes stay."""
  usual = {k: v for k, v in session.token_variables(two_hosts.token).items() if v is not None}
  run = Run(
    tmp_path, "--address", two_hosts.address, "--learner-resources", "host_a=1",
    "--actor-resources", "CPU=1", env=DEEP_SEA, environment=ENVIRONMENT | usual,
  )  # fmt: skip
  run.advance()
  machines = {node["machine"] for node in run.nodes().values() if "actor" in node["name"]}
  assert len(machines) == 2
  pids = processes_of(run)
  output, seconds = run.interrupt()
  assert run.process.returncode == 130, output
  assert seconds < 30
  assert not [pid for pid in pids if alive(pid)]
  assert last_checkpoint(tmp_path)[0] > 0


def test_what_no_machine_has_is_told_in_one_line(two_hosts, tmp_path):
  usual = {k: v for k, v in session.token_variables(two_hosts.token).items() if v is not None}
  run = Run(
    tmp_path, "--address", two_hosts.address, "--actor-resources", "llama=1",
    environment=ENVIRONMENT | usual,
  )  # fmt: skip
  output, _ = run.process.communicate(timeout=PATIENCE)
  assert run.process.returncode == 2
  assert "no machine of the cluster has what the actor 0 needs (llama=1)" in output


def test_what_an_environment_raises_on_a_node_is_told_in_one_line(tmp_path):
  flags = [*FLAGS, "--env", "quirks:Boom", "--env-args", "stepping=serial"]
  flags[flags.index("--out") + 1] = str(tmp_path / "run")
  flags[flags.index("--actors") + 1] = "1"
  ended = rarebird("launch", *flags, "--steps", "4000", cwd=Path(__file__).parents[3])
  assert ended.returncode == 2, ended.stderr
  assert re.fullmatch(
    r"rarebird: actor 0: environment 'quirks:Boom' \(number \d\) failed: KeyError: 'battery_level"
    r" is missing' \(quirks\.py:\d+ in Boom\.step\); the whole traceback is in .*/errors\.log\.\n",
    ended.stderr,
  )
  log = (tmp_path / "run" / "errors.log").read_text()
  assert 'raise KeyError("battery_level is missing")' in log
