"""NovelD: pays for steps from the familiar to the new, at the first visit of the episode alone.

Formula: r_t = max(v(o_{t+1}) - alpha v(o_t), 0) where n(o_{t+1}) = 1, else 0; v is the distance of
RND's prediction from its random network's output (agents/bonuses/rnd.py), n how often the episode
has shown o_{t+1}, this time included (agents/bonuses/episodic_counts.py).
Source: Zhang et al. 2021, NovelD (NeurIPS 34; BeBold, arXiv 2012.08621), equations 2 and 3; alpha,
and v as a distance and not its square, as in the authors' code. There the networks read the
policy's encoding, the loss is the distance, and what is counted is the whole grid; here they read
whitened observations and learn by its square, as RND's do, and what the agent sees is counted. The
shared normaliser divides by the running deviation, where the code multiplies by a weight alone.
Good at: going beyond the border of what is known, evenly; worlds with many rooms.
Bad at: what RND is bad at; where observations never repeat (noise, a clock in sight) each visit is
the first.
Cost: RND's, with hashes while acting; 8 bytes a different observation of an episode and
environment, which every trajectory carries.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.bonuses import episodic_counts, rnd
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.episodic import advance, replay
from agents.bonuses.episodic_counts import EpisodicCountsConfig, Visits
from agents.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class NovelDConfig(EpisodicCountsConfig):
  """NovelD, NeurIPS 2021."""

  size: int = 128
  """Outputs of the random network (the authors' code: 128)."""
  alpha: float = 0.5
  """Weight of the novelty that is left (section 3; the authors' code: .5)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    if self.size < 1:
      raise ValueError(f"size is {self.size}; it must be at least 1.")
    if self.alpha < 0.0:
      raise ValueError(f"alpha is {self.alpha}; it must be at least 0.")


class Statistics(NamedTuple):
  """RND's, and what the hash keeps."""

  lifelong: rnd.Statistics
  projection: jax.Array


@registry.register(
  "noveld", NovelDConfig, summary="rise of RND's error, at the first visit of the episode"
)
def build(settings: NovelDConfig, context: Context) -> Bonus:
  networks = rnd.distillation(context, settings.size)
  hashing = episodic_counts.build(context.env.observation_spec(), settings.bits)
  memories = episodic_counts.visits(settings.capacity)

  def init(key: jax.Array) -> tuple[Any, Statistics]:
    network_key, hash_key = jax.random.split(key)
    params, statistics = networks.init(network_key)
    return params, Statistics(statistics, hashing.init(hash_key))

  def reward(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del outputs, key
    lifelong = networks.update(statistics.lifelong, rnd.arrived(trajectory))
    errors = networks.errors(params, lifelong, trajectory.observation)
    novelty = math.sqrt(settings.size) * jnp.sqrt(errors)
    hashed = hashing.apply(statistics.projection, trajectory.observation)
    n, _ = replay(memories, trajectory.memory.bonus, hashed, trajectory.first)
    rise = jnp.maximum(novelty[1:] - settings.alpha * novelty[:-1], 0.0)
    metrics = {"first_visits": jnp.mean((n == 1).astype(jnp.float32), where=trajectory.mask)}
    return jnp.where(n == 1, rise, 0.0), statistics._replace(lifelong=lifelong), metrics

  def loss(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del outputs, key
    return jnp.mean(networks.errors(params, statistics.lifelong, rnd.arrived(trajectory)))

  def remember(
    params: Any, statistics: Statistics, memory: Visits, observation: Any, first: jax.Array
  ) -> Visits:
    del params
    return advance(memories, memory, hashing.apply(statistics.projection, observation), first)

  return Bonus(
    init,
    reward,
    loss,
    scaling="return_std",
    initial_memory=memories.initial,
    remember=remember,
  )
