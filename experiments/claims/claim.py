"""What a claim is: arms, each some seeds of one way to do it, and columns of numbers to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]
"""Numbers of one seed of one arm; None or NaN for what there is not."""


class Claim(NamedTuple):
  """A claim.

  Attributes:
    about: what is claimed, one line.
    arms: by name, seeds -> a row for each. An arm trains all seeds in one program.
    columns: what a table shows of a row: its key, and how it is written, such as "{:.0%}".
    sums_up: rows -> lines below the table, of what is no mean of an arm; rows have `arm`, `seed`.
  """

  about: str
  arms: Mapping[str, Callable[[Sequence[int]], list[Row]]]
  columns: Mapping[str, str]
  sums_up: Callable[[Sequence[Row]], list[str]] = lambda rows: []
