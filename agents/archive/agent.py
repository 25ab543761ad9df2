"""Go-Explore: an agent of the latent world model, around which states are kept and gone back to.

Some environments explore: between unrolls they go back to a cell of the archive, from which they
act at random (revisit.py, acting.py), and all that they come to joins it (update.py). The best way
from each beginning is a demonstration. The other environments practise along these, by the backward
algorithm: an attempt begins near the end of the way, and earlier once a share of the attempts does
as well as the way did. What the agent inside learns from that needs no going back, and is what is
evaluated.

Sources: Go-Explore (Ecoffet et al. 2019, arXiv 1901.10995; 2021, Nature 590:580, arXiv 2004.12919);
the backward algorithm (Salimans & Chen 2018, arXiv 1812.03381, algorithm 1). There a way is kept
as its actions, or as the emulator's states; here a beginning and the actions suffice, since
environments are pure functions. There one beginning is explored; here several at a time.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents.agent import NOTHING_GIVEN, Agent, Given, HasSpecs, Metrics, Probe
from agents.archive import acting, update
from agents.archive import archive as archives
from agents.archive import parts as archive_parts
from agents.archive.config import GoExploreConfig
from agents.archive.parts import Parts
from agents.archive.revisit import revisit
from agents.archive.state import Beginnings, Counts, Lanes, LearnerState, Practice
from agents.latent import adopt as latent_adopt
from agents.latent import agent as latent_agent
from agents.latent import forward
from agents.latent import probe as latent_probe
from agents.trajectory import Trajectory


def build(config: GoExploreConfig, env: HasSpecs, given: Given = NOTHING_GIVEN) -> Agent:
  """Puts the agent together for an environment whose states can be kept.

  Raises:
    ValueError: as `agents.archive.parts.build` does.
  """
  parts = archive_parts.build(config, env, given)

  def bound(function: Any) -> Any:
    return functools.partial(function, parts)

  return Agent(
    init=bound(init),
    initial_memory=bound(acting.initial_memory),
    act=bound(acting.act),
    stored=acting.stored,
    learn=bound(update.learn),
    variables=bound(acting.variables),
    data=config.data,
    encode=bound(encode),
    turn=bound(turn),
    turns=latent_agent.turns(parts.inner),
    adopt=bound(adopt),
    on_task=acting.on_task,
    probe=Probe(bound(diagnose), bound(intrinsic)),
    reads_state=True,
    revisit=bound(revisit),
  )


def init(parts: Parts, key: jax.Array) -> LearnerState:
  """The learner state before anything was learned."""
  settings, batch = parts.settings, parts.batch
  inner_key, projection_key = jax.random.split(key)
  size, cell = parts.config.world_model.latent_size, parts.cell()
  zero = jnp.zeros(settings.demonstrations, jnp.int32)
  nothing = jnp.zeros(settings.beginnings, bool)
  lane = jnp.zeros(batch, jnp.int32)
  return LearnerState(
    latent_agent.init(parts.inner, inner_key),
    jax.random.normal(projection_key, (size, settings.latent_bits))
    if settings.cells == "latents"
    else (),
    archives.init(settings.archive_capacity, cell),
    Beginnings(jnp.zeros(settings.beginnings, jnp.uint32), nothing, nothing),
    archives.init(settings.demonstrations, cell.way),
    Practice(zero, zero, zero),
    Lanes(
      jax.tree.map(lambda x: jnp.broadcast_to(x, (batch, *x.shape)), cell.way),
      lane.astype(jnp.float32),
      lane,
      lane,
      placed=jnp.zeros(batch, bool),
      at_home=jnp.ones(batch, bool),
      stays=jnp.ones(batch, bool),
      attempt=jnp.full(batch, -1, jnp.int32),
      target=lane.astype(jnp.float32),
    ),
    Counts(*[jnp.float32(0)] * len(Counts._fields)),
    jnp.int32(0),
  )


def encode(parts: Parts, state: LearnerState, observation: Any) -> jax.Array:
  """See `agents.agent.Agent.encode`."""
  return forward.encode(parts.inner, state.inner, observation)


def diagnose(parts: Parts, state: LearnerState, trajectory: Trajectory) -> Metrics:
  """See `agents.agent.Probe.diagnose`."""
  return latent_probe.diagnose(parts.inner, state.inner, trajectory) | update.told(parts, state)


def intrinsic(
  parts: Parts, state: LearnerState, trajectory: Trajectory, key: jax.Array
) -> jax.Array:
  """See `agents.agent.Probe.intrinsic`; of the bonus of the agent inside."""
  return latent_probe.intrinsic(parts.inner, state.inner, update.of_inner(trajectory), key)


def adopt(parts: Parts, state: LearnerState, donor: Any, heads: bool) -> LearnerState:
  """See `agents.agent.Agent.adopt`; the networks are those of the agent inside."""
  inner = donor.inner if isinstance(donor, LearnerState) else donor
  return state._replace(inner=latent_adopt.adopt(parts.inner, state.inner, inner, heads))


def turn(parts: Parts, state: LearnerState, numbers: dict[str, jax.Array]) -> LearnerState:
  """See `agents.agent.Agent.turn`; the numbers are those of the agent inside."""
  return state._replace(inner=latent_agent.turn(parts.inner, state.inner, numbers))
