"""What is refused of a dataset, with the episode named."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from dm_env import specs

from experiments.datasets.description import Quantity
from experiments.settings.errors import UserError

BLOCK_BYTES = 2**24
"""Bytes that are looked at at a time."""
AGAIN = "collect it anew"


class Header(NamedTuple):
  """Of an .npy file: shape and dtype it claims, where its data begins, and the file's bytes."""

  shape: tuple[int, ...]
  dtype: np.dtype
  offset: int
  size: int


def read_header(path: Path) -> Header:
  """Reads the header of an .npy file, version 1.0, C order; another is a UserError."""
  try:
    with path.open("rb") as file:
      if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version of .npy than 1.0")
      shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
      if fortran or dtype.hasobject:
        raise ValueError("neither numbers nor in C order")
      return Header(shape, dtype, file.tell(), os.fstat(file.fileno()).st_size)
  except FileNotFoundError:
    raise UserError(f"{path.parent} has no {path.name}; {AGAIN}.") from None
  except (OSError, ValueError) as error:
    raise UserError(f"{path} cannot be read ({error}); {AGAIN}.") from error


def check_starts(where: str, starts: np.ndarray, episodes: int, steps: int) -> None:
  """Checks where episodes begin, int64 [E+1], against their number and that of all steps.

  Raises:
    UserError: naming the first episode that has no steps, or less than none.
  """
  if starts[0] != 0:
    raise UserError(f"{where}: episode 0 begins at step {starts[0]}, not at 0; {AGAIN}.")
  lengths = np.diff(starts)
  if (empty := np.flatnonzero(lengths == 0)).size:
    raise UserError(f"{where}: episode {empty[0]} of {episodes} has length 0; {AGAIN}.")
  if (ragged := np.flatnonzero(lengths < 0)).size:
    raise UserError(f"{where}: episode {ragged[0]} of {episodes} ends before it begins; {AGAIN}.")
  if starts[-1] != steps:
    raise UserError(
      f"{where}: episode {episodes - 1}, the last, ends at step {starts[-1]}, and there are {steps}"
      f" steps; {AGAIN}."
    )


def check_file(path: Path, spec: specs.Array, firsts: np.ndarray) -> None:
  """Checks that a file has the rows it should have, in shape and dtype of `spec`.

  Args:
    path: of the .npy file.
    spec: of one row.
    firsts: int64 [E+1], the row at which each episode begins, and the number of all rows.

  Raises:
    UserError: naming the first episode of which rows are missing.
  """
  header, episodes = read_header(path), len(firsts) - 1
  if header.shape[1:] != spec.shape or header.dtype != spec.dtype or not header.shape:
    raise UserError(
      f"{path} has {header.dtype.name} of shape {header.shape[1:]}, and dataset.json says"
      f" {spec.dtype.name} of shape {spec.shape}; {AGAIN}."
    )
  row_bytes = spec.dtype.itemsize * math.prod(spec.shape)
  rows = min(header.shape[0], (header.size - header.offset) // row_bytes)
  if rows < firsts[-1]:
    raise UserError(
      f"{path} is cut short in episode {episode_of(firsts, rows)} of {episodes}: it has {rows} of"
      f" {firsts[-1]} rows; {AGAIN}."
    )
  if header.shape[0] > rows or header.size > header.offset + row_bytes * firsts[-1]:
    raise UserError(f"{path} goes on after episode {episodes - 1}, the last; {AGAIN}.")


def check_values(
  where: str,
  quantity: Quantity,
  array: np.ndarray,
  firsts: np.ndarray,
  remedy: str = AGAIN,
  number: int = 0,
) -> None:
  """Refuses NaN and infinite values, and actions and discounts out of their bounds.

  Args:
    where: the dataset, for messages.
    quantity: what it is.
    array: its values [rows, ...].
    firsts: int64 [E+1], the row at which each episode begins.
    remedy: what to do.
    number: of the first episode.

  Raises:
    UserError: naming the first episode with such a value.
  """
  name, spec, observed = quantity
  inexact = np.issubdtype(spec.dtype, np.inexact)
  bounded = isinstance(spec, specs.BoundedArray) and not observed
  rows = max(1, BLOCK_BYTES // max(array[:1].nbytes, 1))
  for begin in range(0, len(array), rows) if inexact or bounded else ():
    block = array[begin : begin + rows]
    what = "NaN or infinity"
    good = np.isfinite(block) if inexact else np.ones((), bool)
    if good.all() and bounded:
      what = "a value out of its bounds"
      good = (block >= spec.minimum) & (block <= spec.maximum)
    if not good.all():
      row = begin + int(np.argmin(good.reshape(len(block), -1).all(axis=1)))
      episode = episode_of(firsts, row)
      raise UserError(
        f"{where}: episode {number + episode} has {what} in {name}, row {row - firsts[episode]};"
        f" {remedy}."
      )


def check_ends(
  where: str, discount: np.ndarray, starts: np.ndarray, remedy: str = AGAIN, number: int = 0
) -> None:
  """Refuses an episode that goes on after a discount of 0, which is an end; see `check_values`."""
  ends = np.flatnonzero(np.asarray(discount) == 0)
  after = ends[~np.isin(ends + 1, starts)]
  if after.size:
    episode = episode_of(starts, after[0])
    raise UserError(
      f"{where}: episode {number + episode} goes on after its end at row"
      f" {after[0] - starts[episode]}; {remedy}."
    )


def episode_of(firsts: np.ndarray, row: int) -> int:
  """The episode that a row belongs to, of episodes that begin at rows `firsts` [E+1]."""
  return int(np.searchsorted(firsts, row, side="right")) - 1
