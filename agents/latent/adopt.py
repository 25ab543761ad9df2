"""Going on from networks that another run has trained.

What is taken is what its losses shaped and any task may read: the world model, its target encoder,
and the moments by which observations are normalised; where it is asked, also what makes the policy,
its own model and heads. All else begins anew: optimiser, dual variables, the networks of bonus and
auxiliary losses, counts.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.latent.parts import Parts
from agents.latent.state import LearnerState
from agents.optimisers import optimiser as optimisers


def adopt(parts: Parts, state: LearnerState, donor: Any, heads: bool) -> LearnerState:
  """See `agents.agent.Agent.adopt`."""
  if not isinstance(donor, LearnerState):
    raise ValueError("it has no latent world model there")
  for name, here, there in zip(NAMES, _networks(state), _networks(donor), strict=True):
    if heads or name != HEADS:
      _agree(name, here, there)
  learned = optimisers.evaluated(donor.optimiser, donor.params)
  params = state.params._replace(world_model=learned.world_model)
  if heads:
    params = params._replace(policy_model=learned.policy_model, heads=learned.heads)
  # Copies, because the runtimes donate the state's buffers and none may be donated twice.
  return state._replace(
    params=params,
    behaviour=jax.tree.map(jnp.copy, params),
    target_encoder=donor.target_encoder,
    target=() if parts.objective.target_decay is None else jax.tree.map(jnp.copy, params.of_policy),
    optimiser=parts.optimiser.init(params),
    observation_moments=donor.observation_moments,
  )


HEADS = "heads"
NAMES = ("world model", "target encoder", "observation moments", HEADS)


def _networks(state: LearnerState) -> tuple[Any, ...]:
  """What may be taken, as NAMES has it."""
  params = state.params
  of_policy = {"model": params.policy_model, "heads": params.heads}
  return params.world_model, state.target_encoder, state.observation_moments, of_policy


def _agree(name: str, here: Any, there: Any) -> None:
  """Raises ValueError that names the first difference in names, shapes or dtypes of two trees."""
  own, other = (
    {
      jax.tree_util.keystr(path, simple=True, separator="/"): f"{x.dtype}{list(x.shape)}"
      for path, x in jax.tree.leaves_with_path(tree)
    }
    for tree in (here, there)
  )
  for leaf in dict.fromkeys((*own, *other)):
    if own.get(leaf) != other.get(leaf):
      raise ValueError(
        f"{name} {leaf} is {other.get(leaf, 'missing')} there and {own.get(leaf, 'missing')} here"
      )
