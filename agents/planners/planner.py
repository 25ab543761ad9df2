"""The planner contract: a policy that is improved, while acting, by asking a model of the world.

What a planner makes of the policy's parameters acts, in training and in evaluation, and is what a
trajectory holds as that of the behaviour policy. A method is one file of this folder, which
registers itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from dm_env import specs

from agents.heads.policies import Policy
from envs.registry import Registry


class Model(NamedTuple):
  """What a planner may ask of a model: the latent world model, or a true one in its place.

  A state is a pytree of arrays [N, ...]; N is the batch, or as many as the planner makes of it.

  Attributes:
    step: (state, action [N, *A]) -> the state that it leads to.
    read: state -> (parameters [N, P] of the agent's policy, value float32 [N], the return that it
      expects). Of imagined states nothing says which actions are allowed. The value of an agent
      without values is 0; a planner that `reads_values` is refused there.
    reward: state -> float32 [N], the environment's reward on arriving there.
    discount: state -> float32 [N], of what follows on arriving there: gamma times the environment's
      own, which is 0 where the episode has terminated.
  """

  step: Callable[[Any, jax.Array], Any]
  read: Callable[[Any], tuple[jax.Array, jax.Array]]
  reward: Callable[[Any], jax.Array]
  discount: Callable[[Any], jax.Array]


class Planner(NamedTuple):
  """A planner.

  Attributes:
    plan: (Model, state, p [B, P], legal, memory, key) -> (parameters [B, P], extras, memory). `p`
      is the policy that explores, in which what is not allowed is masked; `legal` is bool [B, P],
      or None for all. What comes back must be masked as well. Extras are a dict of arrays [B, ...]
      that a trajectory keeps for learning, as `extras["plan"]`; {} for nothing. None for a planner
      that leaves the policy as it is.
    init: batch -> memory, arrays [B, ...], such as the last plan. It starts anew with each episode,
      and no trajectory keeps it.
    needs: auxiliary losses without which the model does not tell what is asked of it, by name; they
      are added where they were not chosen. `outcomes` for rewards and discounts; `consistency` so
      that values and policies of imagined states mean something.
    reads_values: whether it reads `Model.read`'s value; an objective without one is refused.
    explore: (p [B, P], key) -> p, what it plans from while exploring, such as a root's prior with
      noise; None for p itself.
    reads_bonus: whether rewards are to include what the bonus is expected to pay; an objective that
      does not predict it is refused.
    true_model: whether its model is the environment itself.
  """

  plan: Callable[..., tuple[jax.Array, dict[str, jax.Array], Any]] | None
  init: Callable[[int], Any] = lambda batch: ()
  needs: tuple[str, ...] = ()
  reads_values: bool = False
  explore: Callable[[jax.Array, jax.Array], jax.Array] | None = None
  reads_bonus: bool = False
  true_model: bool = False


class Context(NamedTuple):
  """What a planner is built for.

  Attributes:
    actions: spec of the actions.
    policy: the family of policies that acts, whose parameters it makes.
    horizon: K, how many steps the world model learns to imagine.
  """

  actions: specs.Array
  policy: Policy
  horizon: int


registry = Registry("planner", "agents.planners")
"""Builders: (own settings, Context) -> Planner."""
