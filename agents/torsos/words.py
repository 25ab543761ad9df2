"""words: texts, by their words and where these stand."""

from __future__ import annotations

import haiku as hk
import jax
import jax.numpy as jnp

from agents.torsos.torso import Torso, registry
from envs.observation import Tokens

EMBEDDING = 64
"""Numbers for a word (BabyAI's and rl-starter-files' networks: 32)."""
HIDDEN = 256
"""Units of the hidden layer over the text, as of `mlp`."""


@registry.register("words")
class Words(Torso):
  """Embedded words, weighted by where they stand and added up, then a hidden layer with ReLU.

  Word j of J has the weights l_k = (1 - j / J) - (k / d) (1 - 2 j / J) for entry k of its d, so
  that the order of words counts, at no cost of a recurrence. Source: position encoding of
  Sukhbaatar et al. 2015 (arXiv 1503.08895), section 4.1.
  """

  def tokens(
    self, observation: jax.Array, key: jax.Array | None = None, training: bool = False
  ) -> jax.Array:
    """Weighted words [N, L, D] of numbers [N, L]; 0 where there is none, or none that is known."""
    del key, training
    if not isinstance(self.spec, Tokens):
      raise ValueError(
        f"the words torso reads text; the observation is {self.spec.dtype} {self.spec.shape}. Use"
        " --torso auto."
      )
    table = hk.get_parameter(
      "words", (self.spec.size, EMBEDDING), init=hk.initializers.RandomNormal(EMBEDDING**-0.5)
    )
    there = observation > 0
    place = jnp.arange(1, observation.shape[-1] + 1)
    count = jnp.maximum(jnp.max(jnp.where(there, place, 0), axis=-1, keepdims=True), 1)
    share = (place / count)[..., None]
    entry = jnp.arange(1, EMBEDDING + 1) / EMBEDDING
    weights = (1.0 - share) - entry * (1.0 - 2.0 * share)
    return jnp.where(there[..., None], weights * table[observation], 0.0)

  @hk.transparent
  def pool(self, tokens: jax.Array) -> jax.Array:
    """The latent [N, size] of weighted words [N, L, D]."""
    hidden = jax.nn.relu(hk.Linear(HIDDEN, name="hidden")(jnp.sum(tokens, axis=1)))
    return hk.Linear(self.size, name="latent")(hidden)
