"""RE3: pays for states that lie far from the others in a fixed random embedding.

Formula: r_t = log(1 + |y_{t+1} - its k-th nearest y|), y = f(o) for a random encoder f that is not
trained, the neighbours among the other states o_1 .. o_T of the batch, or as many of them, drawn at
random, as `references` says.
Source: Seo et al. 2021 (arXiv 2102.09430), equation 3. The authors' code divides by a running
standard deviation, and so does the shared normaliser.
Good at: spreading states out from the first step on; there is nothing to learn.
Bad at: remembering: it knows the batch, not what was seen before it, and pays noise well.
Cost: the encoder forward on the batch, and distances T B x references.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from agents.bonuses import embedding
from agents.bonuses.bonus import Bonus, Context, Outputs, no_loss, registry
from agents.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class RE3Config:
  """RE3. Sources name the paper, arXiv 2102.09430."""

  size: int = 64
  """Size of the random embedding (the authors' code for MiniGrid: 64)."""
  neighbours: int = 3
  """k, which neighbour's distance is paid (section 4.1: 3)."""
  references: int = 1024
  """At most so many states of the batch are looked for neighbours (ours, for the cost)."""

  def __post_init__(self) -> None:
    if not 1 <= self.neighbours < self.references:
      raise ValueError(
        f"neighbours is {self.neighbours}; it must lie in 1 to"
        f" {self.references - 1}, below references."
      )


def neighbour_distance(points: jax.Array, references: jax.Array, neighbours: int) -> jax.Array:
  """The distance from each point to its k-th nearest reference other than itself, [N].

  Args:
    points: [N, E].
    references: int32 [R], which of the points are looked at, each once.
    neighbours: k; the farthest reference counts where there are fewer.
  """
  points = points - jnp.mean(points, axis=0)  # small norms, so that little cancels below
  chosen = points[references]
  product = jnp.matmul(points, chosen.T, precision=jax.lax.Precision.HIGHEST)
  squares = jnp.sum(jnp.square(points), axis=-1)
  distance = jnp.maximum(squares[:, None] + squares[references] - 2.0 * product, 0.0)
  itself = jnp.arange(points.shape[0])[:, None] == references
  near, _ = jax.lax.top_k(-jnp.where(itself, jnp.inf, distance), min(neighbours, len(references)))
  return jnp.sqrt(-jnp.min(jnp.where(jnp.isfinite(near), near, 0.0), axis=-1))


@registry.register(
  "re3", RE3Config, summary="distance to the k-th nearest state in a random embedding"
)
def build(settings: RE3Config, context: Context) -> Bonus:
  encoder = embedding.build(context, settings.size)

  def reward(params, statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array):
    del params, outputs
    arrived = jax.tree.map(lambda x: x[1:], trajectory.observation)
    embedded = encoder.apply(statistics, arrived)
    points = embedded.reshape(-1, settings.size)
    count = points.shape[0]
    references = jnp.arange(count)
    if count > settings.references:
      references = jax.random.permutation(key, count)[: settings.references]
    distance = neighbour_distance(points, references, settings.neighbours)
    return jnp.log1p(distance).reshape(embedded.shape[:2]), statistics, {}

  def init(key: jax.Array) -> tuple[Any, Any]:
    return (), encoder.init(key)

  return Bonus(init, reward, no_loss, scaling="return_std")
