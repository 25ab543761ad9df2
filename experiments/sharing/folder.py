"""Run folders pushed to a plain folder, and pulled from one that is not trusted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.runs import run_folder
from experiments.settings import stored
from experiments.settings.errors import UserError
from experiments.sharing import card, contents
from experiments.sharing.contents import CARD, MANIFEST, File

CHUNK = 2**20
_UNFOLLOWED = getattr(os, "O_NOFOLLOW", 0)


def push(run: Path, to: Path, licence: str, note: str) -> list[File]:
  """Writes what is handed on of a run to a new folder, or over an earlier push.

  Raises:
    UserError: one line, if the run has no checkpoint or names another run, or the folder holds
      something else. Nothing is written then.
  """
  config = run_folder.read_asked(run, "run")
  stored.check_format(config)
  if config.get("teacher"):
    raise UserError(f"{run} learns from another run, which is not handed on: push that one.")
  steps = sorted(int(p.name) for p in (run / "checkpoints").glob("*") if p.name.isdigit())
  if not steps:
    raise UserError(f"{run} has no checkpoint yet.")
  if to.exists() and (not to.is_dir() or (os.listdir(to) and not (to / MANIFEST).is_file())):
    raise UserError(f"{to} holds something else; give a new folder.")
  config |= {run_folder.KIND: "run", "out": ""}
  config.pop("log", None)  # where it is tracked is the pusher's own matter
  with _placed(to) as new:
    names = [name for name in contents.ALONE if name not in ("config.json", CARD)]
    names += [f"checksums/{steps[-1]}.json"]
    below = run / "checkpoints" / str(steps[-1])
    names += [str(path.relative_to(run)) for path in sorted(below.rglob("*")) if path.is_file()]
    for name in names:
      if (run / name).is_file():
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / name, new / name)
    (new / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    scores = run_folder.read_json(run, "results.json")
    text = card.write(run.resolve().name, config, scores, licence, note, steps[-1])
    (new / CARD).write_text(text, "utf-8")
    files = [_described(new, path) for path in sorted(new.rglob("*")) if path.is_file()]
    (new / MANIFEST).write_bytes(contents.written_manifest(files))
  return files


def _described(folder: Path, path: Path) -> File:
  data = path.read_bytes()
  name = path.relative_to(folder).as_posix()
  return File(name, len(data), hashlib.sha256(data).hexdigest())


@contextlib.contextmanager
def _placed(to: Path) -> Iterator[Path]:
  """A folder beside `to` that becomes it, or goes where something is raised."""
  new = to.with_name(f".{to.name}.partial")
  shutil.rmtree(new, ignore_errors=True)
  try:
    new.mkdir(parents=True)
    yield new
    if to.exists():
      shutil.rmtree(to)
    new.rename(to)
  except OSError as error:
    raise UserError(f"cannot write to {to}: {error.strerror}.") from error
  finally:
    shutil.rmtree(new, ignore_errors=True)


def pull(source: Path, to: Path, most_bytes: int, trust_code: bool) -> str:
  """Copies a pushed folder to a new run folder, after all of it was looked at.

  Args:
    source: the folder, which may hold anything.
    to: must not exist.
    most_bytes: of all files together.
    trust_code: takes files of Python in it, and a config that names `module:Name`.

  Returns:
    The licence that its card names, or "".

  Raises:
    UserError: one line, with nothing written, for a path that leads out of the folder, a link, a
      special file, more bytes than allowed, an unknown format, a file that is not as the manifest
      says, and code.
  """
  if to.exists():
    raise UserError(f"{to} exists; give a new folder.")
  if not source.is_dir():
    raise UserError(f"{source} is no folder.")
  files = _checked(source, most_bytes, trust_code)
  config = _asked(source, trust_code)
  with _placed(to) as new:
    for file in files:
      target = new / file.path
      target.parent.mkdir(parents=True, exist_ok=True)
      with open(target, "xb") as out:
        for block in _blocks(source, file):
          out.write(block)
    # What was looked at and what is kept are one file.
    (new / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
  text = (to / CARD).read_text("utf-8", "replace") if (to / CARD).exists() else ""
  return card.licence_of(text)


def _checked(source: Path, most_bytes: int, trust_code: bool) -> list[File]:
  """The files of a folder that are as its manifest says and may be taken; else a UserError."""
  there = list(_names(source))
  if len(there) > contents.MOST_FILES:
    raise UserError(f"{source} holds more than {contents.MOST_FILES:,} files.")
  if MANIFEST not in there:
    raise UserError(f"{source} was not pushed by Rarebird (no {MANIFEST}).")
  limit = contents.MOST_JSON_BYTES
  text = b"".join(_read(source, MANIFEST, limit)).decode("utf-8", "replace")
  files = contents.read_manifest(text, str(source / MANIFEST))
  for name in sorted({*there, *(file.path for file in files)} - {MANIFEST}):
    if why := contents.refused(name, trust_code):
      raise UserError(f"{source}: {name!r} {why}.")
  if differing := sorted({file.path for file in files} ^ (set(there) - {MANIFEST})):
    raise UserError(f"{source}: {differing[0]!r} is in the manifest or in the folder alone.")
  if (total := sum(file.size for file in files)) > most_bytes:
    raise UserError(
      f"{source} holds {total / 1e6:,.1f} MB, more than {most_bytes / 1e6:,.1f}; --max-megabytes"
      " allows more."
    )
  for file in files:
    _check(source, file)
  return files


def _names(source: Path) -> Iterator[str]:
  """The files below a folder; a link or a special file is a UserError."""
  for folder, folders, names in os.walk(source, onerror=_unreadable):
    for name in (*folders, *names):
      path = Path(folder) / name
      mode = path.lstat().st_mode
      shown = path.relative_to(source).as_posix()
      if stat.S_ISLNK(mode):
        raise UserError(f"{source}: {shown!r} is a link.")
      if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UserError(f"{source}: {shown!r} is neither a file nor a folder.")
      if stat.S_ISREG(mode):
        yield shown


def _unreadable(error: OSError) -> None:
  raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _read(source: Path, name: str, most: int) -> Iterator[bytes]:
  """A file in blocks; one that is a link by now, or larger than `most`, is a UserError."""
  try:
    handle = os.open(source / name, os.O_RDONLY | _UNFOLLOWED)
  except OSError as error:
    raise UserError(f"{source}: {name!r} cannot be read: {error.strerror}.") from error
  with open(handle, "rb") as file:
    left = most
    while block := file.read(min(CHUNK, left + 1)):
      left -= len(block)
      if left < 0:
        raise UserError(f"{source}: {name!r} is larger than {most:,} bytes.")
      yield block


def _blocks(source: Path, file: File) -> Iterator[bytes]:
  """A file's data in blocks; a UserError at its end if it is not as the manifest says."""
  digest, size = hashlib.sha256(), 0
  for block in _read(source, file.path, file.size):
    digest.update(block)
    size += len(block)
    yield block
  if size != file.size or digest.hexdigest() != file.sha256:
    raise UserError(f"{source}: {file.path!r} is not as the manifest says; it may be damaged.")


def _check(source: Path, file: File) -> None:
  """Reads a file; a UserError if it is not as the manifest says, or no file of its format."""
  whole = Path(file.path).suffix in (".json", ".jsonl")
  if whole and file.size > contents.MOST_JSON_BYTES:
    raise UserError(f"{source}: {file.path!r} is larger than {contents.MOST_JSON_BYTES:,} bytes.")
  head, kept = b"", []
  for block in _blocks(source, file):
    head = head or block[:16]
    if whole:
      kept.append(block)
  if wrong := contents.check_data(file.path, head, b"".join(kept) if whole else None):
    raise UserError(f"{source}: {file.path!r} {wrong}.")


def _asked(source: Path, trust_code: bool) -> dict[str, Any]:
  """The config of a folder that was looked at; one that names code is a UserError."""
  config = run_folder.read_asked(source, "run")
  try:
    stored.check_format(config)
  except stored.OtherFormatError as error:
    raise UserError(f"{source} cannot be read: {error}.") from error
  if config.get("teacher"):
    raise UserError(f"{source}: config.json learns from a run elsewhere, {config['teacher']!r}.")
  try:
    where = contents.named_code(config)
  except RecursionError:
    raise UserError(f"{source}: config.json is nested too deeply.") from None
  if where and not trust_code:
    raise UserError(f"{source}: {where}, code of somebody's own; --trust-code lets it run.")
  config.pop("log", None)
  return {run_folder.KIND: "run"} | config | {"out": ""}
