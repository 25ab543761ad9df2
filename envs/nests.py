"""Nests of dicts, lists and tuples: what an environment that shows several things at once shows.

A nest is read in the order of the nest that declares it: keys as they stand there, items in turn.
`where` is how a part of it is called: observation['camera'][0].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def is_nest(value: Any) -> bool:
  """Whether it holds parts, and is none itself."""
  return isinstance(value, Mapping | list | tuple)


def leaves(nest: Any, where: str) -> Iterator[tuple[str, Any]]:
  """What a nest is made of, in order, each with how it is called."""
  if not is_nest(nest):
    yield where, nest
    return
  for key, part in _items(nest):
    yield from leaves(part, f"{where}[{key!r}]")


def combine(nest: Any, value: Any, leaf: Callable[[Any, Any, str], Any], where: str) -> Any:
  """Returns `leaf(declared, shown, where)` of each part, as a nest like `nest`.

  Raises:
    ValueError: one line, where `value` has not the keys or the number of parts that `nest` has.
  """
  if isinstance(nest, Mapping):
    if not isinstance(value, Mapping) or value.keys() != nest.keys():
      shown = list(value) if isinstance(value, Mapping) else _kind(value)
      raise ValueError(f"{where} is {shown}; expected a dict of {list(nest)}, as declared.")
    return {k: combine(part, value[k], leaf, f"{where}[{k!r}]") for k, part in nest.items()}
  if isinstance(nest, list | tuple):
    if not isinstance(value, list | tuple) or len(value) != len(nest):
      shown = _kind(value)
      raise ValueError(f"{where} is {shown}; expected a tuple of {len(nest)}, as declared.")
    return tuple(combine(part, value[i], leaf, f"{where}[{i}]") for i, part in enumerate(nest))
  return leaf(nest, value, where)


def _kind(value: Any) -> str:
  if value is None:
    return "None"
  if hasattr(value, "dtype") and hasattr(value, "shape"):
    return f"an array {value.dtype} {value.shape}"
  return f"a {type(value).__name__}" + (f" of {len(value)}" if is_nest(value) else "")


def _items(nest: Any) -> Iterator[tuple[Any, Any]]:
  return iter(nest.items()) if isinstance(nest, Mapping) else enumerate(nest)
