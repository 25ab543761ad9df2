"""What a run folder that is handed on may hold, and its manifest: every file with size and SHA-256.

Arrays (orbax checkpoints), JSON, pictures and the card; nothing that is executed.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from experiments.settings.errors import UserError

MANIFEST = "manifest.json"
CARD = "README.md"
FORMAT = 1
"""Of the manifest."""
MOST_FILES = 10_000
MOST_JSON_BYTES = 64 * 2**20
"""Of a file that is read whole."""
DEEPEST = 12
"""Folders below one another."""
ALONE = (
  "config.json", "references.json", "results.json", "ranks.json", "links.json", "metrics.jsonl",
  "probes.jsonl", "curves.png", "ranks.png", "goals.png", "probes.png", "episode.gif", CARD,
)  # fmt: skip
"""Files of a run folder that are handed on beside its newest checkpoint."""

_CHECKPOINT = re.compile(r"checkpoints/\d+(/[\w.-]+)+|checksums/\d+\.json")
_MAGIC = {".png": (b"\x89PNG\r\n\x1a\n",), ".gif": (b"GIF87a", b"GIF89a")}
_CODE = (".py", ".pyc", ".so", ".sh", ".pkl", ".pickle", ".ipynb")


class File(NamedTuple):
  """A file of the manifest."""

  path: str
  size: int
  sha256: str


def refused(path: str, trust_code: bool) -> str:
  """Why a file may not be taken, by its path in the folder, or ""."""
  parts = PurePosixPath(path).parts
  if not path or path != str(PurePosixPath(path)) or path.startswith("/") or ".." in parts:
    return "leads out of the folder"
  if "\\" in path or ":" in path or not path.isprintable() or len(parts) > DEEPEST:
    return "is no path that every system has"
  if path in ALONE or _CHECKPOINT.fullmatch(path):
    return ""
  if path.endswith(_CODE):
    taken = trust_code and path.endswith(".py") and re.fullmatch(r"\w+\.py", path)
    return "" if taken else "is code, or may run some"
  return "is of no format that a run has"


def read_manifest(text: str, where: str) -> list[File]:
  """The files that a manifest names; a UserError if it is none."""
  try:
    data = json.loads(text)
    if data["format"] != FORMAT:
      raise ValueError(f"format {data['format']!r}, and this version reads {FORMAT}")
    files = [File(str(f["path"]), int(f["size"]), str(f["sha256"])) for f in data["files"]]
  except (ValueError, KeyError, TypeError, RecursionError) as error:
    raise UserError(f"{where} cannot be read: {error}.") from error
  paths = [file.path for file in files]
  if len(set(paths)) < len(paths) or any(file.size < 0 for file in files):
    raise UserError(f"{where} cannot be read: a file stands twice, or with a size below 0.")
  return files


def written_manifest(files: list[File]) -> bytes:
  """The manifest as it is written."""
  data = {"format": FORMAT, "files": [file._asdict() for file in files]}
  return (json.dumps(data, indent=2) + "\n").encode()


def check_data(path: str, head: bytes, whole: bytes | None) -> str:
  """What is wrong with a file's data, or "".

  Args:
    path: in the folder.
    head: its first bytes.
    whole: all of it, of a JSON file.
  """
  suffix = PurePosixPath(path).suffix
  if suffix in _MAGIC and not head.startswith(_MAGIC[suffix]):
    return f"is no {suffix[1:].upper()}"
  if whole is None:
    return ""
  try:
    if suffix == ".json":
      json.loads(whole)
    else:
      for line in whole.splitlines():
        json.loads(line)
  except (ValueError, RecursionError):
    return "is no JSON"
  return ""


def named_code(config: Any, at: str = "config.json") -> str:
  """Where a config names code of somebody's own (`module:Name`), or a run elsewhere; or "".

  An id of gymnasium, `gym:<id>`, is none, unless the id itself names a module. Nothing is imported.
  """
  if isinstance(config, dict):
    for name, value in config.items():
      if name == "teacher" and value:
        return f"{at} learns from a run elsewhere, {value!r}"
      if where := named_code(name, at) or named_code(value, f"{at}: {name}"):
        return where
  elif isinstance(config, list):
    return next(filter(None, (named_code(value, at) for value in config)), "")
  elif isinstance(config, str) and ":" in config.removeprefix("gym:"):
    return f"{at} is {config!r}"
  return ""
