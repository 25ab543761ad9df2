"""Libraries behind families of environments, which are not installed with this one."""

from __future__ import annotations

import importlib
from typing import Any


def extra(module: str, name: str) -> Any:
  """Imports the library behind a family of environments.

  Args:
    module: to import.
    name: of the optional extra that installs it.

  Raises:
    ValueError: one line that says how to install it.
  """
  try:
    return importlib.import_module(module)
  except ImportError as error:
    raise ValueError(
      f"{name} environments need what is not installed ({error}): pip install 'rarebird[{name}]'"
    ) from error
