"""goal_mlp: two small networks, one for what is seen and one for the goal."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos.torso import Torso, check_goals, preprocess, registry
from envs.observation import GOAL, VIEW


@registry.register("goal_mlp")
class GoalMLP(Torso):
  """Two small networks, one for what is seen and one for the goal, of views [N] of envs/goals.

  Each has two hidden layers of 64 with tanh (GO-FRESH's code, arXiv 2301.02099), and half of the
  latent as its output: a fifteenth of the work of `siamese` on vectors.
  """

  HIDDEN = 64
  reads_goals = True

  def __call__(
    self, observation: Any, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    check_goals("goal_mlp", self.spec, self.size)
    if len(self.spec[VIEW].shape) != 1:
      raise ValueError(
        f"the goal_mlp torso reads views that are vectors; they are {self.spec[VIEW].shape}: give"
        " --torso siamese."
      )
    read = preprocess(self.spec, observation)
    sizes = [self.HIDDEN, self.HIDDEN, self.size // 2]
    halves = [
      hk.nets.MLP(sizes, activation=jnp.tanh, name=name)(read[leaf].reshape(len(read[leaf]), -1))
      for name, leaf in (("seen", VIEW), ("goal", GOAL))
    ]
    return jnp.concatenate(halves, axis=-1)
