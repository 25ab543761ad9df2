"""What an observation is: one array, or a dict of leaves by name, each with a spec of its own.

  specs.Array         numbers; uint8 means pixels, bounded integers from 0 are categories
  Cells               a picture or a grid of symbols that is made of cells of one size
  Tokens              words by number
  the leaf `legal`    which actions are allowed now, bool [number of logits], see `legal`
  the leaf `class_label`  what is to be told, an integer, see `classes`

A dict is flat, with strings as names, and is a pytree, as one array is. What an agent reads of it
is what is `visible`: all leaves but these two; where but one is left, that array itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import numpy as np
from dm_env import specs

from envs import action_specs

Spec: TypeAlias = specs.Array | dict[str, specs.Array]
"""Of an observation: of one array, or of a dict of leaves."""

LEGAL = "legal"
"""The leaf that says which actions are allowed. A discrete action has an entry for each value; of
several integers at once those of one entry after another, as `gymnasium`'s and sb3-contrib's masks
have it. It is no part of what networks read."""
LABEL = "class_label"
"""The leaf that says of which class it is what is observed, an integer from 0, or -1 for none. No
network reads it; an auxiliary loss may learn to tell it."""
VIEW, GOAL = "view", "goal"
"""The leaves of environments with goals: what is observed, and what is to be; both are views."""
ALONE = "observation"
"""The name of the one array of an observation that is a dict for its mask or label alone."""
HIDDEN = (LEGAL, LABEL)
"""Leaves that no network reads."""


class Cells(specs.BoundedArray):
  """Pictures or grids [H, W, C] of cells of `side` by `side` entries; 1 for grids of symbols."""

  __slots__ = ("_side",)

  def __init__(
    self,
    shape: tuple[int, ...],
    dtype: Any,
    minimum: Any,
    maximum: Any,
    side: int,
    name: str | None = None,
  ):
    super().__init__(shape, dtype, minimum, maximum, name)
    self._side = side

  @property
  def side(self) -> int:
    """Rows and columns of a cell."""
    return self._side

  def __reduce__(self) -> tuple[Any, ...]:
    return Cells, (self.shape, self.dtype, self.minimum, self.maximum, self.side, self.name)


class Tokens(specs.BoundedArray):
  """Text as the numbers of its words: int32 [L], 0 for a word that is not known, or none there.

  Attributes:
    words: the word of each number from 1 on; () where words are hashed, so that any has a number.
  """

  __slots__ = ("_size", "_words")

  def __init__(self, length: int, size: int, words: tuple[str, ...] = (), name: str | None = None):
    """Texts of at most `length` words, numbered from 0 to `size` - 1."""
    super().__init__((length,), np.int32, 0, size - 1, name)
    self._size, self._words = size, words

  @property
  def length(self) -> int:
    """L, the longest text."""
    return self.shape[0]

  @property
  def size(self) -> int:
    """Numbers there are, with 0."""
    return self._size

  @property
  def words(self) -> tuple[str, ...]:
    return self._words

  def __reduce__(self) -> tuple[Any, ...]:
    return Tokens, (self.length, self.size, self.words, self.name)


def leaves(spec: Spec) -> dict[str, specs.Array]:
  """The leaves by name, in the order in which trees hold them; one array is named ""."""
  return {name: spec[name] for name in sorted(spec)} if isinstance(spec, Mapping) else {"": spec}


def visible(tree: Any) -> Any:
  """What an agent reads of an observation, or of its spec: all but `legal` and `class_label`.

  Where one leaf is left it is that array itself.
  """
  if not isinstance(tree, Mapping):
    return tree
  shown = {name: leaf for name, leaf in tree.items() if name not in HIDDEN}
  return next(iter(shown.values())) if len(shown) == 1 else shown


def legal(tree: Any) -> Any:
  """Which actions are allowed, bool [..., number of logits], or the spec of it; None for all."""
  return tree.get(LEGAL) if isinstance(tree, Mapping) else None


def classes(spec: Spec) -> int:
  """How many classes `class_label` may be of; 0 where there is no such leaf."""
  return int(spec[LABEL].maximum) + 1 if isinstance(spec, Mapping) and LABEL in spec else 0


def legal_spec(actions: specs.Array) -> specs.BoundedArray:
  """The spec of `legal` for actions of this spec.

  Raises:
    ValueError: one line, if the actions are continuous.
  """
  return specs.BoundedArray((entries(actions),), bool, False, True, LEGAL)


def entries(actions: specs.Array) -> int:
  """How many entries a mask of actions of this spec has.

  Raises:
    ValueError: one line, if the actions are continuous.
  """
  if action_specs.kind(actions) == "continuous":
    raise ValueError(
      f"actions {action_specs.one_line(actions)} are continuous, and no mask can say which of them"
      " are allowed: leave the mask out (--env-args masks=ignored)."
    )
  return int(action_specs.counts(actions).sum())


def check_spec(spec: Any, actions: specs.Array) -> None:
  """Checks the spec of an observation.

  Raises:
    ValueError: one line, for what is neither an array's nor a dict of such, no leaf that is
      visible, or a mask of another shape than the actions have.
  """
  if isinstance(spec, specs.Array):
    return
  if not isinstance(spec, dict) or not all(isinstance(x, specs.Array) for x in spec.values()):
    raise ValueError(f"{spec!r}; expected an Array, or a dict of Arrays by name.")
  if not all(isinstance(name, str) and name for name in spec):
    raise ValueError(f"leaves {list(spec)}; expected names that are strings, and not empty.")
  mask = legal(spec)
  if not set(spec) - set(HIDDEN):
    raise ValueError("a dict in which no leaf but a mask can be seen; expected one at least.")
  label = spec.get(LABEL)
  if label is not None and (
    not isinstance(label, specs.BoundedArray)
    or label.shape
    or not np.issubdtype(label.dtype, np.integer)
    or np.min(label.minimum) < -1
  ):
    raise ValueError(f"{LABEL!r} is {label!r}; expected one integer with bounds, from 0 or -1 up.")
  if mask is not None and (mask.shape, mask.dtype) != ((entries(actions),), np.bool_):
    raise ValueError(
      f"{LEGAL!r} is {mask.dtype} {mask.shape}; of actions {action_specs.one_line(actions)} a mask"
      f" is bool ({entries(actions)},)."
    )


def zeros(spec: Spec, lead: tuple[int, ...] = ()) -> Any:
  """Observations of zeros [*lead, *O], NumPy arrays."""
  return jax.tree.map(lambda s: np.zeros((*lead, *s.shape), s.dtype), spec)


def shapes(spec: Spec, lead: tuple[int, ...] = ()) -> Any:
  """`jax.ShapeDtypeStruct` of observations [*lead, *O]."""
  return jax.tree.map(lambda s: jax.ShapeDtypeStruct((*lead, *s.shape), s.dtype), spec)


def lead(spec: Spec, observation: Any) -> tuple[int, ...]:
  """The axes that observations [*lead, *O] have before those of one."""
  first_spec, first = (jax.tree.leaves(tree)[0] for tree in (spec, observation))
  return tuple(first.shape[: first.ndim - len(first_spec.shape)])


def rows(spec: Spec, observation: Any) -> Any:
  """Observations [*lead, *O] as [N, *O]."""
  return jax.tree.map(lambda s, x: x.reshape(-1, *s.shape), spec, observation)


def same(one: Spec, other: Spec) -> bool:
  """Whether two specs have the same leaves of the same shapes and dtypes."""
  one, other = leaves(one), leaves(other)
  return one.keys() == other.keys() and all(
    (one[name].shape, one[name].dtype) == (other[name].shape, other[name].dtype) for name in one
  )


def one_line(spec: Spec) -> str:
  """A spec in short, for messages: "image uint8 (7, 7, 3), legal bool (3,)"."""
  return ", ".join(f"{name} {s.dtype} {s.shape}".strip() for name, s in leaves(spec).items())


def allows(mask: Any, actions: specs.Array) -> Any:
  """Whether each entry of an action has a value that a mask [..., number of logits] allows, [...].

  NumPy in, NumPy out.
  """
  if action_specs.kind(actions) == "discrete":
    return mask.any(axis=-1)
  ends = np.cumsum(action_specs.counts(actions).reshape(-1))[:-1]
  return np.all([part.any(axis=-1) for part in np.split(mask, ends, axis=-1)], axis=0)
