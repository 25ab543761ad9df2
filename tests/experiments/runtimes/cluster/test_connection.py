"""Nodes: what they are started with, and a connection whose replay server goes away."""

import os
from pathlib import Path

import numpy as np
import pytest

from experiments.experience.experience import Closed, Unavailable
from experiments.runtimes.cluster import cluster_loop
from experiments.runtimes.cluster.nodes import Connection


class Gone:
  def __init__(self, error):
    self.error = error

  def update_priorities(self, keys, priorities):
    raise self.error


@pytest.mark.parametrize("server", [None, Gone(Closed()), Gone(Unavailable())])
def test_priorities_for_a_server_that_is_gone_are_dropped(server):
  connection = Connection(None, None)
  connection._experience = server
  connection.update_priorities(np.zeros(2, np.uint64), np.ones(2))


def test_nodes_find_our_packages_wherever_the_command_was_typed(monkeypatch):
  monkeypatch.setenv("PYTHONPATH", "theirs")
  ours, theirs = cluster_loop._variables(accelerated=True)["PYTHONPATH"].split(os.pathsep)
  assert (Path(ours) / "experiments" / "runtimes").is_dir()
  assert theirs == "theirs"
