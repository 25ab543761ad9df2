"""Programs compiled ahead of their first call, and what that takes."""

from __future__ import annotations

import time
from typing import Any


def compile_ahead(function: Any, *args: Any) -> tuple[Any, float]:
  """Compiles a jitted function; returns the program and the seconds it took, tracing included."""
  start = time.perf_counter()
  program = function.lower(*args).compile()
  return program, time.perf_counter() - start


def planned_bytes(program: Any) -> int:
  """Peak memory that XLA plans for a program: arguments, results and temporaries."""
  memory = program.memory_analysis()
  if memory is None:
    return 0
  return int(
    memory.argument_size_in_bytes
    + memory.output_size_in_bytes
    + memory.temp_size_in_bytes
    - memory.alias_size_in_bytes
  )
