"""Masks of actions that environments on the host show, as the leaf `legal`."""

from __future__ import annotations

from typing import Any

import numpy as np
from dm_env import specs

from envs import observation
from envs.action_specs import one_line


class MaskReader:
  """Reads the parts of an observation that are its mask.

  Attributes:
    spec: of the leaf.
  """

  def __init__(self, parts: dict[str, Any], actions: specs.Array):
    """Reads these parts, in their order, for actions of this canonical spec.

    Raises:
      ValueError: one line, if the actions are continuous, or have another number of values than the
        mask has entries.
    """
    self._parts, self._actions = parts, actions
    self.spec = observation.legal_spec(actions)
    for where, leaf in parts.items():
      if not isinstance(leaf, specs.Array) or leaf.dtype.kind not in "biuf":
        raise ValueError(f"{where} is a mask of actions; expected an array of 0 and 1.")
    self._check_size(sum(int(np.prod(leaf.shape)) for leaf in parts.values()))

  def __call__(self, values: dict[str, Any], last: bool, step: int) -> np.ndarray:
    """The mask, bool [number of logits].

    Args:
      values: of the parts, by how they are called.
      last: whether the episode is over, so that nothing is done: it may then allow nothing, which
        is read as all.
      step: of the episode.

    Raises:
      ValueError: one line, for another number of entries, entries that are neither 0 nor 1, or a
        mask that allows nothing.
    """
    shown = [np.asarray(values[where]).reshape(-1) for where in self._parts]
    mask = shown[0] if len(shown) == 1 else np.concatenate(shown)
    if mask.shape != self.spec.shape:
      self._check_size(mask.size)
    allowed = mask.astype(bool)
    if mask.dtype != np.bool_ and not (mask == allowed).all():
      raise ValueError(f"{self._named}, holds {one_line(mask)}; expected 0 and 1 alone.")
    if not observation.allows(allowed, self._actions):
      if not last:
        raise ValueError(
          f"{self._named}, is {one_line(mask.astype(int))} at step {step} of its episode: it allows"
          " no action. Allow one, or end the episode there."
        )
      allowed = np.ones_like(allowed)
    return allowed

  @property
  def _named(self) -> str:
    return "the mask of actions, " + ", ".join(self._parts)

  def _check_size(self, size: int) -> None:
    if size != self.spec.shape[0]:
      raise ValueError(
        f"{self._named}, has {size} entries; actions {one_line(self._actions)} have"
        f" {self.spec.shape[0]}."
      )
