"""siamese: one encoder for what is seen and for the goal."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.torsos.torso import Torso, automatic, check_goals, registry
from envs.observation import GOAL, VIEW


@registry.register("siamese")
class Siamese(Torso):
  """One encoder for what is seen and for the goal, of observations of envs/goals.

  The latent is the pair of both latents, each of half its size, by the torso that fits one view.
  """

  reads_goals = True

  def __call__(
    self, observation: Any, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    check_goals("siamese", self.spec, self.size)
    spec = self.spec[VIEW]
    both = jnp.stack([observation[VIEW], observation[GOAL]], axis=1)
    torso = registry.build(registry.choice(automatic(spec)), spec, self.size // 2, name="view")
    return torso(both.reshape(-1, *spec.shape), key, training).reshape(-1, self.size)
