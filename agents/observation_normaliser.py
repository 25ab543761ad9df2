"""Observations normalised over time: what an agent reads is the observation less its running mean,
over its running deviation, each entry for itself, clipped.

The moments are part of what is learned: they are saved with it, and actors and evaluations act by
those that came with their parameters. They are of all that was learned from so far (as in
Gymnasium's NormalizeObservation, Stable-Baselines3's VecNormalize and Brax's running_statistics),
and take in each batch before it is learned from, so that the first is normalised by its own. A
trajectory's first observation was the last of the one before, and is counted there. Trajectories,
queues and replays keep observations as the environment gave them.

Until something was learned every observation is 0: how large the numbers are is not known, and a
network that reads them as they are could be saturated by them.
"""

from __future__ import annotations

import functools
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents import running_moments
from agents.agent import HasSpecs
from agents.running_moments import RunningMoments
from envs import observation
from envs.capabilities import HasGoals
from envs.host.environment import HostEnvironment
from envs.observation import GOAL, VIEW, Spec

Setting = Literal["auto", "yes", "no"]
CLIP = 10.0
"""Largest size of a normalised entry (VecNormalize: 10)."""
EPSILON = 1e-12
"""Added to the deviation, for entries that never changed, which become 0. Small, for the unit may
be (VecNormalize and NormalizeObservation: 1e-8 to the variance; Brax: a deviation of at least
1e-6)."""
WIDE = 10.0
"""A space is wide if a bound is larger than this (ours: most networks bear with that much)."""


def is_wide(spec: specs.Array) -> bool:
  """Whether observations of this spec are floats without bounds, or with one larger than `WIDE`."""
  if not np.issubdtype(spec.dtype, np.floating):
    return False
  if not isinstance(spec, specs.BoundedArray):
    return True
  bounds = np.concatenate([np.ravel(spec.minimum), np.ravel(spec.maximum)])
  return bool(np.any(np.abs(bounds) > WIDE))


def applies(setting: Setting, env: HasSpecs) -> bool:
  """Whether an agent with this setting normalises the observations of `env`.

  Raises:
    ValueError: if that is asked for, and they are pixels or categories.
  """
  spec = env.observation_spec()
  if setting == "auto":
    wide = any(is_wide(leaf) for leaf in observation.leaves(spec).values())
    return isinstance(env, HostEnvironment) and wide
  if setting == "yes" and not _floats(spec):
    raise ValueError(
      f"normalise_observations is yes, but observations are {observation.one_line(spec)}: pixels,"
      " categories and text are read in a way of their own; give auto or no."
    )
  return setting == "yes"


Moments: TypeAlias = RunningMoments | dict[str, RunningMoments] | tuple[()]
"""Of one array, or of each leaf of floats by its name; () where nothing is normalised."""


def _floats(spec: Spec) -> dict[str, specs.Array]:
  return {
    name: leaf
    for name, leaf in observation.leaves(spec).items()
    if np.issubdtype(leaf.dtype, np.floating)
  }


def init(env: HasSpecs) -> Moments:
  """Of nothing seen; where an observation is a pair of views, seen and goal, both share them."""
  spec = env.view_spec() if isinstance(env, HasGoals) else env.observation_spec()
  if isinstance(spec, specs.Array):
    return running_moments.init(spec.shape)
  return {name: running_moments.init(leaf.shape) for name, leaf in _floats(spec).items()}


def update(moments: Moments, observation: Any) -> Moments:
  """The moments with a trajectory's observations [T+1, B, *O] in, but for its first."""
  if isinstance(moments, RunningMoments):
    if isinstance(observation, dict):  # views that share them
      observation = jnp.stack([observation[VIEW], observation[GOAL]], axis=2)
    return running_moments.update(moments, observation[1:])
  assert isinstance(moments, dict)
  return {name: running_moments.update(m, observation[name][1:]) for name, m in moments.items()}


def normalise(moments: Moments, observation: Any) -> Any:
  """What the agent reads of observations [..., *O]; themselves if `moments` is ()."""
  if isinstance(moments, RunningMoments):
    return jax.tree.map(functools.partial(_whitened, moments), observation)
  if isinstance(moments, dict):
    read = {name: normalise(m, observation[name]) for name, m in moments.items()}
    return {**observation, **read}
  return observation


def _whitened(moments: RunningMoments, x: jax.Array) -> jax.Array:
  return jnp.where(moments.seen > 0, running_moments.whiten(moments, x, CLIP, EPSILON), 0.0)
