"""The one form in which observations on the host reach an agent: one array, or a dict of leaves.

picture      uint8 [H, W, C]; channels that come first, grey pictures [H, W] and stacks of pictures
             [S, H, W, C] are brought into it, the stack as channels [H, W, S * C], and so are
             integers from 0 to 255 at most that look like pictures; floats that do are refused
other uint8  as it is, unless its bounds hold few values: then categories
integers     of at most 256 values: categories, int32 from 0 up; others as float32
floats       float32
nest         a dict or a nest of numbers becomes one float32 vector, in the order in which it is
             declared, arrays row by row. With pictures, text or masks it becomes a dict of leaves:
             each picture and text by its name, the keys that lead to it joined with "."; all
             numbers in the leaf `vector`, and the mask in the leaf `legal`
text         numbers of words, see `envs.host.words`; left out, if it can never differ
masks        of actions: the leaf `legal`, see `envs.observation`; left out, if they are ignored
nothing      float32 [1], always 0
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from dm_env import specs

from envs import nests
from envs.adapters.spaces import Masks, OneHot, ignored, is_mask
from envs.adapters.text import ConstantText
from envs.given import cast, check_observation
from envs.host import words
from envs.host.arrays import ArrayReader, is_grid
from envs.host.masks import MaskReader
from envs.observation import ALONE, LEGAL, Spec

VECTOR = "vector"
"""The leaf of all numbers of a nest."""
NAMED = 8
"""Parts of a nest that its note names."""
NOTHING = "there is nothing to observe: the agent sees one number that is always 0"


class Observed:
  """Brings the observations of one environment into canonical form.

  Attributes:
    spec: of the canonical form.
    notes: what differs from what the environment shows and should be known, a line each.
  """

  def __init__(
    self,
    spec: Any,
    actions: specs.Array | None = None,
    masks: Masks = None,
    text_words: int = words.HASHED,
    text_length: int = words.LENGTH,
    cells: int | None = None,
    apart: bool = False,
  ):
    """Reads those of a spec, or of a nest of specs.

    Args:
      spec: of what the environment shows.
      actions: canonical spec of its actions, which its masks are of.
      masks: "ignored" leaves masks of actions out.
      text_words: numbers for the words of a text, where it is not known which it can hold.
      text_length: words of a text that are read.
      cells: side of a cell where pictures and grids are made of cells.
      apart: whether each part of a nest is a leaf of its own, of numbers too.

    Raises:
      ValueError: one line, for what no agent can read: pictures of floats, masks of another shape
        than the actions.
    """
    self._raw = spec
    self.notes: tuple[str, ...] = ()
    self._readers: dict[str, Callable[[dict[str, Any]], np.ndarray]] = {}
    self._texts: list[words.Reader] = []
    self._array: ArrayReader | None = None
    parts = dict(nests.leaves(spec, "observation"))
    masked = {where: leaf for where, leaf in parts.items() if is_mask(where)}
    shown = {w: leaf for w, leaf in parts.items() if w not in masked and self._is_shown(w, leaf)}
    # The one thing that is shown, with a mask or without, stays what it is; one-hot it is numbers.
    one = not nests.is_nest(spec) or bool(masked and list(shown) == [f"observation[{ALONE!r}]"])
    one = one and not any(isinstance(leaf, OneHot) for leaf in shown.values())
    leaves: dict[str, specs.Array] = {}
    numbers: dict[str, specs.Array] = {}
    for where, leaf in shown.items():
      name = ALONE if one else path(where)
      if isinstance(leaf, specs.StringArray):
        leaves[name] = self._text(where, name, leaf, text_words, text_length)
      elif leaf.shape and not np.prod(leaf.shape):
        continue  # nothing is in it
      elif one or apart or is_grid(leaf, cells):
        leaves[name] = self._grid(where, name, leaf, cells)
      else:
        numbers[where] = leaf
    if numbers or not leaves:
      leaves |= self._vector(numbers)
    alone = one or set(leaves) == {VECTOR}
    self._mask: MaskReader | None = None
    if masked and not ignored(masks):
      assert actions is not None
      self._mask, alone = MaskReader(masked, actions), False
      leaves[LEGAL] = self._mask.spec
    self._name = next(iter(leaves)) if alone else ""
    self.spec: Spec = leaves[self._name] if alone else leaves

  @property
  def unknown_words(self) -> int:
    """Words of the last observation that have no number."""
    return sum(reader.unknown for reader in self._texts)

  def __call__(self, observation: Any, last: bool = False, step: int = 0) -> Any:
    """Returns it in canonical form.

    Args:
      observation: what the environment shows.
      last: whether the episode ends with it, and nothing is done there.
      step: of the episode.

    Raises:
      ValueError: one line, for another structure, shape or dtype than was declared, integers out of
        the bounds, or a mask that allows nothing where something is to be done.
    """
    if self._array is not None and not isinstance(self._raw, Mapping):
      return self._array(observation)
    values: dict[str, Any] = {}

    def take(leaf: Any, shown: Any, where: str) -> None:
      values[where] = shown
      if isinstance(leaf, ConstantText) and shown != leaf.text:
        raise ValueError(f"{where} is {shown!r}; {leaf.text!r} is declared, and no other text.")

    nests.combine(self._raw, observation, take, "observation")
    leaves = {name: read(values) for name, read in self._readers.items()}
    if self._name:
      return leaves[self._name]
    if self._mask is not None:
      leaves[LEGAL] = self._mask(values, last, step)
    return leaves

  def convert(self, shown: np.ndarray) -> np.ndarray:
    """Returns arrays [..., *raw shape] of an environment that shows one, in canonical form.

    Raises:
      ValueError: one line, for integers out of the bounds.
    """
    if self._array is not None:
      return self._array.convert(shown)
    return np.zeros((*shown.shape[: shown.ndim - len(self._raw.shape)], 1), np.float32)

  def _note(self, line: str) -> None:
    self.notes += (line,)

  def _is_shown(self, where: str, leaf: Any) -> bool:
    """Whether a part of what is declared is shown to the agent; refuses what cannot be."""
    if isinstance(leaf, ConstantText):
      self._note(f"{where} is left out: it is always {leaf.text!r}")
      return False
    if not isinstance(leaf, specs.Array):
      raise ValueError(f"{where} is declared by a {type(leaf).__name__}; expected a spec.")
    if not isinstance(leaf, specs.StringArray) and leaf.dtype.kind not in "biuf":
      raise ValueError(f"{where} is declared as {leaf.dtype}; expected numbers or text.")
    return True

  def _text(
    self, where: str, name: str, leaf: specs.StringArray, hashed: int, length: int
  ) -> specs.Array:
    spec = words.tokens_spec(leaf, hashed, length, name)
    reader = words.Reader(spec)
    self._texts.append(reader)
    self._add(name, lambda values: reader(values[where], where))
    if spec.words:
      kind = f"the numbers of {len(spec.words)} known words"
    else:
      kind = f"{hashed - 1:,} numbers for its words, two of which may share one"
    self._note(f"{where} is text: {kind}; after {length} words it is cut")
    return spec

  def _grid(self, where: str, name: str, leaf: specs.Array, cells: int | None) -> specs.Array:
    reader = ArrayReader(leaf, where, cells)
    self.notes += reader.notes
    if name == ALONE:
      self._array = reader
    self._add(name, lambda values: reader(values[where]))
    return reader.spec

  def _vector(self, numbers: dict[str, specs.Array]) -> dict[str, specs.Array]:
    """The leaf of all numbers; where there are none, of one that is always 0."""
    if not numbers:
      self._add(VECTOR, lambda values: np.zeros(1, np.float32))
      self._note(NOTHING)
      return {VECTOR: specs.BoundedArray((1,), np.float32, 0, 0, "observation")}

    def read(values: dict[str, Any]) -> np.ndarray:
      shown = [check_observation(leaf, values[where], where) for where, leaf in numbers.items()]
      flat = np.concatenate([np.zeros(0, np.float32), *(x.reshape(-1) for x in shown)])
      return cast(flat, np.float32)

    self._add(VECTOR, read)
    size = sum(int(np.prod(leaf.shape)) for leaf in numbers.values())
    self._note(f"the agent sees a vector of {size} numbers: {_listed(numbers)}")
    return {VECTOR: specs.Array((size,), np.float32, "observation")}

  def _add(self, name: str, reader: Callable[[dict[str, Any]], np.ndarray]) -> None:
    if name in self._readers or name == LEGAL:
      raise ValueError(
        f"two parts of the observation, or one and what is made of the others, are called {name!r};"
        " rename one."
      )
    self._readers[name] = reader


def path(where: str) -> str:
  """The name of a part: the keys that lead to it, joined with "."."""
  return where.removeprefix("observation")[1:-1].replace("][", ".").replace("'", "")


def _listed(parts: dict[str, specs.Array]) -> str:
  """The parts of a nest in order, the first `NAMED` by name and shape."""
  lines = [
    f"{path(where)} {list(spec.shape)}{' one-hot' if isinstance(spec, OneHot) else ''}"
    for where, spec in itertools.islice(parts.items(), NAMED)
  ]
  return ", ".join(lines) + (f", and {len(parts) - NAMED} more" if len(parts) > NAMED else "")
