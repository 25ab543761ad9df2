"""What a dataset says of itself: dataset.json."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from dm_env import specs

FORMAT, VERSION = "rarebird-dataset", 1
REWARD = specs.Array((), np.float32, "reward")
DISCOUNT = specs.BoundedArray((), np.float32, 0.0, 1.0, "discount")


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
    observation, action: specs of one.
    policy: who acted: random, a run folder, or the Minari dataset.
    seed: of episodes and actions; None where it is not known.
    creation: how it was made: versions of libraries, device, and the like.
    episodes, steps: E and N, how many there are.
    code: version of Rarebird that wrote it.
  """

  env: str | None
  settings: dict[str, Any]
  view: bool
  observation: specs.Array
  action: specs.Array
  policy: str
  seed: int | None
  creation: dict[str, Any]
  episodes: int = 0
  steps: int = 0
  code: str = dataclasses.field(default_factory=code_version)

  @property
  def quantities(self) -> dict[str, specs.Array]:
    """What is stored, each with the spec of one."""
    return {
      "observation": self.observation,
      "action": self.action,
      "reward": REWARD,
      "discount": DISCOUNT,
    }

  def to_json(self) -> str:
    """As JSON text."""
    fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
    written = {name: encode(spec) for name, spec in self.quantities.items()}
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
    if data.get("version") != VERSION:
      raise ValueError(
        f"it has version {data.get('version')} of the format, and this code reads {VERSION}"
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
    for name in ("reward", "discount"):
      if data[name] != encode(read.quantities[name]):
        raise ValueError(f"its {name} is {data[name]}, not {encode(read.quantities[name])}")
    return read


def encode(spec: specs.Array) -> dict[str, Any]:
  """A spec as JSON: shape, dtype, and `num_values` or, where all are finite, bounds.

  A bound that is the same everywhere is one number.
  """
  out: dict[str, Any] = {"shape": list(spec.shape), "dtype": spec.dtype.name}
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


def decode(name: str, data: Mapping[str, Any]) -> specs.Array:
  """The spec that `encode` wrote.

  Raises:
    ValueError: one line, if it is none.
  """
  try:
    shape, dtype = tuple(data["shape"]), np.dtype(data["dtype"])
    if "num_values" in data:
      return specs.DiscreteArray(data["num_values"], dtype, name)
    if "minimum" in data:
      low, high = (np.asarray(data[bound], dtype) for bound in ("minimum", "maximum"))
      return specs.BoundedArray(shape, dtype, low, high, name)
    return specs.Array(shape, dtype, name)
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError(f"its {name} cannot be read ({error})") from error
