"""NGU: pays for what is new within the episode, the more so the newer it is for all the run.

Formula: r_t = r_episode * clip(1 + (err - mu) / sigma, 1, L). With N_k the k nearest embeddings
among those the episode held up to o_t, and d_m^2 the running mean of squared distances to them,
  K_i = eps / (max(d_i^2 / d_m^2 - xi, 0) + eps),  s = sqrt(sum_{i in N_k} K_i) + c,
  r_episode = 1 / s, or 0 where s > s_max.
err is RND's prediction error of o_{t+1} (agents/bonuses/rnd.py, with its defaults), mu and sigma
its running mean and deviation. The embedding learns to predict the action.
Source: Badia et al. 2020, Never Give Up (arXiv 2002.06038), section 2, algorithm 1 and appendix.
The memory is a ring of `capacity` embeddings, which an episode that is longer writes over from
its oldest on. d_m^2, mu and sigma forget by .99 a batch, as the embedding moves. Not here: the
family of policies with weights beta_i, and with them the sharing of one network.
Good at: worlds where one must come past the familiar again to reach the new; it keeps paying in
every episode, so exploring never dies down.
Bad at: doing one thing well: the pay, 1 for the familiar to some 90 for the new, and five times
that, never ends, so it wants a small `bonus_weight`; noise that the actions are told by.
Cost: RND's and the inverse dynamics' networks; a second forward pass while acting; distances T B
to a ring of capacity x E floats an environment, which every trajectory carries.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.bonuses import inverse_dynamics, normaliser, rnd
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.episodic import Episodic, advance, replay
from agents.bonuses.normaliser import NormaliserState
from agents.trajectory import Trajectory

KERNEL_EPSILON = 1e-4
"""eps of the kernel (appendix)."""
CLUSTER_DISTANCE = 0.008
"""xi: nearer than this, relative to d_m^2, is the same (appendix)."""
PSEUDO_COUNT = 1e-3
"""c, in place of a count of nothing (appendix)."""
MAX_SIMILARITY = 8.0
"""s_max: what is more familiar than this pays nothing (appendix)."""
MAX_MODULATION = 5.0
"""L, how much being new for all the run can add (section 2)."""
DECAY = 0.99
"""Of the running d_m^2, mu and sigma, a batch a step (ours; the paper says running)."""


@dataclasses.dataclass(frozen=True)
class NGUConfig:
  """Never Give Up. Sources name the paper, arXiv 2002.06038."""

  size: int = 32
  """Size of the controllable embedding (appendix: 32)."""
  neighbours: int = 10
  """k, neighbours that are looked at (appendix: 10)."""
  capacity: int = 512
  """Embeddings that an episode's memory holds (appendix: 30000)."""

  def __post_init__(self) -> None:
    if self.size < 1 or not 1 <= self.neighbours <= self.capacity:
      raise ValueError(
        f"size must be at least 1, and neighbours lie in 1 to {self.capacity}, the capacity."
      )


class Ring(NamedTuple):
  """The memory of an episode.

  Attributes:
    embeddings: float32 [B, M, E]; only the newest min(inserted, M) are of this episode.
    inserted: int32 [B].
  """

  embeddings: jax.Array
  inserted: jax.Array


def ring(size: int, capacity: int, neighbours: int) -> Episodic:
  """Memories of `capacity` embeddings of `size`.

  Their novelty is the squared distances to the k nearest, float32 [B, k], nearest first; infinite
  where the episode has not that many.
  """

  def initial(batch: int) -> Ring:
    shape = (batch, capacity, size)
    return Ring(jnp.zeros(shape, jnp.float32), jnp.zeros((batch,), jnp.int32))

  def restart(memory: Ring, first: jax.Array) -> Ring:
    return memory._replace(inserted=jnp.where(first, 0, memory.inserted))

  def novelty(memory: Ring, embedded: jax.Array) -> jax.Array:
    # As rlax.knn_query under vmap, which takes twice the time and knows no empty places.
    squares = jnp.sum(jnp.square(memory.embeddings - embedded[:, None]), axis=-1)
    held = jnp.arange(capacity) < memory.inserted[:, None]
    return -jax.lax.top_k(-jnp.where(held, squares, jnp.inf), neighbours)[0]

  def insert(memory: Ring, embedded: jax.Array) -> Ring:
    rows = jnp.arange(embedded.shape[0])
    slot = memory.inserted % capacity
    return Ring(memory.embeddings.at[rows, slot].set(embedded), memory.inserted + 1)

  return Episodic(initial, restart, novelty, insert)


def episodic_reward(distances: jax.Array, mean_distance: jax.Array) -> jax.Array:
  """r_episode [...] of squared distances [..., k], by their running mean, a scalar."""
  relative = distances / jnp.maximum(mean_distance, 1e-12)
  kernel = KERNEL_EPSILON / (jnp.maximum(relative - CLUSTER_DISTANCE, 0.0) + KERNEL_EPSILON)
  similarity = jnp.sqrt(jnp.sum(kernel, axis=-1)) + PSEUDO_COUNT
  return jnp.where(similarity > MAX_SIMILARITY, 0.0, 1.0 / similarity)


def modulation(errors: jax.Array, state: NormaliserState) -> jax.Array:
  """How much being new for all the run multiplies, [...] in [1, L], by RND's errors [...]."""
  surprise = 1.0 + (errors - state.mean) / normaliser.deviation(state)
  return jnp.clip(surprise, 1.0, MAX_MODULATION)


class Statistics(NamedTuple):
  """Running moments of the squared distances and of RND's errors, and RND's own statistics."""

  distances: NormaliserState
  errors: NormaliserState
  lifelong: Any


@registry.register(
  "ngu", NGUConfig, summary="nearest neighbours in the episode, times RND over all the run"
)
def build(settings: NGUConfig, context: Context) -> Bonus:
  encoder = inverse_dynamics.build(context, settings.size)
  lifelong = rnd.build(rnd.RNDConfig(), context)
  memories = ring(settings.size, settings.capacity, settings.neighbours)

  def init(key: jax.Array) -> tuple[Any, Statistics]:
    encoder_key, lifelong_key = jax.random.split(key)
    params, statistics = lifelong.init(lifelong_key)
    return (
      {"inverse": encoder.init(encoder_key), "lifelong": params},
      Statistics(normaliser.init(), normaliser.init(), statistics),
    )

  def reward(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    embedded = encoder.embed(params["inverse"], trajectory.observation)
    distances, _ = replay(memories, trajectory.memory.bonus, embedded, trajectory.first)
    errors, lifelong_statistics, _ = lifelong.reward(
      params["lifelong"], statistics.lifelong, trajectory, outputs, key
    )
    known = trajectory.mask[..., None] & jnp.isfinite(distances)
    new = Statistics(
      normaliser.update(statistics.distances, distances, known, DECAY),
      normaliser.update(statistics.errors, errors, trajectory.mask, DECAY),
      lifelong_statistics,
    )
    factor = modulation(errors, new.errors)
    rewards = episodic_reward(distances, new.distances.mean) * factor
    return rewards, new, {"ngu_modulation": jnp.mean(factor, where=trajectory.mask)}

  def loss(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    distilled = lifelong.loss(params["lifelong"], statistics.lifelong, trajectory, outputs, key)
    return encoder.loss(params["inverse"], trajectory) + distilled

  def remember(
    params: Any, statistics: Any, memory: Ring, observation: Any, first: jax.Array
  ) -> Ring:
    del statistics
    embedded = encoder.embed(params["inverse"], observation)
    return advance(memories, memory, embedded, first)

  return Bonus(
    init,
    reward,
    loss,
    scaling="none",
    initial_memory=memories.initial,
    remember=remember,
  )
