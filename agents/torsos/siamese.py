"""siamese: one encoder for what is seen and for the goal."""

from __future__ import annotations

import jax

from agents.torsos.torso import Torso, automatic, one_view, registry


@registry.register("siamese")
class Siamese(Torso):
  """One encoder for what is seen and for the goal, of observations [2, *O] of envs/goals.

  The latent is the pair of both latents, each of half its size, by the torso that fits one view.
  """

  def __call__(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    shape = self.spec.shape[1:]
    if self.spec.shape[:1] != (2,) or self.size % 2:
      raise ValueError(
        f"the siamese torso reads a view and a goal [2, ...] into latents of even size; the"
        f" observation is {self.spec.shape}, the latent {self.size}."
      )
    spec = one_view(self.spec)
    choice = registry.choice(automatic(spec))
    torso = registry.build(choice, spec, self.size // 2, name="view")
    return torso(observation.reshape(-1, *shape)).reshape(-1, self.size)
