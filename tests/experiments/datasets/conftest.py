"""A small dataset with known numbers."""

import numpy as np
import pytest
from dm_env import specs

from experiments.datasets.dataset import Dataset, Episode
from experiments.datasets.description import Description
from experiments.datasets.writer import Writer


@pytest.fixture
def lengths():
  """Of three episodes."""
  return np.array([3, 1, 4])


@pytest.fixture
def description():
  """Of observations [2] and actions [1] in [-1, 1]."""
  return Description(
    env="somewhere",
    settings={"size": 4},
    view=False,
    observation=specs.Array((2,), np.float32, "observation"),
    action=specs.BoundedArray((1,), np.float32, -1.0, 1.0, "action"),
    policy="random",
    seed=0,
    creation={},
  )


@pytest.fixture
def episodes(lengths):
  """Three, of `lengths` steps: the first two terminate, the last is cut off."""
  rng = np.random.default_rng(0)
  steps, rows = lengths.sum(), lengths.sum() + len(lengths)
  discount = np.ones(steps, np.float32)
  discount[[2, 3]] = 0.0
  return Episode(
    rng.normal(size=(rows, 2)).astype(np.float32),
    rng.uniform(-1, 1, (steps, 1)).astype(np.float32),
    rng.normal(size=steps).astype(np.float32),
    discount,
  )


@pytest.fixture
def written(tmp_path, description, episodes, lengths):
  """The dataset, opened."""
  with Writer(tmp_path / "data", description) as writer:
    writer.add(episodes, lengths)
  return Dataset(tmp_path / "data")
