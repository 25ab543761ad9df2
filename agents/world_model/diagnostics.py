"""Signs of a collapsed latent, which otherwise shows only as a bonus that silently goes to zero."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from agents.world_model.table import normalise

COLLAPSED_RANK = 2.0
"""A latent whose effective rank is below this is reported as collapsed."""
COLLAPSED_COSINE = 0.98
"""And one whose random pairs have a mean cosine above this."""


def latent_diagnostics(latents: jax.Array) -> dict[str, jax.Array]:
  """Describes how much of its space a latent uses.

  Args:
    latents: [S, B, N], along time, of one trajectory batch.

  Returns:
    Scalars, all of L2-normalised latents:
    effective_rank: exp of the entropy of the covariance's normalised spectrum, from 1 to N
      (Roy & Vetterli 2007).
    std: mean over dimensions of the standard deviation, times sqrt(N): 1 when spread evenly.
    cosine: mean cosine of random pairs: 1 when all are the same.
    alignment: mean squared distance of temporal neighbours; uniformity: log mean exp(-2 d^2) over
      random pairs (Wang & Isola 2020, arXiv 2005.10242).
    collapsed: 1 if the rank or the cosine says that the latent carries next to nothing.
  """
  size = latents.shape[-1]
  z = normalise(latents)
  flat = z.reshape(-1, size)
  count = flat.shape[0]
  # A fixed shuffle pairs each latent with one of another time and environment.
  other = flat[jax.random.permutation(jax.random.key(0), count)]
  cosine = jnp.sum(flat * other, axis=-1)
  centred = flat - jnp.mean(flat, axis=0)
  # The smaller of the two Gram matrices has the same non-zero spectrum.
  gram = centred @ centred.T if count < size else centred.T @ centred
  spectrum = jnp.maximum(jnp.linalg.eigvalsh(gram / count), 0.0)
  total = jnp.sum(spectrum)
  p = spectrum / jnp.maximum(total, 1e-12)
  rank = jnp.exp(-jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.maximum(p, 1e-30)), 0.0)))
  rank = jnp.where(total > 1e-9, rank, 1.0)  # the same point everywhere
  mean_cosine = jnp.mean(cosine)
  collapsed = (rank < COLLAPSED_RANK) | (mean_cosine > COLLAPSED_COSINE)
  return {
    "effective_rank": rank,
    "std": jnp.mean(jnp.std(flat, axis=0)) * jnp.sqrt(size),
    "cosine": mean_cosine,
    "alignment": jnp.mean(jnp.sum(jnp.square(z[1:] - z[:-1]), axis=-1)),
    "uniformity": jnp.log(jnp.mean(jnp.exp(-2.0 * (2.0 - 2.0 * cosine)))),
    "collapsed": collapsed.astype(jnp.float32),
  }
