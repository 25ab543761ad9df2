"""RIDE: pays for actions that change much of what the agent can change, the less the more often the
episode has shown where they lead.

Formula: r_t = ||e(o_{t+1}) - e(o_t)||_2 / sqrt(n(o_{t+1})), n how often the episode has shown
o_{t+1}, this time included (agents/bonuses/episodic_counts.py), in an embedding e that learns by
inverse and forward dynamics (agents/bonuses/dynamics.py); the loss is forward_weight forward +
inverse_weight inverse.
Source: Raileanu & Rocktaeschel 2020 (arXiv 2002.12292), section 4; the order of count and division,
and the network sizes, as in the authors' code. There the forward loss is the distance and not half
its square, and weighs a hundred times the inverse one: by either form the embedding then shrank,
and in 450 updates on random play in xminigrid/KeyCorridorS3R1 learned nothing of the actions (a
cross entropy of 1.79 nats, as by chance), where with ICM's weights it did (.83). There the whole
grid is counted, here what the agent sees of it; there nothing scales the rewards, here the shared
normaliser divides by the running deviation.
Good at: worlds that are another in each episode, and things to pick up, open and move: the pay for
an impact does not vanish over the run.
Bad at: going where no episode has been; a world where the largest impact lies off the way. Where
observations never repeat (noise, a clock in sight) the count is always 1.
Cost: a torso of its own and two small heads, forward and backward; hashes while acting; 8 bytes a
different observation of an episode and environment, which every trajectory carries.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from agents.bonuses import dynamics, episodic_counts
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.episodic import advance, replay
from agents.bonuses.episodic_counts import EpisodicCountsConfig, Visits
from agents.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class RIDEConfig(EpisodicCountsConfig):
  """Impact-driven exploration. Sources name the paper, arXiv 2002.12292."""

  size: int = 128
  """Size of the embedding (the authors' code: 128)."""
  forward_weight: float = 0.2
  """Weight of the forward model's loss (ICM: .2; the authors' code: 10)."""
  inverse_weight: float = 0.8
  """Weight of the inverse model's loss (ICM: .8; the authors' code: .1)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    if self.size < 1:
      raise ValueError(f"size is {self.size}; it must be at least 1.")
    for name in ("forward_weight", "inverse_weight"):
      if getattr(self, name) < 0.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0.")


@registry.register(
  "ride", RIDEConfig, summary="change of a controllable embedding, by the episode's visits"
)
def build(settings: RIDEConfig, context: Context) -> Bonus:
  model = dynamics.build(context, settings.size)
  hashing = episodic_counts.build(context.env.observation_spec(), settings.bits)
  memories = episodic_counts.visits(settings.capacity)

  def init(key: jax.Array) -> tuple[Any, jax.Array]:
    model_key, hash_key = jax.random.split(key)
    return model.init(model_key), hashing.init(hash_key)

  def reward(
    params: Any, projection: jax.Array, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del outputs, key
    embedded = model.embed(params, trajectory)
    impact = jnp.linalg.norm(embedded[1:] - embedded[:-1], axis=-1)
    hashed = hashing.apply(projection, trajectory.observation)
    n, _ = replay(memories, trajectory.memory.bonus, hashed, trajectory.first)
    visits = jnp.mean(n.astype(jnp.float32), where=trajectory.mask)
    return impact * jax.lax.rsqrt(n.astype(jnp.float32)), projection, {"episodic_visits": visits}

  def loss(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del statistics, outputs, key
    told, foreseen = model.losses(params, model.embed(params, trajectory), trajectory)
    return settings.inverse_weight * told + settings.forward_weight * foreseen

  def remember(
    params: Any, projection: jax.Array, memory: Visits, observation: Any, first: jax.Array
  ) -> Visits:
    del params
    return advance(memories, memory, hashing.apply(projection, observation), first)

  return Bonus(
    init,
    reward,
    loss,
    scaling="return_std",
    initial_memory=memories.initial,
    remember=remember,
  )
