"""Writing: whole or not at all, and nothing that would be refused."""

import os
from pathlib import Path

import numpy as np
import pytest

from experiments.datasets.dataset import Dataset, Episode
from experiments.datasets.writer import Writer
from experiments.settings.errors import UserError


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_is_interrupted_leaves_nothing(tmp_path, description, episodes, lengths, error):
  def write():
    with Writer(tmp_path / "data", description) as writer:
      writer.add(episodes, lengths)
      raise error

  with pytest.raises(error):
    write()
  assert os.listdir(tmp_path) == []


def test_until_it_is_whole_it_has_another_name(tmp_path, description, episodes, lengths):
  with Writer(tmp_path / "data", description) as writer:
    writer.add(episodes, lengths)
    (name,) = os.listdir(tmp_path)
    with pytest.raises(UserError, match="holds no dataset"):
      Dataset(tmp_path / name)
  assert os.listdir(tmp_path) == ["data"]


def test_what_a_killed_writer_left_is_removed(tmp_path, description, episodes, lengths):
  (tmp_path / ".data.new").mkdir()
  (tmp_path / ".data.new" / "reward.npy").write_bytes(b"half")
  with Writer(tmp_path / "data", description) as writer:
    writer.add(episodes, lengths)
  assert os.listdir(tmp_path) == ["data"]
  assert len(Dataset(tmp_path / "data")) == 3


def test_two_do_not_write_the_same(tmp_path, description, episodes, lengths):
  with Writer(tmp_path / "data", description) as writer:
    with pytest.raises(UserError, match="is being written by another process"):
      Writer(tmp_path / "data", description)
    writer.add(episodes, lengths)
  assert len(Dataset(tmp_path / "data")) == 3


def test_an_existing_folder_is_never_overwritten(tmp_path, description):
  (tmp_path / "data").mkdir()
  with pytest.raises(UserError, match="exists and is never overwritten"):
    Writer(tmp_path / "data", description)
  assert os.listdir(tmp_path) == ["data"]


def test_a_place_that_cannot_be_written_is_told(description):
  with pytest.raises(UserError, match="cannot write to /proc/nowhere/data"):
    Writer(Path("/proc/nowhere/data"), description)


def test_no_episodes_are_no_dataset(tmp_path, description):
  with pytest.raises(UserError, match="there are no episodes"), Writer(tmp_path / "x", description):
    pass
  assert os.listdir(tmp_path) == []


def test_many_writes_are_one_dataset(tmp_path, description, episodes, lengths):
  with Writer(tmp_path / "data", description) as writer:
    for _ in range(40):
      writer.add(episodes, lengths)
  dataset = Dataset(tmp_path / "data")
  assert (len(dataset), dataset.steps) == (120, 320)
  np.testing.assert_array_equal(dataset.observation, np.tile(episodes.observation, (40, 1)))
  np.testing.assert_array_equal(dataset.episode(119).reward, episodes.reward[4:])


@pytest.mark.parametrize(
  ("change", "words"),
  [
    ({"reward": [0.0, 0.0, 0.0, 0.0, np.nan, 0.0, 0.0, 0.0]}, "episode 5 has NaN"),
    ({"action": np.full((8, 1), 2.0)}, "episode 3 has a value out of its bounds in action"),
    ({"action": np.zeros((7, 1))}, r"episode 3: action has shape \(7, 1\), expected \(8, 1\)"),
    ({"discount": np.zeros(8)}, "episode 3 goes on after its end at row 0"),
  ],
)
def test_bad_values_are_refused_where_they_come_up(
  tmp_path, description, episodes, lengths, change, words
):
  def write():
    with Writer(tmp_path / "data", description) as writer:
      writer.add(episodes, lengths)
      writer.add(Episode(**episodes._asdict() | change), lengths)

  with pytest.raises(UserError, match=words):
    write()
  assert os.listdir(tmp_path) == []


def test_an_episode_without_steps_is_refused(tmp_path, description, episodes, lengths):
  def write():
    with Writer(tmp_path / "data", description) as writer:
      writer.add(episodes, [3, 0, 5])

  with pytest.raises(UserError, match="episode 1 has length 0"):
    write()
