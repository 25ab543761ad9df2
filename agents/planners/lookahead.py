"""lookahead: tries every action in imagination, and makes those likelier that lead to more.

  q(a) = r_1 + d_1 (r_2 + d_2 (... + d_n V(b_n)))    after `a`, then the policy's own actions
  pi'(a) proportional to pi(a) exp(q(a) / temperature)
which is the policy of the greatest E_pi' q - temperature KL(pi' || pi).
Source: MuZero (Schrittwieser et al. 2020, arXiv 1911.08265) for the unrolled model, rewards and
values; Grill et al. 2020 (arXiv 2007.12509), equation 7, for search as a regularised policy
improvement, there with the KL the other way round; of one step it is the improvement of Muesli
(Hessel et al. 2021, arXiv 2104.06159, equation 10), without its clipped, normalised advantages.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp

from agents.heads import policies
from agents.heads.policies import Policy
from agents.planners.planner import Context, Model, Planner, registry
from envs import action_specs


@dataclasses.dataclass(frozen=True)
class LookaheadConfig:
  """Every action, tried in imagination."""

  depth: int = 1
  """n, steps that are imagined before the value (Muesli's improvement: 1; at most the horizon)."""
  continuation: Literal["greedy", "sample"] = "greedy"
  """How the steps after the first are chosen: the policy's likeliest action, or one it draws
  (ours)."""
  temperature: float = 0.1
  """What divides q, in units of the return; the smaller, the less the policy counts (ours, as that
  of soft_q)."""

  def __post_init__(self) -> None:
    if self.depth < 1:
      raise ValueError(f"depth is {self.depth}; it must be at least 1.")
    if not self.temperature > 0.0:
      raise ValueError(f"temperature is {self.temperature}; it must be above 0.")


def plan(
  settings: LookaheadConfig,
  policy: Policy,
  model: Model,
  state: Any,
  p: jax.Array,
  legal: jax.Array | None,
  memory: Any,
  key: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array], Any]:
  """See `agents.planners.planner.Planner.plan`; parameters are logits, one of each action."""
  del legal  # what is not allowed is masked in p
  batch, count = p.shape
  q = action_values(settings, policy, model, state, batch, key)
  improved = jax.nn.log_softmax(p) + q.reshape(batch, count) / settings.temperature
  return policies.masked(improved, policies.possible(p)), {}, memory


def action_values(
  settings: LookaheadConfig, policy: Policy, model: Model, state: Any, batch: int, key: jax.Array
) -> jax.Array:
  """q of every action in each of B states, one state's after another's, float32 [B * A]."""
  count = policy.size
  state = jax.tree.map(lambda x: jnp.repeat(x, count, axis=0), state)
  state = model.step(state, jnp.tile(jnp.arange(count, dtype=jnp.int32), batch))
  total, discount = model.reward(state), model.discount(state)
  for later in jax.random.split(key, settings.depth - 1):
    p, _ = model.read(state)
    sample = policy.mode(p) if settings.continuation == "greedy" else policy.sample(later, p)
    state = model.step(state, policy.action(sample))
    total += discount * model.reward(state)
    discount *= model.discount(state)
  return total + discount * model.read(state)[1]


@registry.register("lookahead", LookaheadConfig, summary="tries every action in imagination")
def build(settings: LookaheadConfig, context: Context) -> Planner:
  """Raises ValueError, one line, unless actions are discrete, and for a depth past the horizon."""
  kind = action_specs.kind(context.actions)
  if kind != "discrete":
    raise ValueError(
      "planner 'lookahead' tries every action, so it needs discrete ones, one at a time; for"
      f" {'several at once' if kind == 'factored' else 'continuous ones'} take --planner none."
    )
  if settings.depth > context.horizon:
    raise ValueError(
      f"planner 'lookahead': depth is {settings.depth}, but the world model learns to imagine"
      f" {context.horizon} steps; give --horizon {settings.depth}, or less depth."
    )
  return Planner(
    functools.partial(plan, settings, context.policy),
    needs=("outcomes", "consistency"),
    reads_values=True,
  )
