"""flat: the observation itself."""

from __future__ import annotations

import jax

from agents.torsos.torso import Torso, preprocess, registry


@registry.register("flat")
class Flat(Torso):
  """No encoder: the latent is the flattened observation itself, for vectors that need none."""

  def __call__(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    x = preprocess(self.spec, observation)
    x = x.reshape(x.shape[0], -1)
    if x.shape[-1] != self.size:
      raise ValueError(
        f"the flat torso makes latents of {x.shape[-1]} numbers; give --latent-size {x.shape[-1]}."
      )
    return x
