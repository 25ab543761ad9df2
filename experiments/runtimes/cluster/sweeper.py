"""Kills what a private Ray leaves behind, once the process that started it is gone.

Ray's own processes die with their driver, but after a kill -9 two agents of it wait a minute for a
server that is dead too, and its folder stays. So a session runs this file beside itself, as a
program: python sweeper.py FOLDER DRIVER. It reads its standard input until the driver closes it or
dies, kills every process of the session but the driver, and removes the folder.
"""

import contextlib
import os
import shutil
import signal
import stat
import sys
import time
from pathlib import Path

ROUNDS = 5
"""A round can miss a process that is just being forked."""


def members(folder: Path) -> set[int]:
  """Process ids of those that write to the folder, or were started with its token."""
  return {int(p.name) for p in Path("/proc").glob("[0-9]*") if _is_member(p, folder)}


def _is_member(process: Path, folder: Path) -> bool:
  # Either alone misses some: Ray's processes write their names over their environment, and what an
  # actor starts may write elsewhere.
  try:
    environment = (process / "environ").read_bytes().split(b"\0")
    return f"RAY_AUTH_TOKEN_PATH={folder}/token".encode() in environment or any(
      os.readlink(fd).startswith(f"{folder}/") and fd.lstat().st_mode & stat.S_IWUSR
      for fd in (process / "fd").iterdir()
    )
  except OSError:  # it has ended, or is another user's
    return False


def sweep(folder: Path, spared: set[int]) -> None:
  """Kills the folder's processes, less the spared ones, and removes it."""
  for _ in range(ROUNDS):
    found = members(folder) - spared
    if not found:
      break
    for pid in found:
      with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
  shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
  sys.stdin.read()
  sweep(Path(sys.argv[1]), spared={os.getpid(), int(sys.argv[2])})
