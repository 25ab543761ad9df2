"""Bursty sequences: items with labels, then an item whose label is asked for.

A sequence is N items, each of a class, with their labels, and a query. The label can be known in
two ways: from the context, where an item of its class was shown (in-context learning), or from
earlier sequences, in which the class had the same label (in-weights learning). How the classes are
distributed decides which of the two an agent learns (Chan et al. 2022, arXiv 2205.05055):

  bursty     with probability `p_bursty`: of N // B different classes B items each, what is left
             drawn freely, in a random order; the query is of one of those classes
  otherwise  all N + 1 items are drawn independently
  ranks      class k is drawn with weight 1 / (k + 1)^exponent

Class k has label k mod L. With X meanings it is one of X labels instead, X (k mod L) + U{0..X-1},
drawn once a class in a bursty sequence, else for each item; where labels change they are permuted
anew in every sequence. Sizes are those of the small world of Reddy (arXiv 2312.03002).

An observation is an item and the label of the one before, one-hot; it ends with the query's label
alone. The action is a label, which is paid by 1 at the query if it is right, and ignored elsewhere;
the leaf `class_label` shows what is right there, for learning by cross-entropy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import Environment, Reference, registry, restart, transition
from envs.observation import LABEL, Spec
from envs.sequences.draws import Ranks, Uniforms
from envs.sequences.items import Items

SPLITS = ("train", "in_context", "swapped", "in_weights")


class SequenceState(NamedTuple):
  """A sequence, and how much of it was shown.

  Attributes:
    time: int32, place of the item that is shown, from 0; N is the query's.
    classes, labels: int32 [N+1], of all items.
    key: of the items' variation.
  """

  time: jax.Array
  classes: jax.Array
  labels: jax.Array
  key: jax.Array


@registry.register("sequences/bursty")
class Bursty(Environment[SequenceState]):
  """Tell an item's label: from its like earlier in the sequence, or from sequences before."""

  def __init__(
    self,
    items: str = "vectors",
    classes: int = 1024,
    labels: int = 32,
    pairs: int = 8,
    burstiness: int = 4,
    p_bursty: float = 1.0,
    exponent: float = 0.0,
    variation: float = 0.1,
    meanings: int = 1,
    labels_change: bool = False,
    held_out: int = 64,
    size: int = 47,
    fonts: int = 12,
    every_step: bool = False,
    world_seed: int = 0,
  ):
    """Draws the classes.

    Args:
      items: vectors, glyphs or pictures; see `envs.sequences.items.Items`.
      classes: K, that are trained on.
      labels: L; 0 gives each class its own.
      pairs: N, items before the query.
      burstiness: B, items of a class in a bursty sequence.
      p_bursty: share of sequences that are bursty (Chan et al.: .9).
      exponent: of the classes' ranks (Chan et al.: 0 to 3).
      variation: within a class of vectors, eps.
      meanings: X, labels that a class may have.
      labels_change: whether labels are permuted in every sequence.
      held_out: classes that are not trained on, for the split in_context.
      size: numbers of a vector, or components of a glyph.
      fonts: that glyphs are drawn in, at most 12.
      every_step: whether every item's label is asked for, while training, and not the last alone.
      world_seed: of the classes.

    Raises:
      ValueError: one line, if a number is out of range, or there are too few classes or labels.
    """
    for name, value in (("pairs", pairs), ("classes", classes), ("meanings", meanings)):
      if value < 1:
        raise ValueError(f"{name} is {value}; expected at least 1.")
    if labels < 0:
      raise ValueError(f"labels is {labels}; expected at least 0.")
    if not 1 <= burstiness <= pairs:
      raise ValueError(f"burstiness is {burstiness}; expected 1 to pairs, {pairs}.")
    if exponent < 0.0:
      raise ValueError(f"exponent is {exponent}; expected at least 0.")
    if not 0.0 <= p_bursty <= 1.0:
      raise ValueError(f"p_bursty is {p_bursty}; it must lie in [0, 1].")
    self.pairs, self.burstiness, self.p_bursty = pairs, burstiness, p_bursty
    self.ways, self.left = pairs // burstiness, pairs % burstiness
    self.classes, self.held_out, self.meanings = classes, held_out, meanings
    groups = min(labels or classes, classes)
    shown = self.ways + self.left
    for name, value in (("labels", labels or classes), ("classes", classes)):
      if value < max(shown, 2):
        raise ValueError(f"{name} is {value}; a sequence shows up to {max(shown, 2)}.")
    if held_out < shown:
      raise ValueError(f"held_out is {held_out}; a sequence shows {shown} of those classes.")
    self.ranks = Ranks(classes, exponent, groups)
    self.labels = groups * meanings
    self.labels_change, self.every_step = labels_change, every_step
    self.items = Items(items, classes + held_out, classes, size, variation, fonts, world_seed)
    self.max_episode_steps = pairs + 1
    self.success_return = np.inf if every_step else 1.0
    self.split = "train"

  def reset(self, key: jax.Array) -> tuple[SequenceState, dm_env.TimeStep]:
    key, own = jax.random.split(key)
    draw = Uniforms(key, self._numbers)
    classes, labels = getattr(self, f"_{self.split}")(draw)
    state = SequenceState(jnp.int32(0), classes, labels.astype(jnp.int32), own)
    return state, restart(self.observe(state))

  def step(self, state: SequenceState, action: jax.Array) -> tuple[SequenceState, dm_env.TimeStep]:
    right = action == state.labels[state.time]
    asked = self._asked(state.time)
    state = state._replace(time=state.time + 1)
    terminated = state.time > self.pairs
    return state, transition(self.observe(state), jnp.where(right & asked, 1.0, 0.0), terminated)

  def observe(self, state: SequenceState) -> dict[str, jax.Array]:
    shown = jnp.minimum(state.time, self.pairs)
    item = self.items.draw(jax.random.fold_in(state.key, shown), state.classes[shown])
    item = jnp.where(state.time <= self.pairs, item, jnp.zeros_like(item))
    before = jnp.where(state.time > 0, state.labels[jnp.maximum(state.time - 1, 0)], -1)
    label = jax.nn.one_hot(before, self.labels, dtype=jnp.float32)  # of -1 all are 0
    told = jnp.where(self._asked(state.time), state.labels[shown], -1).astype(jnp.int32)
    if self.items.kind == "pictures":
      return {"item": item, "label": label, LABEL: told}
    return {"item_and_label": jnp.concatenate([item, label]), LABEL: told}

  def observation_spec(self) -> Spec:
    told = specs.BoundedArray((), np.int32, -1, self.labels - 1, LABEL)
    item = self.items.spec()
    if self.items.kind == "pictures":
      label = specs.BoundedArray((self.labels,), np.float32, 0.0, 1.0, "label")
      return {"item": item, "label": label, LABEL: told}
    largest = max(np.float32(self.items.largest), np.float32(1.0))
    size = item.shape[0] + self.labels
    both = specs.BoundedArray((size,), np.float32, -largest, largest, "item_and_label")
    return {"item_and_label": both, LABEL: told}

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(self.labels, np.int32, "action")

  def splits(self) -> Mapping[str, Environment]:
    """What is trained on, and three that ask for the query's label alone:

    in_context  classes that were not trained on, with labels drawn at random
    swapped     classes with the label after their own: what is right is what the context says
    in_weights  the query's label is not in the context: what is right is the class's own
    """
    return {name: self if name == self.split else self._copy(name) for name in SPLITS}

  def _copy(self, split: str) -> Bursty:
    other = copy.copy(self)
    other.split = split
    if split != "train":
      other.every_step, other.success_return = False, 1.0
    return other

  def optimal(self) -> Reference | None:
    """Of what knows the classes, where items are vectors that hardly vary and so are told apart,
    and a class has but one label."""
    clear = self.items.kind == "vectors" and self.items.variation <= 0.25 and self.items.size >= 32
    once = self.split == "in_context" or not (self.labels_change or self.meanings > 1)
    if not (clear and once) or self.every_step:
      return None
    return Reference(1.0, 1.0, float(self.pairs + 1), 0.99**self.pairs)

  def _asked(self, time: jax.Array) -> jax.Array:
    return (time <= self.pairs) if self.every_step else (time == self.pairs)

  @property
  def _numbers(self) -> int:
    """Uniform numbers that a sequence takes, at most."""
    return self.ranks.groups + self.labels + self.held_out + 8 * (self.pairs + 1)

  def _train(self, draw: Uniforms) -> tuple[jax.Array, jax.Array]:
    """Classes and labels [N+1] of a sequence to learn from."""
    both = self._bursty(draw), self._free(draw)
    chosen = draw(1)[0] < self.p_bursty
    classes, labels = jax.tree.map(lambda a, b: jnp.where(chosen, a, b), *both)
    if self.labels_change:
      labels = draw.order(self.labels)[labels]
    return classes, labels

  def _bursty(self, draw: Uniforms, shift: int = 0) -> tuple[jax.Array, jax.Array]:
    """A bursty sequence, whose labels are those `shift` after the classes' own."""
    ways = self.ranks.different(draw(self.ranks.groups), draw(self.ways))
    classes = self._arranged(draw, ways, self.ranks.any(draw(self.left)))
    # Of items of one class the first one's meaning.
    first = jnp.argmax(classes[:, None] == classes, axis=1)
    return classes, self._label(classes + shift, self._meanings(draw)[first])

  def _free(self, draw: Uniforms) -> tuple[jax.Array, jax.Array]:
    """A sequence of independent items."""
    classes = self.ranks.any(draw(self.pairs + 1))
    return classes, self._label(classes, self._meanings(draw))

  def _in_context(self, draw: Uniforms) -> tuple[jax.Array, jax.Array]:
    shown = self.ways + self.left
    drawn, labels = draw.order(self.held_out)[:shown], draw.order(self.labels)[:shown]
    order = self._arranged(draw, jnp.arange(self.ways), jnp.arange(self.ways, shown))
    return (self.classes + drawn[order]).astype(jnp.int32), labels[order]

  def _swapped(self, draw: Uniforms) -> tuple[jax.Array, jax.Array]:
    return self._bursty(draw, shift=1)

  def _in_weights(self, draw: Uniforms) -> tuple[jax.Array, jax.Array]:
    query = self.ranks.any(draw(1))
    group = query[0] % self.ranks.groups
    context = self.ranks.without(group, draw(self.pairs), draw(self.pairs))
    classes = jnp.concatenate([context, query])
    return classes, self._label(classes, self._meanings(draw))

  def _arranged(self, draw: Uniforms, bursty: jax.Array, left: jax.Array) -> jax.Array:
    """B of each of the classes [ways] and one of those [left] in a random order, then a query of
    one of the first, [N+1]."""
    context = jnp.concatenate([jnp.repeat(bursty, self.burstiness), left])
    query = bursty[draw.integers(1, self.ways)]
    return jnp.concatenate([context[draw.order(self.pairs)], query])

  def _meanings(self, draw: Uniforms) -> jax.Array:
    return draw.integers(self.pairs + 1, self.meanings)

  def _label(self, classes: jax.Array, meaning: jax.Array) -> Any:
    return self.meanings * (classes % self.ranks.groups) + meaning
