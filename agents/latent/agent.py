"""An agent on the latent world model: world model, bonus and objective put together.

One loss,

  objective(extrinsic + weight * bonus) + sum of weight * auxiliary loss + bonus loss,

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
from agents.agent import NOTHING_GIVEN, Agent, Given, HasSpecs
from agents.bonuses import payment
from agents.latent import acting, adopt, forward, probe, state, update
from agents.latent import parts as latent_parts
from agents.latent.config import AgentConfig
from agents.latent.parts import Parts
from agents.latent.state import Hyper, LearnerState, Params


def build(config: AgentConfig, env: HasSpecs, given: Given = NOTHING_GIVEN) -> Agent:
  """Puts the agent together for the specs of `env`, and what is known of the run.

  Raises:
    ValueError: as `agents.latent.parts.build` does.
  """
  return of_parts(latent_parts.build(config, env, given))


def of_parts(parts: Parts) -> Agent:
  """The agent of these parts."""

  def bound(function: Any) -> Any:
    return functools.partial(function, parts)

  return Agent(
    init=bound(init),
    initial_memory=bound(acting.initial_memory),
    act=bound(acting.act),
    stored=acting.stored,
    learn=bound(update.learn),
    variables=state.variables,
    data=parts.data,
    encode=bound(forward.encode),
    turn=bound(turn),
    turns=turns(parts),
    adopt=bound(adopt.adopt),
    with_state=acting.with_state if parts.planner.true_model else None,
    value=None if parts.objective.value is None else bound(probe.value),
    probe=probe.build(parts),
  )


def init(parts: Parts, key: jax.Array) -> LearnerState:
  """The learner state before anything was learned."""
  model, objective = parts.model, parts.objective
  model_key, head_key, bonus_key, auxiliary_key = jax.random.split(key, 4)
  model_params = model.init(model_key)
  bonus_params, statistics = parts.bonus.init(bonus_key)
  auxiliaries = {
    name: chosen.method.init(jax.random.fold_in(auxiliary_key, i))
    for i, (name, chosen) in enumerate(parts.auxiliaries.items())
  }
  params = Params(
    model_params,
    ()
    if parts.config.share_encoder
    else model.reader(model.init(jax.random.fold_in(model_key, 1))),
    objective.heads.init(head_key, jnp.zeros((1, parts.read_size))),
    objective.init(),
    bonus_params,
    {name: of_one[0] for name, of_one in auxiliaries.items()},
  )
  return LearnerState(
    params=params,
    behaviour=_copy(params),
    target_encoder=_copy(model.encoder(model_params)),
    target=() if objective.target_decay is None else _copy(params.of_policy),
    hyper=hyper(parts),
    optimiser=parts.optimiser.init(params),
    bonus=payment.init(statistics),
    auxiliaries={name: of_one[1] for name, of_one in auxiliaries.items()},
    updates=jnp.int32(0),
    observation_moments=observation_normaliser.init(parts.env) if parts.normalises else (),
  )


def _copy(x: Any) -> Any:
  """A copy, because the runtimes donate the state's buffers and none may be donated twice."""
  return jax.tree.map(jnp.copy, x)


def hyper(parts: Parts) -> Hyper:
  """The numbers that may be turned, as the settings have them."""
  config, returns = parts.config, parts.config.returns
  return Hyper(
    learning_rate=jnp.float32(config.learning_rate),
    dual_learning_rate=jnp.float32(config.dual_learning_rate),
    bonus_weight=jnp.float32(config.payment.bonus_weight),
    value_weight=jnp.float32(returns.value_weight),
    entropy_weight=jnp.float32(returns.entropy_weight),
    discount=jnp.float32(returns.discount),
    intrinsic_discount=jnp.float32(returns.intrinsic_discount),
    auxiliary_weights={name: jnp.float32(loss.weight) for name, loss in parts.auxiliaries.items()},
  )


def turns(parts: Parts) -> tuple[str, ...]:
  """The numbers that `turn` can set, called as their flags are."""
  scalars = (name for name in Hyper._fields if name != "auxiliary_weights")
  own = () if parts.objective.set_temperature is None else ("temperature",)
  return (*scalars, *own, *(auxiliary_weight(name) for name in parts.auxiliaries))


def auxiliary_weight(name: str) -> str:
  """What the weight of an auxiliary loss is called."""
  return f"auxiliary.{name}.weight"


def turn(parts: Parts, state: LearnerState, numbers: dict[str, jax.Array]) -> LearnerState:
  """See `agents.agent.Agent.turn`."""
  if unknown := sorted(set(numbers) - set(turns(parts))):
    raise ValueError(f"{unknown[0]} is not traced; what is: {', '.join(turns(parts))}.")
  numbers = {name: jnp.asarray(x, jnp.float32) for name, x in numbers.items()}
  if "temperature" in numbers:
    temperature, set_temperature = numbers.pop("temperature"), parts.objective.set_temperature
    assert set_temperature is not None
    params, behaviour = (
      own._replace(duals=set_temperature(own.duals, temperature))
      for own in (state.params, state.behaviour)
    )
    state = state._replace(params=params, behaviour=behaviour)
  weights = {
    name: numbers.pop(auxiliary_weight(name), weight)
    for name, weight in state.hyper.auxiliary_weights.items()
  }
  return state._replace(hyper=state.hyper._replace(auxiliary_weights=weights, **numbers))
