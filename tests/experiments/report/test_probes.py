"""The page's table of probes."""

import types

import numpy as np

from experiments.report import probes


def test_a_row_of_each_cell_and_label_has_the_means_over_seeds():
  def seed(share):
    told = {"all": share, "common": 1.0, "rare": None, "chance": 0.2}
    return {"score": share, "seconds": 3.0, "probes": {"room": told}}

  finals = {("byol", "maze"): {0: seed(0.4), 1: seed(0.6)}, ("none", "maze"): {0: {"score": 0.1}}}
  comparison = types.SimpleNamespace(envs=["maze"], variants=["byol", "none"], finals=finals)
  (row,) = probes.table(comparison)
  assert (row["variant"], row["label"], row["env"]) == ("byol", "room", "maze")
  assert (row["all"], row["common"], row["score"], row["seconds"]) == (0.5, 1.0, 0.5, 3.0)
  assert np.isnan(row["rare"])
