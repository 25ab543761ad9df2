"""What a dataset says of itself: dataset.json."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from dm_env import specs

from envs.observation import Cells, Spec, Tokens, check_spec, leaves

FORMAT, VERSION = "rarebird-dataset", 2
READABLE = (1, VERSION)
"""Versions of the format that can be read. 1 had one array an observation, and of pictures made of
cells and of text the bounds alone."""
LEAVES, SIDE, WORDS = "leaves", "side", "words"
"""What version 1 did not say of a spec: the leaves of a dict, side of a cell, words of a text."""
STEM = 40
"""Letters of a leaf's name that stand in the name of its file."""
REWARD = specs.Array((), np.float32, "reward")
DISCOUNT = specs.BoundedArray((), np.float32, 0.0, 1.0, "discount")


class Quantity(NamedTuple):
  """What one file holds.

  Attributes:
    name: as messages call it.
    spec: of one entry.
    observed: whether it is of an observation: of these an episode has one more than steps.
  """

  name: str
  spec: specs.Array
  observed: bool = False


@functools.cache
def code_version() -> str:
  """Of this code, as it is installed."""
  try:
    return importlib.metadata.version("rarebird")
  except importlib.metadata.PackageNotFoundError:
    return "not installed"


@dataclasses.dataclass(frozen=True)
class Description:
  """The contents of dataset.json, beside `format` and `version`.

  Attributes:
    env: name of the environment; None where it is not known, as of a Minari dataset.
    settings: `envs.make(env, **settings)` made it.
    view: whether the observations are the views of an environment with goals, without its goals.
    observation, action: specs of one; of the observation maybe a dict of leaves.
    policy: who acted: random, a run folder, or the Minari dataset.
    seed: of episodes and actions; None where it is not known.
    creation: how it was made: versions of libraries, device, and the like.
    episodes, steps: E and N, how many there are.
    code: version of Rarebird that wrote it.
  """

  env: str | None
  settings: dict[str, Any]
  view: bool
  observation: Spec
  action: specs.Array
  policy: str
  seed: int | None
  creation: dict[str, Any]
  episodes: int = 0
  steps: int = 0
  code: str = dataclasses.field(default_factory=code_version)

  @property
  def files(self) -> dict[str, Quantity]:
    """What is stored, by the name of its file without `.npy`; in the order of an `Episode`.

    A leaf's file has its number and, of its name, what any file system takes, for names may hold
    anything and differ in capitals alone.
    """
    out: dict[str, Quantity] = {}
    for number, (leaf, spec) in enumerate(leaves(self.observation).items()):
      stem = "-".join(re.findall(r"[A-Za-z0-9_]+", leaf))[:STEM]
      file = f"observation.{number}.{stem}".rstrip(".") if leaf else "observation"
      out[file] = Quantity(f"observation[{leaf!r}]" if leaf else "observation", spec, True)
    for name, spec in ("action", self.action), ("reward", REWARD), ("discount", DISCOUNT):
      out[name] = Quantity(name, spec)
    return out

  def to_json(self) -> str:
    """As JSON text."""
    fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
    kept = {"observation": self.observation, "action": self.action}
    kept |= {"reward": REWARD, "discount": DISCOUNT}
    written = {name: encode(spec) for name, spec in kept.items()}
    whole = {"format": FORMAT, "version": VERSION} | fields | written
    return json.dumps(whole, indent=2, default=str, allow_nan=False) + "\n"

  @classmethod
  def from_json(cls, text: str) -> Description:
    """Reads what `to_json` wrote.

    Raises:
      ValueError: one line, for what is no description or is in another version of the format.
    """
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
      raise ValueError(f"it is no {FORMAT}")
    if data.get("version") not in READABLE:
      raise ValueError(
        f"it has version {data.get('version')} of the format, and this code reads"
        f" {' and '.join(map(str, READABLE))}"
      )
    names = {field.name for field in dataclasses.fields(cls)}
    if missing := sorted((names | {"reward", "discount"}) - set(data)):
      raise ValueError(f"it lacks {', '.join(missing)}")
    for name in ("episodes", "steps"):
      if type(data[name]) is not int or data[name] < 1:
        raise ValueError(f"its {name} are {data[name]!r}, not a number above 0")
    read = cls(**{name: data[name] for name in names})
    decoded = {name: decode(name, data[name]) for name in ("observation", "action")}
    read = dataclasses.replace(read, **decoded)
    check_spec(read.observation, read.action)
    for name, spec in ("reward", REWARD), ("discount", DISCOUNT):
      if data[name] != encode(spec):
        raise ValueError(f"its {name} is {data[name]}, not {encode(spec)}")
    return read


def encode(spec: Spec) -> dict[str, Any]:
  """A spec as JSON: shape, dtype, and `num_values` or, where all are finite, bounds.

  A bound that is the same everywhere is one number. Of `Cells` their side, of `Tokens` their words;
  of a dict of leaves these, by name.
  """
  if isinstance(spec, Mapping):
    return {LEAVES: {name: encode(leaf) for name, leaf in leaves(spec).items()}}
  out: dict[str, Any] = {"shape": list(spec.shape), "dtype": spec.dtype.name}
  if isinstance(spec, Cells):
    out[SIDE] = spec.side
  if isinstance(spec, Tokens):
    out[WORDS] = list(spec.words)
  if isinstance(spec, specs.DiscreteArray):
    return out | {"num_values": int(spec.num_values)}
  if isinstance(spec, specs.BoundedArray):
    bounds = {"minimum": spec.minimum, "maximum": spec.maximum}
    if all(np.isfinite(bound).all() for bound in bounds.values()):
      return out | {name: _number_or_list(bound) for name, bound in bounds.items()}
  return out


def _number_or_list(bound: np.ndarray) -> Any:
  values = np.asarray(bound)
  return values.flat[0].item() if (values == values.flat[0]).all() else values.tolist()


def fits(stored: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
  """Whether a stored spec says what another does, both encoded; what version 1 left out, fits."""
  if LEAVES in stored and LEAVES in spec:
    own, other = stored[LEAVES], spec[LEAVES]
    return own.keys() == other.keys() and all(fits(own[name], other[name]) for name in own)
  return stored == {k: v for k, v in spec.items() if k in stored or k not in (SIDE, WORDS)}


def decode(name: str, data: Mapping[str, Any]) -> Any:
  """The spec that `encode` wrote.

  Raises:
    ValueError: one line, if it is none.
  """
  try:
    if LEAVES in data:
      return {leaf: decode(leaf, one) for leaf, one in data[LEAVES].items()}
    shape, dtype = tuple(data["shape"]), np.dtype(data["dtype"])
    if WORDS in data:
      return Tokens(shape[0], int(data["maximum"]) + 1, tuple(data[WORDS]), name)
    if "num_values" in data:
      return specs.DiscreteArray(data["num_values"], dtype, name)
    if "minimum" in data:
      low, high = (np.asarray(data[bound], dtype) for bound in ("minimum", "maximum"))
      if SIDE in data:
        return Cells(shape, dtype, low, high, data[SIDE], name)
      return specs.BoundedArray(shape, dtype, low, high, name)
    return specs.Array(shape, dtype, name)
  except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
    raise ValueError(f"its {name} cannot be read ({error})") from error
