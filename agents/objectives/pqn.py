"""PQN, the parallelised Q-network: Q(lambda) of the newest batch, without target network or replay.

  G_t = r_t + gamma ((1 - lambda) max_a Q(s_{t+1}, a) + lambda G_{t+1}),  G_T = max_a Q(s_T, a)
  loss = 1/2 (Q(s_t, a_t) - G_t)^2
over several epochs of minibatches, the targets fixed before the first step. Layers that are
normalised take the target network's place, and many environments that of the replay. It acts
greedily but for a share epsilon of random actions, which falls along a line.
Source: Gallici et al. 2024 (arXiv 2407.04811), section 4 and algorithm 1; settings, and LayerNorm
between each linear layer and its ReLU, as in the authors' code (purejaxql). There the encoder is
normalised as well; here the layers of the head, which is what the proof needs, and the encoder as
its torso is. Theirs steps by RAdam, at 2.5e-4 to 3e-4, with a max_gradient_norm of .5 to 10 and 128
or 1,024 environments; these belong to the agent's own fields. A minibatch is whole columns of the
batch, as theirs of recurrent networks; there, but not with feed-forward ones, the targets follow
each step.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from agents.heads import heads
from agents.heads.action_values import ActionValues
from agents.objectives.action_values import action_value, chosen, discrete_policy
from agents.objectives.advantages import advantages
from agents.objectives.epsilon_greedy import epsilon_greedy
from agents.objectives.objective import (
  Context,
  Loss,
  Objective,
  Stream,
  View,
  registry,
  weighted_mean,
)
from agents.trajectory import Trajectory

LEAST = 1e-3
"""Share of random actions in the policy that is not to explore, whose likeliest is taken; and of
greedy ones in what explores, so that its likeliest is the same (ours)."""


@dataclasses.dataclass(frozen=True)
class PQNConfig:
  """The parallelised Q-network. Sources name the authors' code."""

  trace_lambda: float = 0.65
  """lambda of the returns (Atari: .65; Craftax with a memory: .5; CartPole: .95)."""
  epochs: int = 4
  """How often each batch is gone through (Craftax with a memory, CartPole: 4; Atari: 2)."""
  minibatches: int = 4
  """Into how many parts each epoch divides the batch's environments, at random (Craftax with a
  memory: 4; Atari: 32, of single transitions)."""
  epsilon_start: float = 1.0
  """Share of random actions at the start of the run (1)."""
  epsilon: float = 0.005
  """Share that is left (Craftax: .005; Atari: .001; MinAtar: .05)."""
  epsilon_decay: float = 0.1
  """Share of the run in which it falls (.1; CartPole: .2)."""

  def __post_init__(self) -> None:
    for name in ("trace_lambda", "epsilon_start", "epsilon", "epsilon_decay"):
      if not 0.0 <= getattr(self, name) <= 1.0:
        raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1].")
    for name in ("epochs", "minibatches"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")

  def epsilon_at(self, share: jax.Array) -> jax.Array:
    """Share of random actions at a share of the run in [0, 1], float32."""
    done = jnp.minimum(share / max(self.epsilon_decay, 1e-6), 1.0)
    return self.epsilon_start + (self.epsilon - self.epsilon_start) * done


@registry.register("pqn", PQNConfig, summary="Q(lambda) by epochs on the newest batch (PQN)")
def build(config: PQNConfig, context: Context) -> Objective:
  policy = discrete_policy(context.actions)

  def prepare(
    duals: Any,
    online: View,
    target: View,
    trajectory: Trajectory,
    streams: tuple[Stream, ...],
    key: jax.Array,
  ) -> jax.Array:
    del duals, target, key
    (rewards,) = streams
    best = jnp.max(online.out, axis=-1)
    # Advantages by GAE of the greedy values, which make Q(lambda) of them.
    ratios = jnp.ones_like(rewards.reward)
    return advantages(
      best, rewards.reward, rewards.discount, ratios, trajectory.mask, config.trace_lambda
    ).target

  def loss(
    duals: Any,
    online: View,
    trajectory: Trajectory,
    targets: jax.Array,
    weights: jax.Array,
    key: jax.Array,
  ) -> Loss:
    del duals, key
    error = chosen(online.out[:-1], trajectory.action[:-1]) - targets
    counted = weights > 0.0
    metrics = {
      "td_error": weighted_mean(jnp.abs(error), counted),
      "value": weighted_mean(jnp.max(online.out[:-1], axis=-1), counted),
    }
    return Loss(0.5 * weighted_mean(jnp.square(error), weights), metrics, error)

  def explore(p: jax.Array, share: jax.Array) -> jax.Array:
    return epsilon_greedy(p, jnp.minimum(config.epsilon_at(share), 1.0 - LEAST))

  return Objective(
    policy,
    heads.build(
      lambda: ActionValues(policy.size, context.hidden, context.layers, normalised=True),
      context.compute,
    ),
    lambda duals, q: epsilon_greedy(q, LEAST),
    lambda: {},
    prepare,
    loss,
    epochs=config.epochs,
    minibatches=config.minibatches,
    value=action_value,
    mask=policy.mask,
    expected_return=lambda duals, q: jnp.max(q, axis=-1),
    explore=explore,
  )
