"""RECODE: counts visits of clusters that are found while one goes.

Formula: a memory of M atoms f_l with counts c_l, of all environments and episodes, meets each
embedding e of an o_{t+1} as follows.
  N = sum_l (1 + c_l) k(f_l, e),  k = eps / (eps + q / d^2) where q = |f_l - e|^2 <= d^2, else 0
  r_t = 1 / (sqrt(N) + c)
  d^2 <- its running mean with that of q over the nearest atoms;  all c_l <- gamma c_l
  If the nearest atom is farther than kappa d^2, then with probability eta an atom j, drawn with
  odds 1 / c_j^2, gives its count to its nearest and its place to e, with count 1.
  Else the nearest atom moves, f <- (c f + e) / (c + 1), and its count grows by 1.
Source: Saade et al. 2023 (arXiv 2305.01521), algorithm 1, as in the manuscript on OpenReview
(tVrRejrC-RZ), whose weights are 1 + c_l. As there the shared normaliser divides by the running
deviation. Ours: places not yet taken are no atoms, and while there are any, e is put there with
certainty; d^2 is the plain mean until 1 / tau embeddings were met.
Good at: counting over thousands of episodes in a space that moves; noise that the embedding drops.
Bad at: more clusters than atoms; novelty that the embedding, trained to tell actions, leaves out.
Cost: exact, one embedding after the other in the order of time: T B steps of O(M E) each, some 40
microseconds with the defaults on a CPU; 4 M E bytes. With `of` latent, no network.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from agents.bonuses import inverse_dynamics
from agents.bonuses.bonus import Bonus, Context, Outputs, no_loss, registry
from agents.trajectory import Trajectory

NEIGHBOURS = 20
"""k, atoms whose distance sets the scale d^2 (recalled)."""
RATE = 1e-3
"""tau, of the running d^2, an embedding a step (the paper's is smaller, with memories that are
filled over more steps)."""
TOLERANCE = 0.2
"""kappa, how far, relative to d^2, an embedding must lie to become an atom (recalled)."""
KERNEL_EPSILON = 1e-2
"""eps of the kernel (ours)."""
CONSTANT = 0.1
"""c, in place of a count of nothing, so that 10 is the highest reward (ours; the paper: small)."""


@dataclasses.dataclass(frozen=True)
class RECODEConfig:
  """RECODE. Sources name the paper, arXiv 2305.01521."""

  of: Literal["inverse_dynamics", "latent"] = "inverse_dynamics"
  """What is counted: an embedding trained to predict the action (section 4), or the world model's
  latent."""
  size: int = 32
  """Size of the inverse dynamics' embedding (NGU: 32)."""
  atoms: int = 1024
  """M, clusters (section 3: 50000 to 200000)."""
  decay: float = 0.9999
  """gamma, of all counts, an embedding a step (swept in the paper: near 1 remembers for long)."""
  insertion: float = 0.05
  """eta, the chance that a far embedding becomes an atom (recalled)."""

  def __post_init__(self) -> None:
    if self.size < 1 or self.atoms < 2:
      raise ValueError("size must be at least 1, and atoms at least 2.")
    for name in ("decay", "insertion"):
      if not 0.0 < getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in (0, 1].")


class Clusters(NamedTuple):
  """The memory.

  Attributes:
    atoms: float32 [E, M].
    sizes: float32 [M], |f_l|^2.
    counts: float32 [M], 0 where there is no atom yet.
    scale: float32, d^2.
    met: int32, embeddings so far.
  """

  atoms: jax.Array
  sizes: jax.Array
  counts: jax.Array
  scale: jax.Array
  met: jax.Array


def empty(atoms: int, size: int) -> Clusters:
  return Clusters(
    jnp.zeros((size, atoms), jnp.float32),
    jnp.zeros((atoms,), jnp.float32),
    jnp.zeros((atoms,), jnp.float32),
    jnp.float32(0.0),
    jnp.int32(0),
  )


RESOLUTION = 1e-5
"""Squared distances below this share of |e|^2 are rounding, and count as none."""


def _squares(clusters: Clusters, embedded: jax.Array) -> jax.Array:
  """|f_l - e|^2, [M], infinite where there is no atom yet.

  By a product, which on a CPU is some ten times as quick as to sum up differences.
  """
  size = jnp.sum(jnp.square(embedded))
  product = jnp.matmul(embedded, clusters.atoms, precision=jax.lax.Precision.HIGHEST)
  squares = clusters.sizes - 2.0 * product + size
  squares = jnp.where(squares < RESOLUTION * size, 0.0, squares)
  return jnp.where(clusters.counts > 0.0, squares, jnp.inf)


def meet(
  settings: RECODEConfig,
  clusters: Clusters,
  embedded: jax.Array,
  mask: jax.Array,
  chances: jax.Array,
) -> tuple[Clusters, jax.Array]:
  """Returns the clusters after one embedding [E], and r, a scalar.

  Args:
    settings: of the memory.
    clusters: before it.
    embedded: [E].
    mask: bool, without which nothing changes.
    chances: [2], uniform in [0, 1): whether it becomes an atom, and whose place it takes.
  """
  atoms, sizes, counts, scale, met = clusters
  squares = _squares(clusters, embedded)
  kernel = KERNEL_EPSILON / (KERNEL_EPSILON + squares / jnp.maximum(scale, 1e-12))
  visits = jnp.sum(jnp.where(squares <= scale, (1.0 + counts) * kernel, 0.0))
  reward = 1.0 / (jnp.sqrt(visits) + CONSTANT)

  near, order = jax.lax.top_k(-squares, min(NEIGHBOURS, squares.size))
  near = -near
  # Among the k, which is quicker than among the M; a plain order[0] would make XLA sort all M.
  nearest = order[jnp.argmin(near)]
  held = jnp.isfinite(near)
  mean = jnp.sum(jnp.where(held, near, 0.0)) / jnp.maximum(jnp.sum(held), 1)
  rate = jnp.maximum(RATE, 1.0 / jnp.maximum(met, 1))  # the first one has no neighbours
  scale = scale + jnp.where(mask & (met > 0), rate, 0.0) * (mean - scale)
  counts = jnp.where(mask, settings.decay, 1.0) * counts

  room = jnp.any(counts == 0.0)
  far = squares[nearest] > TOLERANCE * scale
  inserts = far & (room | (chances[0] < settings.insertion))

  def make_room() -> tuple[jax.Array, jax.Array]:
    # Odds relative to the largest, as 1 / c^2 overflows.
    fewest = jnp.maximum(jnp.min(counts), 1e-30)
    odds = jnp.cumsum(jnp.square(fewest / jnp.maximum(counts, 1e-30)))
    out = jnp.minimum(jnp.sum(odds <= chances[1] * odds[-1]), odds.size - 1)
    others = _squares(clusters, atoms[:, out]).at[out].set(jnp.inf)
    return out, jnp.argmin(others)

  out, heir = jax.lax.cond(inserts & mask, make_room, lambda: (nearest, nearest))
  count = counts[nearest]
  moved = atoms[:, nearest] + (embedded - atoms[:, nearest]) / (count + 1.0)
  counts = counts.at[heir].add(jnp.where(inserts & mask, counts[out], 0.0))
  written = jnp.where(mask, out, counts.size)  # past the end nothing is written
  counts = counts.at[written].set(jnp.where(inserts, 1.0, count + 1.0), mode="drop")
  atom = jnp.where(inserts, embedded, moved)
  atoms = atoms.at[:, written].set(atom, mode="drop")
  sizes = sizes.at[written].set(jnp.sum(jnp.square(atom)), mode="drop")
  return Clusters(atoms, sizes, counts, scale, met + mask), reward


@registry.register("recode", RECODEConfig, summary="1 / sqrt(visits) of clusters found online")
def build(settings: RECODEConfig, context: Context) -> Bonus:
  latent = settings.of == "latent"
  encoder = None if latent else inverse_dynamics.build(context, settings.size)
  size = context.latent_size if latent else settings.size

  def init(key: jax.Array) -> tuple[Any, Clusters]:
    return () if encoder is None else encoder.init(key), empty(settings.atoms, size)

  def reward(
    params: Any, clusters: Clusters, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    if encoder is None:
      embedded = jax.lax.stop_gradient(outputs.latents[1:])
    else:
      arrived = jax.tree.map(lambda x: x[1:], trajectory.observation)
      embedded = encoder.embed(params, arrived)
    chances = jax.random.uniform(key, (trajectory.mask.size, 2))

    def body(clusters: Clusters, inputs: tuple[jax.Array, ...]) -> tuple[Clusters, jax.Array]:
      return meet(settings, clusters, *inputs)

    inputs = (embedded.reshape(-1, size), trajectory.mask.reshape(-1), chances)
    clusters, rewards = jax.lax.scan(body, clusters, inputs)
    metrics = {
      "recode_atoms_used": jnp.mean((clusters.counts > 0.0).astype(jnp.float32)),
      "recode_scale": clusters.scale,
    }
    return rewards.reshape(trajectory.mask.shape), clusters, metrics

  def loss(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del statistics, outputs, key
    assert encoder is not None
    return encoder.loss(params, trajectory)

  return Bonus(init, reward, no_loss if latent else loss, scaling="return_std")
