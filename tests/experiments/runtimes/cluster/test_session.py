"""Who gets in, what is left, and what a person is told."""

import contextlib
import dataclasses
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
import ray

from experiments.runtimes.cluster import session
from experiments.settings.errors import UserError

ROOT = Path(__file__).parents[4]
SECONDS = 60

# A driver with an actor that is busy and has a child; it says where it is and waits.
DRIVER = """
import json, signal, subprocess, sys, time
from experiments.runtimes.cluster import session
import ray

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

@ray.remote
class Busy:
  def start(self):
    self.child = subprocess.Popen(["sleep", "1000"])
  def work(self):
    time.sleep(1000)

try:
  with session.start(cpus=1) as here:
    busy = Busy.remote()
    ray.get(busy.start.remote())
    busy.work.remote()
    print(json.dumps({"address": here.address, "token": str(here.token)}), flush=True)
    sys.stdin.readline()
except KeyboardInterrupt:
  sys.exit(130)
"""

JOIN = """
import sys
from experiments.runtimes.cluster import session
from experiments.settings.errors import UserError
try:
  with session.start(sys.argv[1]):
    import ray
    print(ray.get(ray.remote(lambda: 42).options(num_cpus=0).remote()))
except UserError as error:
  sys.exit(str(error))
"""

# Not through this project's code: what a stranger would do.
STRANGER = """
import sys, ray
ray.init(sys.argv[1])
print(ray.cluster_resources())
"""


def environment(**changes):
  env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
  return env | {"PYTHONPATH": str(ROOT)} | changes


def python(code, *arguments, home, **variables):
  command = [sys.executable, "-c", code, *arguments]
  env = environment(HOME=str(home), RAY_gcs_server_port_wait_time_s="1", **variables)
  return subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS)


@dataclasses.dataclass(frozen=True)
class Driver:
  """A running driver, its descendants as they were, and the one of them that sweeps."""

  process: subprocess.Popen
  address: str
  token: Path
  descendants: list[psutil.Process]
  sweeper: psutil.Process


@contextlib.contextmanager
def driver():
  command = [sys.executable, "-c", DRIVER]
  pipe = subprocess.PIPE
  with subprocess.Popen(
    command, env=environment(), stdin=pipe, stdout=pipe, text=True, start_new_session=True
  ) as process:
    where = json.loads(process.stdout.readline())
    token = Path(where["token"])
    found = psutil.Process(process.pid).children(recursive=True)
    (sweeper,) = (child for child in found if str(token.parent) in child.cmdline())
    try:
      yield Driver(process, where["address"], token, found, sweeper)
    finally:
      process.kill()
      with contextlib.suppress(psutil.NoSuchProcess):
        sweeper.wait(SECONDS)


@pytest.fixture(scope="module")
def running():
  with driver() as running:
    yield running


def test_the_token_is_its_owners_alone(running):
  assert running.token.stat().st_mode & 0o777 == 0o600
  assert running.token.parent.stat().st_mode & 0o777 == 0o700
  assert len(running.token.read_text()) == 64


def test_the_token_is_in_no_command_line(running):
  token = running.token.read_text()
  lines = []
  for process in psutil.process_iter():
    with contextlib.suppress(psutil.Error):  # it has ended meanwhile, and has no command line
      lines += process.cmdline()
  assert lines
  assert not any(token in line for line in lines)


def test_a_stranger_is_refused(running, tmp_path):
  done = python(STRANGER, running.address, home=tmp_path)
  assert done.returncode
  assert "InvalidAuthToken" in done.stderr
  assert not done.stdout


def test_a_wrong_token_is_refused_in_one_line(running, tmp_path):
  done = python(JOIN, running.address, home=tmp_path, RAY_AUTH_TOKEN="0" * 64)
  assert done.returncode
  assert "refused this token" in done.stderr.splitlines()[-1]
  assert not done.stdout


def test_no_token_is_refused_in_one_line(running, tmp_path):
  done = python(JOIN, running.address, home=tmp_path)
  assert done.returncode
  assert "~/.ray/auth_token" in done.stderr.splitlines()[-1]
  assert not done.stdout


def test_the_owner_joins_by_the_usual_place_of_the_token(running, tmp_path):
  (tmp_path / ".ray").mkdir()
  (tmp_path / ".ray" / "auth_token").write_text(running.token.read_text())
  done = python(JOIN, running.address, home=tmp_path)
  assert done.stdout.split() == ["42"], done.stderr


def test_no_port_serves_http_without_the_token(running):
  """Neither the dashboard nor figures of it; gRPC answers HTTP/1 by hanging up."""
  listening = {
    (process.name(), connection.laddr.port)
    for process in running.descendants
    for connection in process.net_connections("tcp")
    if connection.status == psutil.CONN_LISTEN
  }
  assert len(listening) >= 3
  host = running.address.rpartition(":")[0]
  for name, port in listening:
    with pytest.raises((OSError, http.client.HTTPException)) as refusal:
      urllib.request.urlopen(f"http://{host}:{port}/", timeout=SECONDS)
    status = getattr(refusal.value, "code", 401)
    assert status == 401, (name, port, status)
  assert "dashboard" not in {name for name, _ in listening}


@pytest.mark.parametrize("end", ["close", "ctrl-c", "kill"])
def test_nothing_is_left(end):
  with driver() as here:
    names = " ".join(" ".join(child.cmdline()) for child in here.descendants)
    assert all(part in names for part in ["gcs_server", "raylet", "ray::Busy", "sleep 1000"])
    if end == "close":
      here.process.communicate("\n", timeout=SECONDS)
    elif end == "ctrl-c":  # a terminal sends it to the whole group
      os.killpg(here.process.pid, signal.SIGINT)
    else:
      here.process.kill()
    status = here.process.wait(SECONDS)
    assert status == {"close": 0, "ctrl-c": 130, "kill": -signal.SIGKILL}[end]
    with contextlib.suppress(psutil.NoSuchProcess):
      here.sweeper.wait(SECONDS)
    assert not [child for child in here.descendants if _runs(child)]
    assert not here.token.parent.exists()


def _runs(process):
  try:
    return process.status() != psutil.STATUS_ZOMBIE
  except psutil.NoSuchProcess:
    return False


def test_actors_run_on_both_hosts(two_hosts):
  before = _ray_variables()

  @ray.remote(num_cpus=1)
  class Where:
    def host(self):
      return Path.cwd().name

  with session.start(two_hosts.address, token=two_hosts.token):
    by_label = [Where.options(label_selector={"host": host}).remote() for host in "ab"]
    assert ray.get([actor.host.remote() for actor in by_label]) == ["a", "b"]
    by_resource = [Where.options(resources={f"host_{host}": 1}).remote() for host in "ab"]
    assert ray.get([actor.host.remote() for actor in by_resource]) == ["a", "b"]
  assert _ray_variables() == before


def _ray_variables():
  return {name: value for name, value in os.environ.items() if name.startswith("RAY_AUTH")}


def test_sessions_follow_one_another_in_one_process(two_hosts):
  for _ in range(2):
    with session.start(two_hosts.address, token=two_hosts.token) as here:
      assert ray.is_initialized()
      with pytest.raises(UserError, match="already"), session.start():
        pass
    assert not ray.is_initialized()
  assert here.address == two_hosts.address


def test_nothing_at_the_address_is_told_in_one_line():
  with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
  with pytest.raises(UserError, match=r"nothing answers at .*ray start"):
    session.start(f"127.0.0.1:{port}").__enter__()


@pytest.mark.parametrize("address", ["here", "ray://head:10001", "head:port", "head:99999"])
def test_an_address_that_is_none(address):
  with pytest.raises(UserError, match=address):
    session.start(address).__enter__()
