"""NGU: pays for what is new within the episode, the more so the newer it is for all the run.

Formula: r_t = r_episode * clip(1 + (err - mu) / sigma, 1, L), where r_episode is the episode's
pseudo-count (agents/bonuses/pseudo_counts.py), err is RND's prediction error of o_{t+1}
(agents/bonuses/rnd.py, with its defaults), mu and sigma its running mean and deviation.
Source: Badia et al. 2020, Never Give Up (arXiv 2002.06038), section 2, algorithm 1 and appendix.
mu and sigma forget by .99 a batch, as d_m^2 does. Not here: the family of policies with weights
beta_i, and with them the sharing of one network.
Good at: worlds where one must come past the familiar again to reach the new; it keeps paying in
every episode, so exploring never dies down.
Bad at: doing one thing well: the pay, 1 for the familiar to some 90 for the new, and five times
that, never ends, so it wants a small `bonus_weight`; noise that the actions are told by.
Cost: RND's, and that of pseudo-counts.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from agents.bonuses import normaliser, pseudo_counts, rnd
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.normaliser import NormaliserState
from agents.bonuses.ring import Ring
from agents.trajectory import Trajectory

MAX_MODULATION = 5.0
"""L, how much being new for all the run can add (section 2)."""


@dataclasses.dataclass(frozen=True)
class NGUConfig(pseudo_counts.PseudoCountsConfig):
  """Never Give Up. Sources name the paper, arXiv 2002.06038."""


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
  episode = pseudo_counts.build(settings, context)
  lifelong = rnd.build(rnd.RNDConfig(), context)

  def init(key: jax.Array) -> tuple[Any, Statistics]:
    episode_key, lifelong_key = jax.random.split(key)
    inverse, distances = episode.init(episode_key)
    params, statistics = lifelong.init(lifelong_key)
    return (
      {"inverse": inverse, "lifelong": params},
      Statistics(distances, normaliser.init(), statistics),
    )

  def reward(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    paid, distances, _ = episode.reward(
      params["inverse"], statistics.distances, trajectory, outputs, key
    )
    errors, lifelong_statistics, _ = lifelong.reward(
      params["lifelong"], statistics.lifelong, trajectory, outputs, key
    )
    moments = normaliser.update(statistics.errors, errors, trajectory.mask, pseudo_counts.DECAY)
    factor = modulation(errors, moments)
    metrics = {"ngu_modulation": jnp.mean(factor, where=trajectory.mask)}
    return paid * factor, Statistics(distances, moments, lifelong_statistics), metrics

  def loss(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    distilled = lifelong.loss(params["lifelong"], statistics.lifelong, trajectory, outputs, key)
    told = episode.loss(params["inverse"], statistics.distances, trajectory, outputs, key)
    return told + distilled

  def remember(
    params: Any, statistics: Statistics, memory: Ring, observation: Any, first: jax.Array
  ) -> Ring:
    return episode.remember(params["inverse"], statistics.distances, memory, observation, first)

  return Bonus(
    init,
    reward,
    loss,
    scaling="none",
    initial_memory=episode.initial_memory,
    remember=remember,
  )
