"""mcts: tree search, by mctx, in a model of the world.

A simulation goes down the tree by the rule of its form, adds one node, and backs its value up. What
acts, what the policy is trained to be, and how the tree is gone down, are by form

  form     down the tree            acts       target
  puct     PUCT                     visits     visits
  gumbel   sequential halving       improved   improved
  act      PUCT                     pi_bar     visits
  search   sampled from pi_bar      visits     visits
  learn    PUCT                     visits     pi_bar
  all      sampled from pi_bar      pi_bar     pi_bar

where pi_bar is the exact solution of the regularised problem (agents/planners/regularised.py), at
each node of its own values and visits. The target is kept as `extras["plan"]["target"]`.
Source: MuZero (Schrittwieser et al. 2020, arXiv 1911.08265), appendix B, for `puct`; Danihelka et
al. 2022 (Policy improvement by planning with Gumbel) for `gumbel`, of which we sample the improved
policy softmax(logits + sigma(q)) where the paper takes the action that its Gumbel noise chose; and
Grill et al. 2020 (arXiv 2007.12509), section 4, for the rest.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from agents.heads import policies
from agents.planners import regularised
from agents.planners.planner import Context, Model, Planner, registry
from envs import action_specs

try:
  import mctx
except ImportError as error:
  MISSING = f"mctx is not here ({error}); pip install 'rarebird[search]'"
else:
  MISSING = ""


LEAST_RANGE = 1e-4
"""Of values that are scaled to [0, 1], relative to the largest (ours; mctx: 1e-8, absolute)."""


@dataclasses.dataclass(frozen=True)
class MCTSConfig:
  """Tree search."""

  form: Literal["puct", "gumbel", "act", "search", "learn", "all"] = "all"
  """How the tree is gone down, what acts and what is learned, as above (Grill et al. 2020: all)."""
  simulations: int = 8
  """Nodes that a search adds (MuZero: 50 on Atari; Grill et al.: 5 to 50)."""
  depth: int = 0
  """Steps that a simulation goes down at most; 0 for as many as the world model learns to imagine,
  the horizon, and no bound with a true model (ours)."""
  model: Literal["learned", "true"] = "learned"
  """What is searched: the world model, or the environment itself, gone on from its state."""
  bonus: bool = False
  """Rewards in the search include what the objective expects the bonus to pay, so that it plans to
  where its model would be surprised (ours); of objectives that predict it, such as muzero."""
  dirichlet_fraction: float = 0.25
  """Share of Dirichlet noise in the root's prior while exploring, of the forms puct and act, which
  learn visits; the others explore by what they plan (MuZero: .25)."""
  dirichlet_alpha: float = 0.3
  """Concentration of that noise (MuZero: .25 on Atari, .3 for chess; mctx: .3)."""

  def __post_init__(self) -> None:
    if self.simulations < 1:
      raise ValueError(f"simulations is {self.simulations}; it must be at least 1.")
    if self.depth < 0:
      raise ValueError(f"depth is {self.depth}; it must be at least 0.")
    if not 0.0 <= self.dirichlet_fraction <= 1.0:
      raise ValueError(f"dirichlet_fraction is {self.dirichlet_fraction}; it must lie in [0, 1].")
    if not self.dirichlet_alpha > 0.0:
      raise ValueError(f"dirichlet_alpha is {self.dirichlet_alpha}; it must be above 0.")


def completed_values(tree: Any, node: jax.Array) -> jax.Array:
  """q of a node's actions, in [0, 1], float32 [A]; unvisited ones have the node's value.

  mctx takes their value as 0, and its MuZero transforms as the least of their siblings', which
  holds a search of few simulations to what it tried first.

  Args:
    tree: unbatched.
    node: int32, scalar.
  """
  value = tree.node_values[node]
  q = jnp.where(tree.children_visits[node] > 0, tree.qvalues(node), value)
  low, high = jnp.minimum(jnp.min(q), value), jnp.maximum(jnp.max(q), value)
  # Where all are worth the same, what rounding leaves between them is not to be stretched.
  least = LEAST_RANGE * jnp.maximum(jnp.abs(low), jnp.abs(high))
  return (q - low) / jnp.maximum(high - low, least + 1e-8)


def regularised_policy(tree: Any, node: jax.Array) -> jax.Array:
  """pi_bar at a node, float32 [A]; arguments as of `completed_values`."""
  prior = jax.nn.softmax(tree.children_prior_logits[node])
  visits = jnp.sum(tree.children_visits[node])
  weight = regularised.weight(visits, jnp.sum(prior > 0.0))
  return regularised.policy(completed_values(tree, node), prior, weight)


def _sampled(key: jax.Array, tree: Any, node: jax.Array, depth: Any = None) -> jax.Array:
  """An action of pi_bar at a node, int32 scalar."""
  del depth
  return jax.random.categorical(key, jnp.log(regularised_policy(tree, node))).astype(jnp.int32)


def _by_puct(form: str) -> Callable[..., jax.Array]:
  """MuZero's rule; with its own values in the form that is MuZero's."""
  own = {} if form == "puct" else {"qtransform": completed_values}
  return functools.partial(
    mctx.muzero_action_selection, pb_c_init=regularised.C_INIT, pb_c_base=regularised.C_BASE, **own
  )


def search(
  settings: MCTSConfig, depth: int | None, model: Model, state: Any, p: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """What acts and what is to be learned, probabilities [B, A], and the root's value, [B].

  Args:
    settings: the planner's.
    depth: the greatest; None for no bound.
    model: that is searched.
    state: its, arrays [B, ...].
    p: logits of the root's prior, [B, A], masked.
    key: random.
  """
  root = mctx.RootFnOutput(prior_logits=p, value=model.read(state)[1], embedding=state)

  def expand(params: Any, key: jax.Array, action: jax.Array, state: Any) -> tuple[Any, Any]:
    del params, key
    state = model.step(state, action)
    logits, value = model.read(state)
    return mctx.RecurrentFnOutput(
      reward=model.reward(state),
      discount=model.discount(state),
      prior_logits=logits,
      value=value,
    ), state

  common: dict[str, Any] = {
    "root": root,
    "recurrent_fn": expand,
    "num_simulations": settings.simulations,
    "max_depth": depth,
    "invalid_actions": ~policies.possible(p),
  }
  if settings.form == "gumbel":
    out = mctx.gumbel_muzero_policy((), key, **common)
    return out.action_weights, out.action_weights, out.search_tree.node_values[:, 0]
  down = _sampled if settings.form in ("search", "all") else _by_puct(settings.form)
  tree = mctx.search(
    (),
    key,
    root_action_selection_fn=functools.partial(down, depth=0),
    interior_action_selection_fn=down,
    **common,
  )
  visits = tree.summary().visit_probs
  exact = jax.vmap(regularised_policy, in_axes=(0, None))(tree, tree.ROOT_INDEX)
  acts = exact if settings.form in ("act", "all") else visits
  learned = exact if settings.form in ("learn", "all") else visits
  return acts, learned, tree.node_values[:, 0]


def plan(
  settings: MCTSConfig,
  depth: int | None,
  model: Model,
  state: Any,
  p: jax.Array,
  legal: jax.Array | None,
  memory: Any,
  key: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array], Any]:
  """See `agents.planners.planner.Planner.plan`; parameters are logits, one of each action."""
  del legal  # what is not allowed is masked in p
  allowed = policies.possible(p)
  acts, target, value = search(settings, depth, model, state, p, key)

  def logits(x: jax.Array) -> jax.Array:
    return policies.masked(jnp.log(jnp.maximum(x, 1e-8)), allowed)

  return logits(acts), {"target": logits(target), "value": value}, memory


def noisy(settings: MCTSConfig, p: jax.Array, key: jax.Array) -> jax.Array:
  """See `agents.planners.planner.Planner.explore`."""
  allowed = policies.possible(p)
  noise = jax.random.dirichlet(key, jnp.full(p.shape[-1:], settings.dirichlet_alpha), p.shape[:-1])
  noise = jnp.where(allowed, noise, 0.0)
  noise /= jnp.maximum(jnp.sum(noise, axis=-1, keepdims=True), 1e-8)
  share = settings.dirichlet_fraction
  mixed = (1.0 - share) * jax.nn.softmax(p) + share * noise
  return policies.masked(jnp.log(jnp.maximum(mixed, 1e-8)), allowed)


@registry.register("mcts", MCTSConfig, summary="tree search, six forms, by mctx")
def build(settings: MCTSConfig, context: Context) -> Planner:
  """Raises ValueError, one line, unless mctx is there and actions are discrete, and for a depth
  past the horizon of a learned model."""
  if MISSING:
    raise ValueError(f"planner 'mcts': {MISSING}, or take --planner lookahead.")
  kind = action_specs.kind(context.actions)
  if kind != "discrete":
    advice = "none, with --objective vmpo" if kind == "factored" else "cem, mppi or none"
    raise ValueError(
      "planner 'mcts' tries actions one by one, so it needs discrete ones, one at a time; for"
      f" {'several at once' if kind == 'factored' else 'continuous ones'} take --planner {advice}."
    )
  learned = settings.model == "learned"
  if learned and settings.depth > context.horizon:
    raise ValueError(
      f"planner 'mcts': depth is {settings.depth}, but the world model learns to imagine"
      f" {context.horizon} steps; give --horizon {settings.depth}, or less depth."
    )
  depth = settings.depth or (context.horizon if learned else None)
  noise = settings.form in ("puct", "act") and settings.dirichlet_fraction > 0.0
  return Planner(
    functools.partial(plan, settings, depth),
    needs=("outcomes", "consistency") if learned else (),
    reads_values=True,
    explore=functools.partial(noisy, settings) if noise else None,
    reads_bonus=settings.bonus,
    true_model=not learned,
  )
