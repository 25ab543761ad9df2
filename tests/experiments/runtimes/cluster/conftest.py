"""Two hosts on one machine: two Ray nodes, started as on a real cluster."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")

from experiments.runtimes.cluster import session

NODE = """
  --num-cpus 2 --object-store-memory 100000000 --disable-usage-stats
""".split()  # noqa: SIM905 - reads like a command line


@dataclasses.dataclass(frozen=True)
class Hosts:
  """A cluster of the hosts "a", its head, and "b".

  Each has two processors, a label `host`, the resource host_a or host_b, and its own working
  directory.

  Attributes:
    address: host:port of the head.
    token: the file with the cluster's token.
  """

  address: str
  token: Path


@pytest.fixture(scope="session")
def two_hosts() -> Iterator[Hosts]:
  with session.private_folder() as folder:
    changes = session.token_variables(folder / "token") | {"AUTOSCALER_METRIC_PORT": "-1"}
    env = {name: value for name, value in (os.environ | changes).items() if value is not None}

    def ray_start(host: str, *arguments: str) -> str:
      (folder / host).mkdir()
      labels = ["--labels", f"host={host}", "--resources", f'{{"host_{host}": 1}}']
      command = [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments, *NODE, *labels]
      done = subprocess.run(command, env=env, cwd=folder / host, capture_output=True, text=True)
      assert done.returncode == 0, done.stderr
      return done.stderr + done.stdout

    places = ["--temp-dir", str(folder / "ray"), "--include-dashboard", "false"]
    head = ray_start("a", "--head", "--port", "0", *places)
    address = re.search(r"--address='([^']+)'", head)
    assert address, head
    ray_start("b", "--address", address[1])
    yield Hosts(address[1], folder / "token")
