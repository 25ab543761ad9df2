"""goal_mlp: two small networks, one for what is seen and one for the goal."""

from __future__ import annotations

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos.torso import Torso, preprocess, registry


@registry.register("goal_mlp")
class GoalMLP(Torso):
  """Two small networks, one for what is seen and one for the goal, of observations [2, N].

  Each has two hidden layers of 64 with tanh (GO-FRESH's code, arXiv 2301.02099), and half of the
  latent as its output: a fifteenth of the work of `siamese` on vectors.
  """

  HIDDEN = 64

  def __call__(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    if self.spec.shape[:1] != (2,) or len(self.spec.shape) != 2 or self.size % 2:
      raise ValueError(
        "the goal_mlp torso reads vectors, a view and a goal [2, N], into latents of even size; the"
        f" observation is {self.spec.shape}, the latent {self.size}: else give --torso siamese."
      )
    x = preprocess(self.spec, observation).reshape(len(observation), 2, -1)
    sizes = [self.HIDDEN, self.HIDDEN, self.size // 2]
    halves = [
      hk.nets.MLP(sizes, activation=jnp.tanh, name=name)(x[:, place])
      for place, name in enumerate(("seen", "goal"))
    ]
    return jnp.concatenate(halves, axis=-1)
