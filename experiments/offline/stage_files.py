"""What a finished stage leaves: one .npz, arrays by name and a report, whole or not at all."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.runs.files import write_atomically
from experiments.settings.errors import UserError

REPORT = "report"


class Result(NamedTuple):
  """Of a stage.

  Attributes:
    arrays: what later stages need, by name.
    report: what a person is told, JSON.
  """

  arrays: dict[str, np.ndarray]
  report: dict[str, Any]


def save(path: Path, result: Result) -> None:
  """Writes a result."""
  data = io.BytesIO()
  np.savez(data, **result.arrays, **{REPORT: np.array(_text(result.report))})
  write_atomically(path, data.getvalue())


def load(path: Path) -> Result | None:
  """Reads what `save` wrote; None where there is none, and a UserError for a damaged file."""
  try:
    with np.load(path, allow_pickle=False) as data:
      arrays = {name: data[name] for name in data.files}
    return Result(arrays, json.loads(str(arrays.pop(REPORT))))
  except FileNotFoundError:
    return None
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    raise UserError(
      f"{path} is damaged or truncated ({error}); delete it, and the same command makes it again."
    ) from error


def _text(report: dict[str, Any]) -> str:
  return json.dumps(report)


def flat(prefix: str, tree: Any) -> dict[str, np.ndarray]:
  """A pytree's arrays, by where they are in it."""
  leaves = jax.tree.leaves_with_path(tree)
  return {prefix + jax.tree_util.keystr(path): np.asarray(x) for path, x in leaves}


def unflat(prefix: str, like: Any, arrays: dict[str, np.ndarray]) -> Any:
  """What `flat` was given, in the structure of `like`."""
  return jax.tree_util.tree_map_with_path(
    lambda path, _: arrays[prefix + jax.tree_util.keystr(path)], like
  )
