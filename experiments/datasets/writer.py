"""Writing a dataset: streamed into files, whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from envs.observation import leaves
from experiments.datasets import validate
from experiments.datasets.dataset import DESCRIPTION, STARTS, Episode
from experiments.datasets.description import Description
from experiments.runs.file_lock import FileLock
from experiments.settings.errors import UserError

NOTHING = "nothing was written"


class Writer:
  """Writes episodes as they come, in a hidden folder that gets its name once it is whole.

    with Writer(path, description) as writer:
      writer.add(Episode(observation, action, reward, discount), lengths)

  An error within the block, Ctrl-C too, removes what was written. What a killed process leaves has
  another name, and the next writer of the same dataset removes it.
  """

  def __init__(self, path: Path, description: Description):
    """Makes the hidden folder.

    Args:
      path: of the dataset; it may not exist.
      description: without the numbers of episodes and steps, which are counted.

    Raises:
      UserError: if there is such a folder, another process writes it, or it cannot be made.
    """
    self.path, self._description = path, description
    self._hidden = path.with_name(f".{path.name}.new")
    self._lengths: list[np.ndarray] = []
    self._episodes = 0
    self._open = contextlib.ExitStack()
    if path.exists():
      raise UserError(f"{path} exists and is never overwritten; give another folder with --out.")
    try:
      self._hidden.mkdir(parents=True, exist_ok=True)
      self._open.enter_context(contextlib.closing(FileLock(self._hidden)))
      for left_over in self._hidden.iterdir():
        left_over.unlink()
      self._files = {
        name: self._open.enter_context((self._hidden / f"{name}.npy").open("w+b"))
        for name in description.files
      }
    except BlockingIOError:
      self._open.close()
      raise UserError(f"{path} is being written by another process; wait for it to end.") from None
    except OSError as error:
      self._open.close()
      raise UserError(f"cannot write to {path}: {error.strerror}; give --out.") from error
    for name in self._files:
      self._write_header(name, 0)

  def add(self, episodes: Episode, lengths: Any) -> None:
    """Appends episodes that lie one after another.

    Args:
      episodes: E of them, L steps in all.
      lengths: integers [E], the steps of each.

    Raises:
      UserError: one line, with the episode, for values that no dataset may hold.
    """
    lengths = np.asarray(lengths, np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    where, number = str(self.path), self._episodes
    if (empty := np.flatnonzero(lengths < 1)).size:
      raise UserError(f"{where}: episode {number + empty[0]} has length 0; {NOTHING}.")
    seen, files = leaves(episodes.observation), self._description.files
    if (expected := list(leaves(self._description.observation))) != list(seen):
      raise UserError(
        f"{where}: episode {number}: the observation has leaves {list(seen)}, expected {expected};"
        f" {NOTHING}."
      )
    arrays = {}
    for (file, quantity), values in zip(
      files.items(), [*seen.values(), *episodes[1:]], strict=True
    ):
      firsts = starts + np.arange(len(starts)) if quantity.observed else starts
      array, shape = np.asarray(values), (int(firsts[-1]), *quantity.spec.shape)
      if array.shape != shape:
        raise UserError(
          f"{where}: episode {number}: {quantity.name} has shape {array.shape}, expected {shape};"
          f" {NOTHING}."
        )
      arrays[file] = np.ascontiguousarray(array, quantity.spec.dtype)
      validate.check_values(where, quantity, arrays[file], firsts, NOTHING, number)
    validate.check_ends(where, arrays["discount"], starts, NOTHING, number)
    for name, array in arrays.items():
      self._files[name].write(array.data)
    self._lengths.append(lengths)
    self._episodes += len(lengths)

  def __enter__(self) -> Writer:
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
  ) -> None:
    with self._open:  # the lock is let go last: by then the folder has its name, or is gone
      try:
        if kind is None:
          return self._finish()
      except BaseException:
        shutil.rmtree(self._hidden, ignore_errors=True)
        raise
      shutil.rmtree(self._hidden, ignore_errors=True)

  def _finish(self) -> None:
    if not self._episodes:
      raise UserError(f"{self.path}: there are no episodes; {NOTHING}.")
    lengths = np.concatenate(self._lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    steps = int(starts[-1])
    for name, file in self._files.items():
      observed = self._description.files[name].observed
      self._write_header(name, steps + (len(lengths) if observed else 0))
      file.close()
    np.save(self._hidden / STARTS, starts)
    whole = dataclasses.replace(self._description, episodes=len(lengths), steps=steps)
    (self._hidden / DESCRIPTION).write_text(whole.to_json(), "utf-8")
    os.rename(self._hidden, self.path)

  def _write_header(self, name: str, rows: int) -> None:
    """Writes the header of a file at its beginning; NumPy makes it of one size for any `rows`."""
    spec, file = self._description.files[name].spec, self._files[name]
    file.seek(0)
    header = {
      "descr": np.lib.format.dtype_to_descr(spec.dtype),
      "fortran_order": False,
      "shape": (rows, *spec.shape),
    }
    np.lib.format.write_array_header_1_0(file, header)
