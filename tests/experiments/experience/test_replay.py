"""What only the embedded replay does: saving and restoring itself, and drawing by a seed."""

import sys

import numpy as np
import pytest

from agents.trajectory import DataSpec, ReplaySpec
from experiments.experience.replay import Replay
from experiments.settings.errors import UserError
from tests.experiments.experience.conftest import needs_flashbax
from tests.experiments.experience.items import LENGTH, SIGNATURE, assert_intact, unroll

pytestmark = needs_flashbax
DATA = DataSpec(LENGTH, 4, ReplaySpec(5, 2, 4.0, 0.5))


def used(items=7):
  """A replay in the midst of its work, which has forgotten its first items."""
  replay = Replay(SIGNATURE, DATA)
  inserter = replay.inserter()
  for number in range(items):
    inserter.insert(unroll(number))
    if number >= 2:
      replay.update_priorities(replay.sample().keys, np.arange(4) + number)
  return replay


def assert_same_future(first, second):
  for number in range(100, 103):
    for replay in (first, second):
      replay.inserter().insert(unroll(number))
    one, two = first.sample(), second.sample()
    for x, y in zip(one[1:], two[1:], strict=True):
      np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(one.trajectory.reward, two.trajectory.reward)
    assert_intact(two.trajectory)
    for replay in (first, second):
      replay.update_priorities(one.keys, np.full(4, 2.0))


@pytest.mark.parametrize("items", [4, 7])
def test_a_restored_replay_goes_on_as_the_saved_one(tmp_path, items):
  replay = used(items)
  replay.save(tmp_path / "replay")
  restored = Replay(SIGNATURE, DATA)
  assert restored.restore(tmp_path / "replay")
  assert restored.size() == replay.size()
  assert_same_future(replay, restored)


def test_the_newest_save_counts_and_is_the_only_one(tmp_path):
  replay = used()
  replay.save(tmp_path)
  replay.inserter().insert(unroll(50))
  replay.sample()
  replay.save(tmp_path)
  assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "latest"]
  restored = Replay(SIGNATURE, DATA)
  restored.restore(tmp_path)
  assert_same_future(replay, restored)


def test_a_save_that_was_killed_leaves_the_one_before(tmp_path):
  replay = used()
  replay.save(tmp_path)
  (tmp_path / "2").mkdir()
  (tmp_path / "2" / "counts.npy").write_bytes(b"half")
  restored = Replay(SIGNATURE, DATA)
  restored.restore(tmp_path)
  assert_same_future(replay, restored)
  replay.save(tmp_path)


def test_nothing_saved_is_no_error(tmp_path):
  assert not Replay(SIGNATURE, DATA).restore(tmp_path)


def test_a_damaged_save_is_told_and_changes_nothing(tmp_path):
  used().save(tmp_path)
  (tmp_path / "1" / "3.npy").write_bytes(b"nothing")
  replay = Replay(SIGNATURE, DATA)
  with pytest.raises(UserError, match="damaged"):
    replay.restore(tmp_path)
  assert replay.size() == 0


@pytest.mark.parametrize(
  ("signature", "data"),
  [
    (SIGNATURE, DATA._replace(replay=DATA.replay._replace(capacity=6))),
    (SIGNATURE._replace(reward=SIGNATURE.memory[0]), DATA),
  ],
)
def test_a_save_of_other_items_or_capacity_is_refused(tmp_path, signature, data):
  used().save(tmp_path)
  with pytest.raises(UserError, match="other items"):
    Replay(signature, data).restore(tmp_path)


def test_a_seed_fixes_what_is_drawn():
  def keys(seed):
    replay = Replay(SIGNATURE, DATA, seed)
    replay.inserter().insert(unroll(0, 1, 2))  # 4 draws from 2 items, by strata, leave no choice
    return replay.sample().keys.tolist()

  assert keys(0) == keys(0)
  assert len({tuple(keys(seed)) for seed in range(5)}) > 1


def test_without_flashbax_one_line_says_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, "flashbax.buffers", None)
  with pytest.raises(UserError, match=r"pip install 'rarebird\[replay\]'"):
    Replay(SIGNATURE, DATA)
