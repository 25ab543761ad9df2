"""Draws by priority, of the replays that lie in this process: in flashbax's sum tree.

A slot is drawn with its weight's share of all weights; an item's weight is its priority to the
power of `ReplaySpec.priority_exponent`, and 1 when it is new. The trees' nodes are float32
[2^(depth + 1) - 1], by level from the root; how many there are depends on the capacity alone.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

from experiments.settings.errors import UserError


def _library() -> ModuleType:
  """flashbax's sum tree, or a UserError where it is not installed."""
  try:
    from flashbax.buffers import sum_tree
  except ImportError as error:
    raise UserError(f"flashbax is not here ({error}); pip install 'rarebird[replay]'.") from error
  return sum_tree


def init(capacity: int) -> jax.Array:
  """The nodes of a tree whose weights are all 0.

  Raises:
    UserError: if flashbax is not installed.
  """
  return _library().init(capacity).nodes


def _tree(nodes: jax.Array, capacity: int) -> Any:
  return _library().init(capacity).replace(nodes=nodes)


def beyond(capacity: int) -> int:
  """A slot that the tree of this capacity does not have; what is set there is lost."""
  return 2 ** _library().get_tree_depth(capacity)


def put(nodes: jax.Array, capacity: int, slots: jax.Array, weights: jax.Array) -> jax.Array:
  """The nodes with the weights [N] of slots int32 [N]; of a slot given twice, the last counts."""
  return _library().set_batch_scan(_tree(nodes, capacity), slots, weights).nodes


def draw(
  nodes: jax.Array, capacity: int, batch_size: int, key: jax.Array, size: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Draws one of each stratum of equal probability (Schaul et al. 2015, 1511.05952, B.2.1).

  Args:
    nodes, capacity: of the tree.
    batch_size: B.
    key: random.
    size: int32, items held: slots below it. If all weigh nothing, all have the same chance, as in
      Reverb.

  Returns:
    Slots int32 [B] and their probabilities float32 [B].
  """
  tree = _tree(nodes, capacity)
  key, uniform_key = jax.random.split(key)
  # The sums are rounded, so the last stratum may reach past the last item.
  slots = jnp.minimum(_library().stratified_sample(tree, batch_size, key), size - 1)
  probabilities = _library().get_probability(tree, slots)
  any_item = jax.random.randint(uniform_key, (batch_size,), 0, size)
  weightless = nodes[0] <= 0
  return (
    jnp.where(weightless, any_item, slots),
    jnp.where(weightless, 1 / size, probabilities),
  )
