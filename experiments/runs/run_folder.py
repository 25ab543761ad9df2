"""The run folder: who may write there, its config, and a log that is only ever appended to.

config.json       what was asked for
references.json   random and optimal play on every split
metrics.jsonl     one row a seed and log interval
tensorboard/      the same for TensorBoard, and what other trackers keep in folders of their names
tracker_id        what the run is known by where it is tracked
checkpoints/      orbax, by update
errors.log        tracebacks of what was told in one line; only appended to
stop              while `rarebird stop` asks the run to end
status.json  events.log  replay/   of a cluster run: its nodes, what happened to them, its replay
teacher/          of a run that learns from another: that one's config and checkpoints
curves.png  episode.gif  goals.png  results.json
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from experiments.runs.file_lock import FileLock
from experiments.runs.files import write_atomically, write_json
from experiments.settings import stored
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, differences, from_json, to_json

Kind = Literal["run", "comparison", "offline run"]
KIND = "kind"
"""Key of config.json under which its folder's kind stands."""


class Folder:
  """A folder of results opened for writing, locked against a second writer until `close`."""

  def __init__(self, path: Path, config: str, changed: Callable[[], list[str]], kind: Kind = "run"):
    """Opens or makes it, and writes its config.json.

    Args:
      path: the folder.
      config: what config.json is to hold, as JSON; beside it, the kind.
      changed: says how the config.json that is there differs from what is asked for.
      kind: what is in it.

    Raises:
      UserError: if the folder is not ours, belongs to another config, is in use, or cannot be
        written. Nothing in it is touched then.
    """
    self.path = path
    try:
      exists = path.exists()
      if exists and not path.is_dir():
        raise UserError(f"{path} is a file; give another folder with --out.")
      resumes = exists and (path / "config.json").exists()
      if exists and not resumes and any(n != "lock" for n in os.listdir(path)):
        raise UserError(
          f"{path} is not empty and holds no {kind}; give an empty or new folder with --out."
        )
      if resumes and (differences := changed()):
        raise UserError(
          f"{path} holds a {kind} of another config ({'; '.join(differences)}); give --out another"
          " folder."
        )
      path.mkdir(parents=True, exist_ok=True)
      try:
        self._lock = FileLock(path / "lock")
      except BlockingIOError:
        raise UserError(f"{path} is in use by another process; wait for it to end.") from None
      whole = json.dumps({KIND: kind} | json.loads(config), indent=2) + "\n"
      write_atomically(path / "config.json", whole.encode())
    except OSError as error:
      raise UserError(f"cannot write to {path}: {error.strerror}; give --out.") from error
    self.resumes = resumes
    self._stop = path / "stop"
    self._stop.unlink(missing_ok=True)  # of a command that came when the last run had ended

  def stop_requested(self) -> bool:
    """Whether `rarebird stop` asked for the run to end."""
    return self._stop.exists()

  def close(self) -> None:
    self._stop.unlink(missing_ok=True)
    self._lock.close()

  def write_json(self, name: str, data: Any) -> None:
    """Writes a JSON file at once or not at all."""
    write_json(self.path / name, data)


class RunFolder(Folder):
  """The folder of one run."""

  def __init__(self, config: TrainConfig):
    """Raises UserError as `Folder` does, and for a config.json that cannot be read."""
    path = Path(config.folder())
    super().__init__(
      path,
      to_json(config),
      lambda: differences(read_config(path), config),
    )


def read_asked(path: Path, kind: Kind) -> dict[str, Any]:
  """What config.json of a folder of this kind holds, without the kind.

  Raises:
    UserError: for a folder without one, with a damaged one, or of another kind.
  """
  try:
    asked = json.loads((path / "config.json").read_text("utf-8"))
    if not isinstance(asked, dict):
      raise ValueError("not a JSON object")
  except (FileNotFoundError, NotADirectoryError):
    raise UserError(f"{path} holds no {kind} (no config.json).") from None
  except ValueError as error:
    raise UserError(f"{path / 'config.json'} cannot be read: {error}.") from error
  known = asked.pop(KIND, kind)  # which 0.1 did not write
  if known != kind:
    raise UserError(
      f"{path} holds a{'n' * known.startswith('o')} {known}, no {kind}; the command that made it"
      " resumes it."
    )
  return asked


def read_config(path: Path) -> TrainConfig:
  """Reads a run's config; UserError as `read_asked`, and for one that is of another version."""
  asked = read_asked(path, "run")
  try:
    return from_json(json.dumps(asked))
  except stored.OtherFormatError as error:
    raise UserError(f"{path} cannot be read: {error}.") from error
  except (ValueError, TypeError, KeyError) as error:
    raise UserError(f"{path / 'config.json'} cannot be read: {error}.") from error


def read_json(path: Path, name: str) -> Any:
  """Reads a JSON file of a run; None where there is none."""
  try:
    return json.loads((path / name).read_text("utf-8"))
  except FileNotFoundError:
    return None
  except ValueError as error:
    raise UserError(f"{path / name} cannot be read: {error}.") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
  """Reads the rows of metrics.jsonl, less a last one that a killed process left unfinished."""
  try:
    lines = (path / "metrics.jsonl").read_text("utf-8").split("\n")[:-1]
  except FileNotFoundError:
    return []
  try:
    return [json.loads(line) for line in lines]
  except ValueError as error:
    raise UserError(f"{path / 'metrics.jsonl'} cannot be read: {error}.") from error
