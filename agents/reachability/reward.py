"""What a step towards a goal pays: less for each edge between here and there.

Source: Mezghani et al. 2023, GO-FRESH (arXiv 2301.02099), equation 5, and its code.
"""

from __future__ import annotations

import jax


def shaped(
  logits: jax.Array,
  distance: jax.Array | float,
  temperature: jax.Array | float,
  scale: float,
  weight: float,
) -> jax.Array:
  """c (w (sigmoid(r(s', g) / T) - 1) - d(out(s'), in(g))), float32 [...]; never above 0.

  Args:
    logits: r of a way from where the step led to the goal, float32 [...].
    distance: d in edges, [...]; 0 leaves the reward from reachability alone.
    temperature: T, which calibrates.
    scale: c.
    weight: w.
  """
  return scale * (weight * (jax.nn.sigmoid(logits / temperature) - 1.0) - distance)
