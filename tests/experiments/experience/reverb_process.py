"""A Reverb server in a process of its own, once a line comes in: python -m ... PORT FOLDER."""

import sys
from pathlib import Path

from agents.trajectory import DataSpec, ReplaySpec
from experiments.experience.reverb_server import library, serve
from tests.experiments.experience.items import LENGTH, SIGNATURE

DATA = DataSpec(LENGTH, 2, ReplaySpec(8, 3, 100.0, 1.0))

if __name__ == "__main__":
  library()
  sys.stdin.readline()
  server = serve(SIGNATURE, DATA, int(sys.argv[1]), Path(sys.argv[2]))
  print("up", flush=True)
  server.wait()
