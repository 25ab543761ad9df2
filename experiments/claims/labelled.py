"""SupCon against cross-entropy where labels are wrong: the world shows its map's number, noisily.

The label is the leaf `class_label`, which no network reads: which of the twenty maps it is, in a
share of the episodes another one, drawn evenly, for all of the episode. It is what the oracle
knows, shown on purpose, as a data set's labels are.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import TimeStep, specs

from envs.environment import Environment
from envs.observation import ALONE, LABEL
from envs.wrapper import Wrapper
from experiments.claims import lab
from experiments.claims.claim import Claim, Row


class Shown(NamedTuple):
  """The state of the world within, and the label that is shown, int32."""

  inner: Any
  label: jax.Array


class Labelled(Wrapper[Shown]):
  """A world with ranks that shows the first of them as a label, wrong with this chance."""

  env: Any  # with ranks, and a view of a state

  def __init__(self, env: Environment, noise: float):
    super().__init__(env)
    self._noise = noise
    self._classes = next(iter(self.env.rank_names().values()))
    self.observe = self._observe  # in place of what is passed on

  def inner_state(self, state: Shown) -> Any:
    return state.inner

  def _with(self, label: jax.Array, timestep: TimeStep) -> TimeStep:
    return timestep._replace(observation={ALONE: timestep.observation, LABEL: label})

  def _observe(self, state: Shown) -> Any:
    return {ALONE: self.env.observe(state.inner), LABEL: state.label}

  def reset(self, key: jax.Array) -> tuple[Shown, TimeStep]:
    wrong_key, other_key = jax.random.split(jax.random.fold_in(key, 1))
    inner, timestep = self.env.reset(key)
    right = self.env.ranks(inner)[0]
    other = jax.random.randint(other_key, (), 0, self._classes)
    label = jnp.where(jax.random.bernoulli(wrong_key, self._noise), other, right)
    label = label.astype(jnp.int32)
    return Shown(inner, label), self._with(label, timestep)

  def step(self, state: Shown, action: jax.Array) -> tuple[Shown, TimeStep]:
    inner, timestep = self.env.step(state.inner, action)
    return state._replace(inner=inner), self._with(state.label, timestep)

  def observation_spec(self) -> dict[str, specs.Array]:
    label = specs.BoundedArray((), np.int32, 0, self._classes - 1, LABEL)
    return {ALONE: self.env.observation_spec(), LABEL: label}


LOSSES = {
  "cross-entropy": "--auxiliary classify --auxiliary.classify.reads latent",
  "supcon": "--auxiliary supcon --auxiliary.supcon.labels class",
}
NOISE = (0.0, 0.4, 0.8)


def _arm(words: str, noise: float, seeds: Sequence[int]) -> list[Row]:
  plain = lab.world(lab.WORLD)
  asked = f"{lab.WORLD} {lab.SMALL} {lab.RANDOM_PLAY} {words}"
  done = lab.trained(asked, seeds, env=Labelled(plain, noise))
  return lab.probed(done, ("map", "room"), lab.observed(plain))


CLAIMS: Mapping[str, Claim] = {
  "supcon": Claim(
    "SupCon (arXiv 2004.11362) is above cross-entropy where labels are wrong",
    {
      f"{name}, {noise:.0%} wrong": functools.partial(_arm, words, noise)
      for noise in NOISE
      for name, words in LOSSES.items()
    },
    {"map": "{:.0%}", "map_rare": "{:.0%}", "room": "{:.0%}"},
  )
}
