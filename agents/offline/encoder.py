"""What the reachability network reads of a view: the view itself, or latents of a world model.

The world model is trained by BYOL alone, on sequences of a dataset, and its target encoder is read.
Sources: BYOL-Explore (Guo et al. 2022, arXiv 2206.08332), section 3; for the view itself, GO-FRESH
(Mezghani et al. 2023, arXiv 2301.02099).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from dm_env import specs

from agents.agent import Metrics
from agents.auxiliaries import byol
from agents.torsos.torso import preprocess
from agents.world_model import world_model
from agents.world_model.forecasts import forecast
from agents.world_model.world_model import WorldModelConfig
from envs.observation import Spec, lead, shapes, visible


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
  """What the reachability network reads."""

  encoder: Literal["none", "byol"] = "none"
  """`none`, views as they are (GO-FRESH); `byol`, latents of a world model, trained before it."""
  encoder_size: int = 64
  """Size of the latents."""
  encoder_updates: int = 3000
  """Updates of the world model."""
  encoder_length: int = 16
  """Steps in a sequence."""
  encoder_batch: int = 64
  """Sequences in an update."""
  encoder_learning_rate: float = 5e-4
  """Adam's step size."""

  def __post_init__(self) -> None:
    for name in ("encoder_size", "encoder_updates", "encoder_length", "encoder_batch"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")


class State(NamedTuple):
  """The world model, its moving average and the optimiser."""

  params: Any
  target: Any
  optimiser: Any


class Encoder(NamedTuple):
  """Pure functions.

  Attributes:
    size: N.
    init: key -> `State`; its `target` is what `encode` reads.
    encode: (target, views [..., *O]) -> float32 [..., N]; of a dict of leaves what is `visible`.
    update: (state, views [T+1, B, *O], actions [T+1, B, *A]) -> (state, metrics), a step on
      sequences that each lie within an episode; the last action is a place-holder.
  """

  size: int
  init: Callable[[jax.Array], State]
  encode: Callable[[Any, Any], jax.Array]
  update: Callable[[State, Any, jax.Array], tuple[State, Metrics]] | None


def build(config: EncoderConfig, whole: Spec, actions: specs.Array) -> Encoder:
  """The encoder for views of the spec `whole`, one array or a dict of leaves, and such actions."""
  view = visible(whole)
  if config.encoder == "none":

    def flat(target: Any, views: Any) -> jax.Array:
      del target
      views = visible(views)
      axes = lead(view, views)
      numbers = jax.tree.leaves(preprocess(view, views))
      return jnp.concatenate([x.reshape(*axes, -1) for x in numbers], axis=-1)

    size = jax.eval_shape(lambda views: flat((), views), shapes(whole, (1,))).shape[-1]
    return Encoder(size, lambda key: State((), (), ()), flat, None)

  settings = WorldModelConfig(latent_size=config.encoder_size)
  model = world_model.build(settings, view, actions)
  optimiser = optax.adam(config.encoder_learning_rate)

  def init(key: jax.Array) -> State:
    params = model.init(key)
    return State(params, model.encoder(params), optimiser.init(params))

  def encode(params: Any, views: Any) -> jax.Array:
    return model.encode(params, visible(views))

  def update(state: State, views: Any, actions: jax.Array) -> tuple[State, Metrics]:
    first = jnp.zeros(lead(whole, views), bool).at[0].set(True)
    previous = jnp.concatenate([actions[:1], actions[:-1]])
    targets = encode(state.target, views)

    def loss(params: Any) -> jax.Array:
      latents = encode(params, views)
      start = model.initial_state(first.shape[1])
      starts, _ = model.observe(params, latents, previous, first, start)
      forecasts = forecast(model, settings.horizon, params, targets, starts, actions, first)
      return byol.of_forecasts(forecasts, jnp.ones(first.shape))

    value, gradient = jax.value_and_grad(loss)(state.params)
    step, optimiser_state = optimiser.update(gradient, state.optimiser)
    params = optax.apply_updates(state.params, step)
    target = optax.incremental_update(
      model.encoder(params), state.target, 1.0 - settings.target_decay
    )
    return State(params, target, optimiser_state), {"byol_loss": value}

  return Encoder(config.encoder_size, init, encode, update)
