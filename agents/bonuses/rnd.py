"""RND: random network distillation, curiosity about observations unlike those seen before.

Formula: l_t = mean_i (p_i(x_{t+1}) - f_i(x_{t+1}))^2, where f is a random network that stays fixed,
p is trained to equal it, and x is the observation less its running mean, over its running standard
deviation, clipped to [-5, 5]; paid is l_t over the running deviation of its discounted returns.
Source: Burda et al. 2018 (arXiv 1810.12894), sections 2.2 to 2.4. The predictor has one layer more
than the target. Other than there no random play comes first to fill the running moments; they take
in each batch before it is paid, so that the first is paid by its own.
Good at: being quick and simple; the targets are a function of the observation, so no randomness of
the world keeps a small set of observations from becoming familiar.
Bad at: diffuse noise, whose observations never repeat (pixel noise); worlds so small that all is
soon familiar; and it knows nothing of what actions do.
Cost: two forward passes and one backward pass of a torso of its own; no table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from agents import running_moments
from agents.bonuses import embedding
from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.masking import masked_mean
from agents.running_moments import RunningMoments
from agents.torsos import torso as torsos
from agents.trajectory import Trajectory

CLIP = 5.0
"""Largest size of a whitened feature (section 2.4)."""
HIDDEN = 256
"""Units of the predictor's additional layer."""


@dataclasses.dataclass(frozen=True)
class RNDConfig:
  """Random network distillation, arXiv 1810.12894."""

  size: int = 128
  """Outputs of the random network (RND's code: 512)."""
  share: float = 1.0
  """Share of the experience that trains the predictor (RND, section 3.4: 1 with 32 environments,
  less with more, to keep the effective batch)."""

  def __post_init__(self) -> None:
    if not 0.0 < self.share <= 1.0:
      raise ValueError(f"share is {self.share}; it must lie in (0, 1].")


class Statistics(NamedTuple):
  """The random network's parameters, and the moments of the observations' features, of each leaf
  its own."""

  target: Any
  moments: Any


def by_leaf(function: Callable[[RunningMoments, Any], Any], moments: Any, features: Any) -> Any:
  """`function` of the moments and the features of each leaf."""
  return jax.tree.map(function, moments, features, is_leaf=lambda x: isinstance(x, RunningMoments))


class Distillation(NamedTuple):
  """A random network, and one that learns to equal it.

  Attributes:
    init: key -> (params, Statistics).
    update: (Statistics, observation [..., *O]) -> Statistics with these in the moments.
    errors: (params, Statistics, observation [..., *O]) -> float32 [...], the mean squared error.
  """

  init: Callable[[jax.Array], tuple[Any, Statistics]]
  update: Callable[[Statistics, Any], Statistics]
  errors: Callable[[Any, Statistics, Any], jax.Array]


def distillation(context: Context, size: int) -> Distillation:
  """The networks for the environment in `context`, of `size` outputs."""
  spec = context.env.observation_spec()
  whitened = torsos.preprocessed(spec)
  target = embedding.build(context, size, whitened)
  torso = embedding.build(context, HIDDEN, whitened)
  last = hk.without_apply_rng(hk.transform(lambda x: hk.Linear(size)(jax.nn.relu(x))))

  def init(key: jax.Array) -> tuple[Any, Statistics]:
    target_key, torso_key, last_key = jax.random.split(key, 3)
    params = {
      "torso": torso.init(torso_key),
      "last": last.init(last_key, jnp.zeros((1, HIDDEN))),
    }
    moments = jax.tree.map(lambda leaf: running_moments.init(leaf.shape), whitened)
    return params, Statistics(target.init(target_key), moments)

  def update(statistics: Statistics, observation: Any) -> Statistics:
    features = torsos.preprocess(spec, observation)
    return statistics._replace(
      moments=by_leaf(running_moments.update, statistics.moments, features)
    )

  def errors(params: Any, statistics: Statistics, observation: Any) -> jax.Array:
    arrived = by_leaf(
      lambda moments, x: running_moments.whiten(moments, x, CLIP),
      statistics.moments,
      torsos.preprocess(spec, observation),
    )
    wanted = jax.lax.stop_gradient(target.apply(statistics.target, arrived))
    predicted = last.apply(params["last"], torso.apply(params["torso"], arrived))
    return jnp.mean(jnp.square(predicted - wanted), axis=-1)

  return Distillation(init, update, errors)


def arrived(trajectory: Trajectory) -> Any:
  """The observations 1 to T, as the first was the last one of the trajectory before."""
  return jax.tree.map(lambda x: x[1:], trajectory.observation)


@registry.register("rnd", RNDConfig, summary="error in predicting a random network's output")
def build(settings: RNDConfig, context: Context) -> Bonus:
  networks = distillation(context, settings.size)

  def reward(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del outputs, key
    statistics = networks.update(statistics, arrived(trajectory))
    return networks.errors(params, statistics, arrived(trajectory)), statistics, {}

  def loss(
    params: Any, statistics: Statistics, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del outputs
    used = jax.random.bernoulli(key, settings.share, trajectory.mask.shape)
    return masked_mean(networks.errors(params, statistics, arrived(trajectory)), used)

  return Bonus(networks.init, reward, loss, scaling="return_std")
