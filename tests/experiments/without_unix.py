"""Runs `rarebird` in a process from which what Windows has not was taken: python FILE ARGUMENTS.

What this system's Python imports it for is loaded before.
"""

import importlib
import multiprocessing
import os
import runpy
import signal
import sys

if __name__ == "__main__":
  for module in ("asyncio", "multiprocessing.connection", "subprocess"):
    importlib.import_module(module)
  for module in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules[module] = None
  for name in ("SIGPIPE", "SIGIO", "SIGHUP", "SIGALRM"):
    delattr(signal, name)
  for name in ("killpg", "setpgid", "sched_getaffinity", "getuid", "O_ASYNC"):
    if hasattr(os, name):
      delattr(os, name)
  multiprocessing.get_all_start_methods = lambda: ["spawn"]
  runpy.run_module("experiments", run_name="__main__", alter_sys=True)
