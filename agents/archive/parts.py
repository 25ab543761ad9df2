"""The parts that an agent that goes back is put together from."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from agents import objectives
from agents.agent import Given, HasSpecs, Standing
from agents.archive.config import ArchiveConfig, GoExploreConfig
from agents.archive.state import Cell, Way
from agents.latent import parts as latent_parts
from agents.latent.config import AgentConfig
from envs import action_specs
from envs.capabilities import HasPlaces
from envs.environment import Environment


class Parts(NamedTuple):
  """What the functions of agents/archive are functions of; nothing here is learned.

  Attributes:
    config: the agent's settings.
    inner: parts of the agent inside, whose batch are the environments that it learns from.
    env: the environment, without auto-reset.
    explorers: how many environments explore, the first ones.
    solved: return from which on a beginning counts as solved; infinite where nothing says so.
    longest: L, steps of the longest way that is kept.
  """

  config: GoExploreConfig
  inner: latent_parts.Parts
  env: Environment
  explorers: int
  solved: float
  longest: int

  @property
  def settings(self) -> ArchiveConfig:
    """Settings of the archive."""
    return self.config.archive

  @property
  def batch(self) -> int:
    """E, environments side by side."""
    return self.config.batch_size

  @property
  def learns_from(self) -> jax.Array:
    """The environments of which the agent inside learns, int32 [N]."""
    first = self.explorers if self.settings.explore_by == "random" else 0
    return jnp.arange(first, self.batch)

  def standing(self) -> Standing:
    """An example of where an environment may stand, without an axis of environments."""
    state, timestep = self.env.reset(jax.random.key(0))
    return Standing(state, timestep.observation)

  def cell(self) -> Cell:
    """An example of what the archive keeps."""
    spec = self.env.action_spec()
    small = action_specs.kind(spec) == "discrete" and int(spec.maximum) < 256
    actions = jnp.zeros((self.longest, *spec.shape), jnp.uint8 if small else spec.dtype)
    standing = self.standing()
    return Cell(standing, Way(standing, jnp.uint32(0), actions))


def build(config: GoExploreConfig, env: HasSpecs, given: Given) -> Parts:
  """The parts for an environment whose states can be kept.

  Raises:
    ValueError: one line, if its states cannot be kept, the cells need what it does not tell, the
      agent replays, or there is no bonus where one is to be asked.
  """
  settings, name = config.archive, getattr(env, "name", type(env).__name__)
  if not isinstance(env, Environment):
    raise ValueError(
      f"environment {name!r} runs on the host, where no state can be kept and gone back to; take"
      " one in JAX, or another agent."
    )
  if settings.cells == "places" and not isinstance(env, HasPlaces):
    raise ValueError(f"environment {name!r} tells no places; give --cells views, or latents.")
  if config.replay.replay_capacity:
    raise ValueError("an agent that goes back learns on policy; give replay_capacity 0.")
  asks = settings.cells == "bonus" or settings.return_by != "visits"
  if asks and config.bonus.name == "none":
    asked = "--cells bonus" if settings.cells == "bonus" else f"--return-by {settings.return_by}"
    raise ValueError(f"{asked} asks a bonus, and there is none; give --bonus counts, or another.")
  explorers = config.explorers(config.batch_size)
  learns_from = config.batch_size - (explorers if settings.explore_by == "random" else 0)
  minibatches = getattr(objectives.registry.settings_of(config.objective), "minibatches", 1)
  if learns_from % minibatches:
    raise ValueError(
      f"batch_size is {config.batch_size}, of which the policy learns from {learns_from}: they must"
      f" be a multiple of the {minibatches} minibatches."
    )
  inner = inner_config(config, learns_from)
  return Parts(
    config,
    latent_parts.build(inner, env, given),
    env,
    explorers,
    float(env.success_return),
    min(settings.way_capacity, env.max_episode_steps),
  )


def inner_config(config: GoExploreConfig, batch: int) -> AgentConfig:
  """The settings of the agent inside, for a batch of so many environments."""
  values = {field.name: getattr(config, field.name) for field in dataclasses.fields(AgentConfig)}
  return AgentConfig(**values | {"batch_size": batch})
