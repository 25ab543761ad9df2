"""Sweeps: hyper-parameters that one compiled program tries side by side, each with every seed."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from experiments.settings.errors import UserError


class Lane(NamedTuple):
  """What one agent of the program is trained with.

  Attributes:
    seed: its seed.
    numbers: the hyper-parameters that are swept, by name.
  """

  seed: int
  numbers: dict[str, float]

  @property
  def name(self) -> str:
    """The numbers as a person reads them; "" without any."""
    return ",".join(f"{name}={value:g}" for name, value in self.numbers.items())


def parse(words: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
  """The values of each number of `name=value,value,...`; a wrong word is a UserError."""
  out: dict[str, tuple[float, ...]] = {}
  for word in words:
    name, equals, values = word.partition("=")
    name = name.replace("-", "_")
    if not equals or not all(part.isidentifier() for part in name.split(".")):
      raise UserError(f"--sweep {word!r}: write name=value,value, as learning_rate=1e-4,3e-4.")
    if name in out:
      raise UserError(f"--sweep: {name} is given twice; give all its values at once.")
    try:
      numbers = tuple(float(value) for value in values.split(","))
    except ValueError as error:
      raise UserError(f"--sweep {word!r}: {error}; give numbers.") from error
    if not all(map(math.isfinite, numbers)) or len(set(numbers)) < len(numbers):
      raise UserError(f"--sweep {word!r}: give finite numbers, each once.")
    out[name] = numbers
  return out


def lanes(words: tuple[str, ...], seeds: range) -> list[Lane]:
  """Every combination of values with every seed, the seeds of one together."""
  swept = parse(words)
  return [
    Lane(seed, dict(zip(swept, values, strict=True)))
    for values in itertools.product(*swept.values())
    for seed in seeds
  ]


def check(words: tuple[str, ...], turns: tuple[str, ...]) -> None:
  """Raises UserError for a number that is not among `turns`, the agent's that are traced."""
  for name in parse(words):
    if name not in turns:
      known = ", ".join(turns) or "none"
      raise UserError(
        f"--sweep {name}: it is not traced, so one program cannot try it; {known} are."
      )
