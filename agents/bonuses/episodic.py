"""Episodic memories of embeddings, gone through in the same way while acting and while learning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Episodic(NamedTuple):
  """A memory of what one episode showed, of each of B environments; its leaves are [B, ...].

  Attributes:
    initial: batch -> an empty memory.
    restart: (memory, first bool [B]) -> memory, empty where `first`.
    novelty: (memory, embedding [B, E]) -> arrays [B, ...], what is new about the embedding.
    insert: (memory, embedding [B, E]) -> memory with the embedding in it.
  """

  initial: Callable[[int], Any]
  restart: Callable[[Any, jax.Array], Any]
  novelty: Callable[[Any, jax.Array], Any]
  insert: Callable[[Any, jax.Array], Any]


def advance(episodic: Episodic, memory: Any, embedded: jax.Array, first: jax.Array) -> Any:
  """The memory after one more step: embeddings [B, E], `first` bool [B]."""
  return episodic.insert(episodic.restart(memory, first), embedded)


def replay(
  episodic: Episodic, memory: Any, embedded: jax.Array, first: jax.Array
) -> tuple[Any, Any]:
  """Goes through a trajectory from the memory before its step 0.

  Args:
    episodic: the kind of memory.
    memory: [B, ...].
    embedded: [T+1, B, E].
    first: bool [T+1, B].

  Returns:
    What was new at the steps 1 to T, arrays [T, B, ...], each against the memory of its episode up
    to the step before; and the memory after step T.
  """

  def body(memory: Any, inputs: tuple[jax.Array, jax.Array]) -> tuple[Any, Any]:
    embedded, first = inputs
    memory = episodic.restart(memory, first)
    return episodic.insert(memory, embedded), episodic.novelty(memory, embedded)

  memory, novelty = jax.lax.scan(body, memory, (embedded, first))
  return jax.tree.map(lambda x: x[1:], novelty), memory
