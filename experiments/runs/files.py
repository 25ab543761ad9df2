"""Writing a file at once or not at all."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path, data: bytes) -> None:
  """Writes `path` so that a process killed on the way leaves the old file or the new one."""
  temporary = path.with_name(f".{path.name}.new")
  temporary.write_bytes(data)
  os.replace(temporary, path)


def write_json(path: Path, data: Any) -> None:
  """Writes JSON at once or not at all, with null for what is not finite."""
  write_atomically(path, (json.dumps(finite(data), indent=2, allow_nan=False) + "\n").encode())


def finite(data: Any) -> Any:
  """The same with None for floats that are not finite, which JSON cannot hold."""
  if isinstance(data, dict):
    return {name: finite(x) for name, x in data.items()}
  if isinstance(data, list | tuple):
    return [finite(x) for x in data]
  return None if isinstance(data, float) and not math.isfinite(data) else data
