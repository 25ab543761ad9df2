"""Locks: one at a time, by whatever the system has."""

import fcntl
import types

import pytest

from experiments.runs import file_lock
from experiments.runs.file_lock import FileLock, is_held


def locking(descriptor, mode, length):
  """msvcrt.locking by other means; it raises what Windows raises."""
  assert (mode, length) == (2, 1)
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise PermissionError(13, "Permission denied") from None


@pytest.fixture(params=["unix", "windows"])
def system(request, monkeypatch):
  if request.param == "windows":
    monkeypatch.setattr(file_lock, "_fcntl", None)
    monkeypatch.setattr(file_lock, "_msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
  return request.param


def test_a_file_is_held_by_one_until_it_lets_go(system, tmp_path):
  lock = FileLock(tmp_path / "lock")
  with pytest.raises(BlockingIOError):
    FileLock(tmp_path / "lock")
  assert is_held(tmp_path / "lock")
  lock.close()
  assert not is_held(tmp_path / "lock")
  FileLock(tmp_path / "lock").close()


def test_to_ask_is_not_to_hold(system, tmp_path):
  FileLock(tmp_path / "lock").close()
  assert not is_held(tmp_path / "lock")
  assert not is_held(tmp_path / "lock")


def test_what_is_not_there_is_not_held_nor_made(system, tmp_path):
  assert not is_held(tmp_path / "lock")
  assert not list(tmp_path.iterdir())


def test_a_folder_is_held_where_folders_can_be_opened(tmp_path):
  lock = FileLock(tmp_path)
  with pytest.raises(BlockingIOError):
    FileLock(tmp_path)
  lock.close()
  FileLock(tmp_path).close()


def test_a_folder_needs_no_lock_where_it_cannot_be_opened(monkeypatch, tmp_path):
  monkeypatch.setattr(file_lock, "_fcntl", None)
  FileLock(tmp_path).close()
