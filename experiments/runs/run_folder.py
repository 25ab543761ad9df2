"""The run folder: who may write there, its config, and a log that is only ever appended to.

config.json       what was asked for
references.json   random and optimal play on every split
metrics.jsonl     one row a seed and log interval
tensorboard/      the same for TensorBoard
checkpoints/      orbax, by update
errors.log        tracebacks of what was told in one line; only appended to
stop              while `rarebird stop` asks the run to end
status.json  events.log  replay/   of a cluster run: its nodes, what happened to them, its replay
curves.png  episode.gif  goals.png  results.json
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.settings import stored
from experiments.settings import train as configs
from experiments.settings.train import TrainConfig
from experiments.settings.errors import UserError
from experiments.runs.file_lock import FileLock
from experiments.runs.files import write_atomically, write_json


class Folder:
  """A folder of results opened for writing, locked against a second writer until `close`."""

  def __init__(self, path: Path, config: str, changed: Callable[[], list[str]], kind: str = "run"):
    """Opens or makes it, and writes its config.json.

    Args:
      path: the folder.
      config: what config.json is to hold.
      changed: says how the config.json that is there differs from what is asked for.
      kind: what is in it, for messages.

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
      write_atomically(path / "config.json", config.encode())
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
      configs.to_json(config),
      lambda: configs.differences(read_config(path), config),
    )


def read_config(path: Path) -> TrainConfig:
  """Reads a run's config; a folder without one, with a damaged one, or of `rarebird offline`, is a
  UserError."""
  try:
    text = (path / "config.json").read_text("utf-8")
    if '"dataset":' in text:
      raise UserError(
        f"{path} is a run of `rarebird offline`: see results.json and map.png there; its command"
        " resumes it."
      )
    return configs.from_json(text)
  except (FileNotFoundError, NotADirectoryError):
    raise UserError(f"{path} holds no run (no config.json).") from None
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
