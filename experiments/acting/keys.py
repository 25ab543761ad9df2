"""Random keys of a run: one stream for each use, of its seed alone."""

from __future__ import annotations

import jax

SCORES, EVALUATION, ACTORS = range(2**31, 2**31 + 3)
"""Uses of a seed's key beside training, whose splits lead to other keys: in the threefry generator
`split(key, n)[i]` is `fold_in(key, i)`."""


def stream(keys: jax.Array, use: int, number: int) -> jax.Array:
  """The keys [S] of a use, and of a number from 0 in it such as the steps done, of seeds' keys [S].

  Folded in, not added, so that no number of one seed gives what another number of another does.
  """
  fold = jax.vmap(jax.random.fold_in, in_axes=(0, None))
  # By halves: steps may be more than 32 bits hold.
  for part in (use, number >> 32 & 0xFFFFFFFF, number & 0xFFFFFFFF):
    keys = fold(keys, part)
  return keys
