"""An agent on the latent world model: world model, bonus and objective put together.

One loss,

  objective(extrinsic + weight * bonus) + byol_weight * BYOL loss + bonus loss,

whose gradients all reach the encoder and the closed loop (BYOL-Explore, Guo et al. 2022,
arXiv 2206.08332). Agents differ in their settings: see byol_explore, soft_q and soft_pg beside this
folder. Everything is a function of `Parts`: forward.py, acting.py, update.py, probe.py.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from agents import observation_normaliser
from agents.agent import Agent, HasSpecs
from agents.bonuses import payment
from agents.latent import acting, forward, probe, state, update
from agents.latent import parts as latent_parts
from agents.latent.config import AgentConfig
from agents.latent.parts import Parts
from agents.latent.state import LearnerState, Params


def build(config: AgentConfig, env: HasSpecs) -> Agent:
  """Puts the agent together for the specs of `env`.

  Raises:
    ValueError: as `agents.latent.parts.build` does.
  """
  return of_parts(latent_parts.build(config, env))


def of_parts(parts: Parts) -> Agent:
  """The agent of these parts."""

  def bound(function: Any) -> Any:
    return functools.partial(function, parts)

  return Agent(
    init=bound(init),
    initial_memory=bound(acting.initial_memory),
    act=bound(acting.act),
    learn=bound(update.learn),
    variables=state.variables,
    data=parts.data,
    encode=bound(forward.encode),
    value=None if parts.objective.value is None else bound(probe.value),
    probe=probe.build(parts),
  )


def init(parts: Parts, key: jax.Array) -> LearnerState:
  """The learner state before anything was learned."""
  model, objective = parts.model, parts.objective
  model_key, head_key, bonus_key = jax.random.split(key, 3)
  model_params = model.init(model_key)
  bonus_params, statistics = parts.bonus.init(bonus_key)
  params = Params(
    model_params,
    () if parts.config.share_encoder else model.init(jax.random.fold_in(model_key, 1)),
    objective.heads.init(head_key, model.belief(model.initial_state(1))),
    objective.init(),
    bonus_params,
  )
  return LearnerState(
    params=params,
    behaviour=_copy(params),
    target_encoder=_copy(model.encoder(model_params)),
    target=() if objective.target_decay is None else _copy(params.of_policy),
    optimiser=parts.optimiser.init(params),
    bonus=payment.init(statistics, parts.config.payment),
    updates=jnp.int32(0),
    observation_moments=observation_normaliser.init(parts.env) if parts.normalises else (),
  )


def _copy(x: Any) -> Any:
  """A copy, because the runtimes donate the state's buffers and none may be donated twice."""
  return jax.tree.map(jnp.copy, x)
