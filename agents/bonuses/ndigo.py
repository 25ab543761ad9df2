"""NDIGO: the information that the newest observation gave about one fixed future observation.

Formula: l_{t-1} = L(t-1, H) - L(t, H-1), where L(s, k) is the error of the forecast of observation
s + k made k steps before it; so both forecast o_{t+H-1}, of which o_t told what the difference is.
  latent   L is the world model's table of errors in latent space.
  decoded  L(s, k) = -log p(o_{s+k} | b_{s,k}) of a decoder that reads the open-loop belief:
           Bernoulli over pixels in [0, 1], categorical over bounded integers, Gaussian of unit
           variance over floats; a mean over the features, and up to terms of the observation
           alone, which the difference loses.
It is signed, and paid without clipping over the running deviation of its discounted returns.
Source: Azar et al. 2019 (arXiv 1902.07685), section 4 (recalled), where the decoded form is used.
The paper's reward is given at step t + H - 1, when it can first be computed. Here the whole
trajectory is at hand and it goes to the transition t-1 -> t, which brought o_t, so that the credit
need not cross H - 1 steps. Where t + H - 1 lies past the trajectory or the episode it is 0.
Good at: white noise, to which no other observation is a clue, with H of at least 2: in the mean it
is paid nothing; and at noise of a short memory the better, the longer H.
Bad at: H = 1, which is paid for any noise, as L(t, 0) is what the belief knows of what it has just
seen; ends of episodes and short trajectories, of which the last H - 1 steps are unpaid; the
difference of two large errors is itself a noisy reward.
What is trained: the decoder, or for L(t, 0) a head on the belief (the world model's forecasts begin
at k = 1); their gradients go on to the beliefs, as in the paper, where they alone shape them.
Cost: the latent form none beyond the world model's loss (with H = 1 one small head); the decoded
form two decoders' passes over all observations, so much where observations are large.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.bonuses.bonus import Bonus, Context, Outputs, registry
from agents.bonuses.masking import masked_mean
from agents.torsos import torso as torsos
from agents.trajectory import Trajectory
from agents.world_model import table
from envs.observation import Spec, Tokens, leaves

HIDDEN = 256
"""Units of the hidden layer of the decoder and of the head for k = 0."""


@dataclasses.dataclass(frozen=True)
class NDIGOConfig:
  """NDIGO, arXiv 1902.07685."""

  form: Literal["latent", "decoded"] = "latent"
  """`latent` reads the table of errors; `decoded` decodes observations (NDIGO's own)."""
  horizon: int = 5
  """H, how many steps ahead the earlier of the two forecasts looks, at most the world model's
  horizon (NDIGO, section 5: 1 to 10, recalled)."""

  def __post_init__(self) -> None:
    if self.horizon < 1:
      raise ValueError(f"horizon is {self.horizon}; it must be at least 1.")


def gain(earlier: jax.Array, later: jax.Array, valid: jax.Array) -> jax.Array:
  """The drop in error of one observation, for the transition that brought the newest one.

  Args:
    earlier: [T, B], L(s, H) at s.
    later: [T, B] or [T+1, B], L(s, H-1) at s.
    valid: bool [T, B], step s + H is in the trajectory, and in the same episode.

  Returns:
    [T, B], L(s, H) - L(s+1, H-1) at s; 0 where not valid.
  """
  # Where a last entry is missing, L(T, H-1) with H > 1, s + H lies past the trajectory.
  after = jnp.concatenate([later[1:], later[-1:]])[: earlier.shape[0]]
  return jnp.where(valid, earlier - after, 0.0)


def log_loss(spec: Spec, decoded: jax.Array, observation: Any) -> jax.Array:
  """-log p of observations, a mean over their features, up to terms of the observation alone.

  Of a dict of leaves all features count alike, those of one leaf after another.

  Args:
    spec: of the observation.
    decoded: [..., F], logits or means, one for each feature of `torsos.preprocess`.
    observation: [..., *O].

  Returns:
    [...].
  """
  if isinstance(spec, dict):
    widths = [torsos.width(leaf) for leaf in leaves(spec).values()]
    pieces = jnp.split(decoded, np.cumsum(widths)[:-1], axis=-1)
    parts = [
      _losses(leaf, piece, observation[name])
      for (name, leaf), piece in zip(leaves(spec).items(), pieces, strict=True)
    ]
    return jnp.mean(jnp.concatenate(parts, axis=-1), axis=-1)
  return jnp.mean(_losses(spec, decoded, observation), axis=-1)


def _losses(spec: specs.Array, decoded: jax.Array, observation: jax.Array) -> jax.Array:
  """`log_loss` of each feature of a leaf."""
  target = torsos.preprocess(spec, observation).reshape(decoded.shape)
  if spec.dtype == np.uint8:
    parts = jax.nn.softplus(decoded) - target * decoded
  elif not isinstance(spec, Tokens) and np.issubdtype(spec.dtype, np.integer):
    one_hot = (*decoded.shape[:-1], -1, int(np.max(spec.maximum)) + 1)
    log_p = jax.nn.log_softmax(decoded.reshape(one_hot))
    parts = -jnp.sum(target.reshape(one_hot) * log_p, axis=-1)
  else:
    parts = 0.5 * jnp.square(decoded - target)
  return parts


@registry.register(
  "ndigo", NDIGOConfig, summary="what the newest observation told about a future one"
)
def build(settings: NDIGOConfig, context: Context) -> Bonus:
  """The bonus in the form and with the horizon of `settings`.

  Raises:
    ValueError: if the world model looks less far ahead.
  """
  horizon = settings.horizon
  if horizon > context.horizon:
    raise ValueError(
      f"horizon is {horizon}; it may be at most the world model's horizon, {context.horizon}."
    )
  decodes = settings.form == "decoded"
  spec = context.env.observation_spec()
  features = torsos.width(spec) if decodes else context.latent_size
  head = hk.without_apply_rng(
    hk.transform(lambda belief: hk.nets.MLP([HIDDEN, features], name="head")(belief))
  )
  # The forecasts that are trained here; the table's are by the world model.
  trained = [k for k in (horizon, horizon - 1) if decodes or k == 0]

  def init(key: jax.Array) -> tuple[Any, Any]:
    return (head.init(key, jnp.zeros((1, context.belief_size))) if trained else ()), ()

  def errors(params: Any, trajectory: Trajectory, outputs: Outputs, k: int) -> jax.Array:
    """L(s, k) at s, [T, B], or [T+1, B] for k = 0."""
    assert outputs.forecasts is not None
    if k and not decodes:
      return outputs.forecasts.errors[:, k - 1]
    beliefs = outputs.forecasts.imagined[:, k - 1] if k else outputs.beliefs
    forecast = head.apply(params, beliefs)
    step = jnp.minimum(jnp.arange(beliefs.shape[0]) + k, trajectory.reward.shape[0] - 1)
    if decodes:
      return log_loss(spec, forecast, jax.tree.map(lambda x: x[step], trajectory.observation))
    targets = jax.lax.stop_gradient(outputs.forecasts.targets)[step]
    return 2.0 - 2.0 * jnp.sum(table.normalise(forecast) * table.normalise(targets), axis=-1)

  def reward(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ):
    del key
    assert outputs.forecasts is not None
    earlier = errors(params, trajectory, outputs, horizon)
    later = errors(params, trajectory, outputs, horizon - 1)
    return gain(earlier, later, outputs.forecasts.valid[:, horizon - 1]), statistics, {}

  def loss(
    params: Any, statistics: Any, trajectory: Trajectory, outputs: Outputs, key: jax.Array
  ) -> jax.Array:
    del statistics, key
    assert outputs.forecasts is not None
    total = jnp.float32(0.0)
    for k in trained:
      error = errors(params, trajectory, outputs, k)
      valid = outputs.forecasts.valid[:, k - 1] if k else jnp.ones_like(error, bool)
      total += masked_mean(error, valid)
    return total

  return Bonus(init, reward, loss, scaling="return_std", needs=("byol",))
