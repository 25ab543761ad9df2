"""The latent world model: encoder, belief, open-loop prediction, EMA target encoder.

  w_t     = f(o_t)                                  encode
  b_t     = closed loop(b_{t-1}, w_t, a_{t-1})      observe   (starts anew at FIRST)
  b_{t,k} = open loop(b_{t,k-1}, a_{t+k-1})         imagine   (from b_{t,0} = b_t, at every t)
  g(b_{t,k}), compared with f_target(o_{t+k})       predict, and agents/world_model/table.py

Source: BYOL-Explore (Guo et al. 2022, arXiv 2206.08332), section 3 and figure 1.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
from dm_env import specs

from agents.cores import core as cores
from agents.cores.parallel import Parallel
from agents.heads import policies
from agents.precision import Compute, lowered
from agents.torsos import fuse
from agents.torsos.torso import registry as torso_registry
from agents.world_model import table
from envs.observation import Spec, lead, rows, visible, zeros
from envs.registry import AUTO, Choice, choice_field

Params = Any


@dataclasses.dataclass(frozen=True)
class WorldModelConfig:
  """The latent world model."""

  torso: Choice = choice_field(torso_registry, AUTO)
  """Observation encoder; `auto` takes patch for grids of cells, resnet for other images (as in
  BYOL-Explore), mlp otherwise."""
  core: Choice = choice_field(cores.registry, "gru")
  """Memory of the closed and the open loop (BYOL-Explore, section 3: GRU); feedforward
  for none."""
  latent_size: int = 64
  """N, size of the latent that is predicted (BYOL-Explore's code: 512)."""
  core_size: int = 64
  """Size of the belief (BYOL-Explore's code: 512)."""
  predictor_hidden: int = 128
  """Units of the predictor's one hidden layer (BYOL-Explore: 256 to 512, recalled); 0 for none,
  an ablation in which the open loop's state is the forecast, so core_size is latent_size."""
  horizon: int = 5
  """K, how many steps ahead is predicted (BYOL-Explore, section 4: 8)."""
  target_decay: float = 0.999
  """alpha, decay of the target encoder's moving average (BYOL-Explore's code: .99, at a learning
  rate of 1e-4; at 5e-4 such fast targets collapse the latent). 1 keeps fixed random targets, an
  ablation."""
  stop_gradient: bool = True
  """Stop gradients at the targets; without, an ablation that collapses (BYOL, arXiv 2006.07733)."""

  def __post_init__(self) -> None:
    if self.horizon < 1:
      raise ValueError(f"horizon is {self.horizon}; it counts the steps ahead, so at least 1.")
    if not self.predictor_hidden and self.core_size != self.latent_size:
      raise ValueError("predictor_hidden is 0: core_size and latent_size must then be equal.")
    if self.core.name == "feedforward" and self.core_size != self.latent_size:
      raise ValueError("core is feedforward: core_size and latent_size must then be equal.")
    if not 0.0 <= self.target_decay <= 1.0:
      raise ValueError(f"target_decay is {self.target_decay}; it must lie in [0, 1].")


class WorldModel(NamedTuple):
  """Pure functions of the world model's parameters.

  Attributes:
    init: key -> params.
    initial_state: batch -> the closed loop's state at the start of an episode, arrays [B, ...].
    encode: (params, observation [..., *O], key) -> latents [..., N]. A key is for what is random in
      training, see `stochastic`; None, by default, for nothing.
    step: (params, latent [B, N], previous action [B, *A], first [B], state) -> (where the open loop
      starts, arrays [B, ...], state).
    observe: the same over time: (params, latents [S, B, N], previous actions [S, B, *A],
      first [S, B], state) -> (starts of the open loop at each step, arrays [S, B, ...], state after
      the last).
    belief: state of the open loop [..., *S] -> belief [..., H].
    imagine: (params, starts [T+1, B, ...], actions [T+1, B, *A]) -> open-loop beliefs b_{t,k}, k =
      1 to K, from every step but the last, [T, K, B, H].
    imagine_step: (params, state [..., *S], action [..., *A]) -> the open loop's state a step later;
      it starts where `observe` says, and its belief is `belief` of it.
    errors: (params, imagined [T, K, B, H], targets [T+1, B, N]) -> L, [T, K, B].
    encoder: params -> the subset that `encode` reads, which the target encoder averages.
    reader: params -> the subset that `encode`, `step` and `observe` read: encoder and closed loop.
    stochastic: whether the encoder reads a key: some of its residual branches may be left out.
    attention: (params, observation [..., *O]) -> what the encoder's pools look at, see
      `agents.torsos.torso.Torso.attention`, arrays [..., h, w] by the name of the leaf; None where
      none of them attends.
  """

  init: Callable[[jax.Array], Params]
  initial_state: Callable[[int], Any]
  encode: Callable[..., jax.Array]
  step: Callable[..., tuple[Any, Any]]
  observe: Callable[..., tuple[Any, Any]]
  belief: Callable[[Any], jax.Array]
  imagine: Callable[[Params, Any, jax.Array], jax.Array]
  imagine_step: Callable[[Params, Any, jax.Array], Any]
  errors: Callable[[Params, jax.Array, jax.Array], jax.Array]
  encoder: Callable[[Params], Params]
  reader: Callable[[Params], Params]
  stochastic: bool
  attention: Callable[[Params, Any], dict[str, jax.Array]] | None = None


class _Pieces(NamedTuple):
  """The Haiku functions over one set of parameters."""

  encode: Any
  project_closed: Any
  step_closed: Any
  recurrence: Any
  unroll_closed: Any
  project_open: Any
  step_open: Any
  predict: Any
  attend: Any


class _Built(NamedTuple):
  """What the functions below are functions of.

  Attributes:
    config: settings.
    spec: of the observations, without masks.
    policy: the family of policies, which says how networks read actions.
    core, core_settings: the kind of memory, and its own settings.
    pieces: (params, ...) -> what each network says.
  """

  config: WorldModelConfig
  spec: Spec
  policy: policies.Policy
  core: type[cores.Core]
  core_settings: Any
  pieces: _Pieces


def build(
  config: WorldModelConfig, spec: Spec, actions: specs.Array, compute: Compute = "float32"
) -> WorldModel:
  """Puts a world model together for observations of `spec` and actions of the spec `actions`, whose
  products are computed in `compute`."""
  spec = visible(spec)
  core: type[cores.Core] = cores.registry.get(config.core.name)
  own = cores.registry.settings_of(config.core)
  policy = policies.build(actions)
  transformed = hk.multi_transform(
    functools.partial(_modules, config, spec, core, own, policy, compute)
  )

  def applied(index: int) -> Callable[..., Any]:
    return lambda params, *args: transformed.apply[index](params, None, *args)

  pieces = _Pieces(*(applied(i) for i in range(len(_Pieces._fields))))
  built = _Built(config, spec, policy, core, own, pieces)
  torsos = fuse.torsos_of(config.torso, spec)

  def bound(function: Callable[..., Any]) -> Callable[..., Any]:
    return functools.partial(function, built)

  return WorldModel(
    lambda key: transformed.init(key, jax.tree.map(jnp.asarray, zeros(spec, (1,)))),
    functools.partial(core.initial_state, own, config.core_size),
    bound(_encode),
    bound(_step),
    bound(_observe),
    core.open_loop().output,
    bound(_imagine),
    bound(_imagine_step),
    bound(_errors),
    functools.partial(_subset, ("encoder",)),
    functools.partial(_subset, ("encoder", "closed_loop")),
    fuse.stochastic_depth(torsos) > 0.0,
    bound(_attention) if fuse.attends(torsos) else None,
  )


def _modules(
  config: WorldModelConfig,
  spec: Spec,
  core_type: type[cores.Core],
  own: Any,
  policy: policies.Policy,
  compute: Compute,
) -> tuple[Callable[[Any], jax.Array], _Pieces]:
  """The networks, and what runs each of them once, for Haiku."""
  size, open_type = config.core_size, core_type.open_loop()
  torsos = fuse.torsos_of(config.torso, spec)
  encoder = fuse.encoder(torsos, spec, config.latent_size, "encoder")
  closed = core_type(own, size, name="closed_loop")
  open_ = open_type(own if open_type is core_type else None, size, name="open_loop")
  if config.predictor_hidden:
    predictor = hk.nets.MLP([config.predictor_hidden, config.latent_size], name="predictor")
  else:
    predictor = hk.Sequential([])

  def project_closed(latent: jax.Array, previous: jax.Array) -> jax.Array:
    return closed.project(jnp.concatenate([latent, previous], axis=-1))

  def project_open(action: jax.Array) -> jax.Array:
    return open_.project(policy.features(action))

  def attend(observation: Any) -> dict[str, jax.Array]:
    encoder(observation)
    return encoder.attention

  pieces = _Pieces(
    encoder, project_closed, closed.step, closed.recurrence, getattr(closed, "unroll", None),
    project_open, open_.step, predictor, attend,
  )  # fmt: skip

  def init(observation: Any) -> jax.Array:
    action = policy.features(policy.no_action(1))
    latent = pieces.encode(observation)
    state = core_type.initial_state(own, size, 1)
    projected = pieces.project_closed(latent, action)
    if issubclass(core_type, Parallel):
      state = pieces.unroll_closed(projected[None], jnp.ones((1, 1), bool), state)[0][0]
    else:
      state = pieces.step_closed(projected, state)
    state = pieces.step_open(pieces.project_open(policy.no_action(1)), state)
    return pieces.predict(open_type.output(state))

  return init, _Pieces(*(lowered(piece, compute) for piece in pieces))


def _encode(
  built: _Built, params: Params, observation: Any, key: jax.Array | None = None
) -> jax.Array:
  observation = visible(observation)
  random = () if key is None else (key, True)
  latent = built.pieces.encode(params, rows(built.spec, observation), *random)
  return latent.reshape(*lead(built.spec, observation), built.config.latent_size)


def _attention(built: _Built, params: Params, observation: Any) -> dict[str, jax.Array]:
  observation = visible(observation)
  maps = built.pieces.attend(params, rows(built.spec, observation))
  before = lead(built.spec, observation)
  return {name: x.reshape(*before, *x.shape[1:]) for name, x in maps.items()}


def _observe(
  built: _Built,
  params: Params,
  latents: jax.Array,
  previous: jax.Array,
  first: jax.Array,
  state: Any,
) -> tuple[Any, Any]:
  # A step that begins an episode has neither a state nor a previous action.
  previous = jnp.where(first[..., None], 0.0, built.policy.features(previous))
  projected = built.pieces.project_closed(params, latents, previous)
  if issubclass(built.core, Parallel):
    return built.pieces.unroll_closed(params, projected, first, state)
  start = built.core.initial_state(built.core_settings, built.config.core_size, first.shape[1])
  weights = _subset(("closed_loop",), params)
  states = cores.unroll(
    built.pieces.step_closed, built.pieces.recurrence, weights, projected, first, start, state
  )
  return states, jax.tree.map(lambda x: x[-1], states)


def _step(
  built: _Built,
  params: Params,
  latent: jax.Array,
  previous: jax.Array,
  first: jax.Array,
  state: Any,
) -> tuple[Any, Any]:
  starts, state = _observe(built, params, latent[None], previous[None], first[None], state)
  return jax.tree.map(lambda x: x[0], starts), state


def _imagine(built: _Built, params: Params, starts: Any, actions: jax.Array) -> jax.Array:
  horizon, (length, batch) = built.config.horizon, (actions.shape[0] - 1, actions.shape[1])
  # a_{p+k-1}, for every start p at once; past the end any action will do, being masked out later.
  index = jnp.minimum(jnp.arange(horizon)[:, None] + jnp.arange(length)[None, :], length)
  projected = built.pieces.project_open(params, actions)[index]
  # Rows, and the few steps one after another: as a loop over arrays of three axes its gradient
  # takes half as long again on a CPU.
  state = jax.tree.map(lambda s: s[:-1].reshape(-1, *s.shape[2:]), starts)
  belief, beliefs = built.core.open_loop().output, []
  for k in range(horizon):
    state = built.pieces.step_open(params, projected[k].reshape(length * batch, -1), state)
    beliefs.append(belief(state))
  stacked = jnp.stack(beliefs).reshape(horizon, length, batch, -1)
  return jnp.swapaxes(stacked, 0, 1)


def _imagine_step(built: _Built, params: Params, state: Any, action: jax.Array) -> Any:
  return built.pieces.step_open(params, built.pieces.project_open(params, action), state)


def _errors(built: _Built, params: Params, imagined: jax.Array, targets: jax.Array) -> jax.Array:
  if built.config.stop_gradient:
    targets = jax.lax.stop_gradient(targets)
  # Rows, as the gradient of a product with four axes is slower by half.
  predictions = built.pieces.predict(params, imagined.reshape(-1, imagined.shape[-1]))
  return table.prediction_errors(predictions.reshape(*imagined.shape[:-1], -1), targets)


def _subset(modules: tuple[str, ...], params: Params) -> Params:
  return hk.data_structures.filter(lambda module, *_: module.split("/")[0] in modules, params)
