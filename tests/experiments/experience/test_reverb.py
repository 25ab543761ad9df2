"""What only the form on Reverb does: servers that die, come back, or were never there."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from agents.trajectory import DataSpec
from experiments.experience import reverb as reverb_form
from experiments.experience import reverb_server
from experiments.experience.experience import Closed, Unavailable
from experiments.experience.reverb import ReverbExperience
from experiments.settings.errors import UserError
from tests.experiments.experience.conftest import needs_reverb
from tests.experiments.experience.items import LENGTH, SIGNATURE, assert_intact, numbers, unroll
from tests.experiments.experience.reverb_process import DATA

pytestmark = needs_reverb
ROOT = Path(__file__).parents[3]
SOON = 30.0
A_WHILE = 0.3


@pytest.fixture
def port():
  with socket.socket() as probe:
    probe.bind(("", 0))
    return probe.getsockname()[1]


@pytest.fixture
def start_server(port, tmp_path, monkeypatch):
  """() -> a server process on `port` that keeps its checkpoints in `tmp_path`; two at most."""
  monkeypatch.setattr(reverb_form, "HEARTBEAT", 1)
  processes = [
    subprocess.Popen(
      [sys.executable, "-m", "tests.experiments.experience.reverb_process", str(port), tmp_path],
      cwd=ROOT,
      env=os.environ | {"JAX_PLATFORMS": "cpu"},
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
    )
    for _ in range(2)  # both import TensorFlow at once, ahead of need
  ]
  waiting = iter(processes)

  def start():
    process = next(waiting)
    process.stdin.write("serve\n")
    process.stdin.flush()
    assert process.stdout.readline() == "up\n"
    return process

  yield start
  for process in processes:
    process.kill()
    process.communicate()


def connect(port):
  return ReverbExperience(f"localhost:{port}", SIGNATURE, DATA)


def test_a_killed_server_is_told_and_comes_back_with_items_and_priorities(
  start_server, port, threads
):
  server = start_server()
  experience = connect(port)
  inserter = experience.inserter()
  for number in range(3):
    inserter.insert(unroll(number))
  inserter.close()
  keys = {}
  while len(keys) < 3:
    sample = experience.sample()
    assert_intact(sample.trajectory)
    keys.update(zip(numbers(sample.trajectory), sample.keys.tolist(), strict=True))
  experience.update_priorities(np.array([keys[0]], np.uint64), np.array([8.0]))
  experience.checkpoint()
  experience.close()

  # One learner waits for its first batch, one actor for the limiter, when the server dies.
  learner, actor = connect(port), connect(port)
  inserter = actor.inserter()

  def act():
    while True:
      inserter.insert(unroll(9))

  def learn():
    while True:
      learner.sample()

  waiting = [threads.submit(act), threads.submit(learn)]
  for future in waiting:
    with pytest.raises(TimeoutError):
      future.result(timeout=A_WHILE)
  server.kill()
  server.wait()
  start = time.monotonic()
  for future in waiting:
    with pytest.raises(Unavailable):
      future.result(timeout=SOON)
  with pytest.raises(Unavailable):
    learner.update_priorities(np.array([keys[0]], np.uint64), np.array([8.0]))
  with pytest.raises(Unavailable):
    learner.size()
  with pytest.raises(Unavailable):
    connect(port)
  learner.close()
  actor.close()
  assert time.monotonic() - start < SOON
  with pytest.raises(Closed):
    learner.sample()

  start_server()
  experience = ReverbExperience(f"localhost:{port}", SIGNATURE, DATA, patience=60)
  assert experience.size() == 3
  weights = np.array([0.8, 0.1, 0.1])
  seen = set()
  for _ in range(400):  # at one in ten, an item is missed by as many with a chance of 1e-18
    sample = experience.sample()
    assert_intact(sample.trajectory)
    drawn = numbers(sample.trajectory)
    np.testing.assert_allclose(sample.probabilities, weights[drawn])
    assert sample.keys.tolist() == [keys[n] for n in drawn]
    seen |= set(drawn)
    if len(seen) == 3:
      break
  assert seen == {0, 1, 2}
  experience.close()


def test_no_server_is_told(port, monkeypatch):
  monkeypatch.setattr(reverb_form, "HEARTBEAT", 1)
  with pytest.raises(Unavailable, match=str(port)):
    connect(port)


def test_a_port_that_is_taken_is_told():
  with socket.socket() as taken:
    taken.bind(("", 0))
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(UserError, match=rf"port {port} is taken"):
      reverb_server.serve(SIGNATURE, DATA, port)


def test_two_servers_never_share_a_port():
  server = reverb_server.serve(SIGNATURE, DATA)
  with pytest.raises(UserError, match="taken"):
    reverb_server.serve(SIGNATURE, DATA, server.port)
  server.stop()


def test_a_damaged_checkpoint_is_told(tmp_path):
  server = reverb_server.serve(SIGNATURE, DATA, checkpoint_folder=tmp_path)
  experience = connect(server.port)
  inserter = experience.inserter()
  inserter.insert(unroll(0))
  inserter.close()
  folder = Path(experience.checkpoint())
  assert folder.parent == tmp_path
  experience.close()
  server.stop()
  for file in folder.iterdir():
    if file.name != "DONE":
      file.write_bytes(bytes(byte ^ 255 for byte in file.read_bytes()))
  with pytest.raises(UserError, match=str(tmp_path)):
    reverb_server.serve(SIGNATURE, DATA, checkpoint_folder=tmp_path)


def test_only_the_newest_checkpoint_is_kept(tmp_path):
  server = reverb_server.serve(SIGNATURE, DATA, checkpoint_folder=tmp_path)
  experience = connect(server.port)
  experience.checkpoint()
  newest = experience.checkpoint()
  experience.close()
  server.stop()
  assert [str(path) for path in tmp_path.iterdir()] == [newest]


def test_another_agents_items_are_refused():
  server = reverb_server.serve(SIGNATURE, DATA)
  with pytest.raises(ValueError, match="bytes"):
    ReverbExperience(f"localhost:{server.port}", SIGNATURE._replace(memory=()), DATA)
  server.stop()


def test_a_queue_takes_one_batch_by_default(threads):
  data = DataSpec(LENGTH, 2)
  server = reverb_server.serve(SIGNATURE, data)
  experience = ReverbExperience(f"localhost:{server.port}", SIGNATURE, data)
  inserter = experience.inserter()
  inserter.insert(unroll(0, 1))
  inserting = threads.submit(inserter.insert, unroll(2, 3))
  with pytest.raises(TimeoutError):
    inserting.result(timeout=A_WHILE)
  assert experience.size() == 2
  experience.close()
  with pytest.raises(Closed):
    inserting.result(timeout=SOON)
  server.stop()


def test_without_reverb_one_line_says_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, "reverb", None)
  with pytest.raises(UserError, match=r"pip install 'rarebird\[reverb\]'"):
    reverb_server.library()
