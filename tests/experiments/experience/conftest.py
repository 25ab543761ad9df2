"""The forms of experience under test; those on Reverb only where it is installed."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import pytest

from agents.trajectory import DataSpec
from experiments.experience import reverb as reverb_form
from experiments.experience.queue import Queue
from experiments.experience.replay import Replay
from experiments.experience.reverb import ReverbExperience
from experiments.experience.reverb_server import serve
from tests.experiments.experience.items import SIGNATURE

needs_reverb = pytest.mark.skipif(
  importlib.util.find_spec("reverb") is None, reason="Reverb is not installed"
)
needs_flashbax = pytest.mark.skipif(
  importlib.util.find_spec("flashbax") is None, reason="flashbax is not installed"
)


@pytest.fixture
def make_embedded():
  """(data, capacity of a queue) -> the embedded form; closed after the test."""
  made = []

  def make(data: DataSpec, capacity: int = 4):
    made.append(
      Queue(SIGNATURE, data, capacity) if data.replay is None else Replay(SIGNATURE, data)
    )
    return made[-1]

  yield make
  for experience in made:
    experience.close()


@pytest.fixture
def make_reverb(monkeypatch):
  """The same on a Reverb server in this process."""
  monkeypatch.setattr(reverb_form, "HEARTBEAT", 1)
  made, servers = [], []

  def make(data: DataSpec, capacity: int = 4):
    servers.append(serve(SIGNATURE, data, queue_capacity=capacity))
    made.append(ReverbExperience(f"localhost:{servers[-1].port}", SIGNATURE, data))
    return made[-1]

  yield make
  # The servers first: within one process Reverb lets a learner wait 3 s before it sees the close.
  for server in servers:
    server.stop()
  for experience in made:
    experience.close()


@pytest.fixture(params=["queue", pytest.param("reverb", marks=needs_reverb)])
def make_queue(request):
  return request.getfixturevalue({"queue": "make_embedded", "reverb": "make_reverb"}[request.param])


@pytest.fixture(
  params=[
    pytest.param("replay", marks=needs_flashbax),
    pytest.param("reverb", marks=needs_reverb),
  ]
)
def make_replay(request):
  return request.getfixturevalue(
    {"replay": "make_embedded", "reverb": "make_reverb"}[request.param]
  )


@pytest.fixture
def threads():
  """Threads that end with the test; use `submit(...).result(timeout=...)`."""
  with ThreadPoolExecutor(8) as pool:
    yield pool
