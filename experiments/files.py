"""Writing a file at once or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
  """Writes `path` so that a process killed on the way leaves the old file or the new one."""
  temporary = path.with_name(f".{path.name}.new")
  temporary.write_bytes(data)
  os.replace(temporary, path)
