"""Oracle counts: pays for places that were seldom visited, as the environment itself tells them.

Formula: r_t = 1 / sqrt(n(place of step t+1)), n the number of visits with this one, of all
environments and episodes; within a batch they are counted in the order of time.
Source: Strehl & Littman 2008, MBIE-EB, equation 12 of "An analysis of model-based interval
estimation for Markov decision processes"; the table that other bonuses try to do without.
Good at: being the yardstick: nothing is learned, so nothing is misjudged.
Bad at: worlds whose state is more than where one stands; it reads what no agent may see, so it is
for comparing, never for scores.
Cost: one sort of T B integers; 4 bytes a place. Only environments written in JAX can tell.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.bonuses import visits
from agents.bonuses.bonus import Bonus, Context, Outputs, no_loss, registry
from agents.trajectory import Trajectory


@registry.register("oracle_counts", summary="1 / sqrt(visits) of the true place, as a yardstick")
def build(settings: Any, context: Context) -> Bonus:
  """Builds it for an environment that tells its places.

  Raises:
    ValueError: for one that does not.
  """
  del settings
  places_of = getattr(context.env, "places", None)
  places = places_of() if places_of is not None else None
  if places is None:
    raise ValueError(
      f"bonus oracle_counts: {type(context.env).__name__} does not tell its places; use counts."
    )

  def reward(params, table: jax.Array, trajectory: Trajectory, outputs: Outputs, key: jax.Array):
    del params, outputs, key
    n, table = visits.count(table, trajectory.oracle.place[1:], trajectory.mask)
    return jax.lax.rsqrt(n.astype(jnp.float32)), table, {}

  def init(key: jax.Array) -> tuple[Any, jax.Array]:
    del key
    return (), jnp.zeros(places.rows * places.columns, jnp.int32)

  return Bonus(init, reward, no_loss, scaling="none")
