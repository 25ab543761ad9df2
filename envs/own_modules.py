"""Modules of a user's own, named as `import` does and searched in the working directory first."""

from __future__ import annotations

import ast
import importlib
import os
import pathlib
import sys
import types

SHOWN = 8
"""Names of a file that a message tells."""


class UnknownNameError(ValueError):
  """A name that no registry entry and no `module:Name` answers to."""


def import_own(name: str, rest: str = "") -> types.ModuleType:
  """Imports a module of the user's own; the working directory is searched first.

  Args:
    name: as in an import statement.
    rest: what follows it where it is written, for advice how to spell it.

  Raises:
    UnknownNameError: one line, if there is no such module. What its own code raises, a failed
      import too, is left as it is.
  """
  if name.startswith(".") or os.sep in name or name.endswith(".py"):  # a file's, not a module's
    spelling = os.path.normpath(name).removesuffix(".py").replace(os.sep, ".")
    advice = "name its folder in PYTHONPATH, and the module as `import` does."
    if not spelling.startswith("."):
      advice = f"did you mean {spelling}{rest}?"
    raise UnknownNameError(f"{name!r} is no name of a module: {advice}")
  if os.getcwd() not in sys.path:
    sys.path.insert(0, os.getcwd())
  try:
    return importlib.import_module(name)
  except ModuleNotFoundError as error:
    if error.name is None or not f"{name}.".startswith(f"{error.name}."):
      raise  # of an import of its own
    raise UnknownNameError(
      f"cannot import module {name!r} ({error}); run where its file lies, or name its folder in"
      " PYTHONPATH."
    ) from error


def lies_here(name: str) -> str | None:
  """What to write where `name` is that of a file in the working directory, with what it defines."""
  module = name.removesuffix(".py")
  file = pathlib.Path(f"{module}.py")
  if not (module.isidentifier() and file.is_file()):
    return None
  try:
    body = ast.parse(file.read_bytes()).body
  except (SyntaxError, ValueError):  # told when it is imported
    body = []
  named = [n.name for n in body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
  public = [n for n in named if not n.startswith("_")]
  more = f" and {len(public) - SHOWN} more" if len(public) > SHOWN else ""
  has = f"; it has {', '.join(public[:SHOWN])}{more}" if public else ""
  return f"{file} lies here: write {module}:NAME{has}."
