"""cmc: what is seen now is told from other views of the same step, each by an encoder of its own.

Formula: with z_1 the projected latents, and z_j those of view j by an encoder of its own,
  sum over pairs of views (i, j) of InfoNCE(z_i -> z_j) + InfoNCE(z_j -> z_i), over their number,
by cosines / tau; the pairs of the core view 1 with each other one, or all. Views are the leaves of
the observation, each alone, where there are several; the next K actions; and the observation g
steps later. Positives are of the same step, negatives agents/auxiliaries/pairs.py's.
Source: contrastive multiview coding (Tian et al. 2020, arXiv 1906.05849), section 3.3; InfoNCE
within the batch instead of its bank of old embeddings.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any, Literal

import jax
import jax.numpy as jnp

from agents.agent import Metrics
from agents.auxiliaries import heads, pairs
from agents.auxiliaries.auxiliary import Auxiliary, Context, Inputs, check_at_least, registry
from agents.heads import heads as applied
from agents.heads import policies
from agents.heads.heads import Heads
from agents.torsos.torso import preprocess, width
from agents.world_model.table import normalise
from envs.observation import leaves, rows

ACTIONS, LATER, CORE = "actions", "later", "core"
"""Names of views; those of leaves are `leaf.` and the leaf's."""


@dataclasses.dataclass(frozen=True)
class CMCConfig(pairs.ContrastConfig, heads.ProjectorConfig):
  """Views of a step."""

  leaves: bool = True
  """Each leaf of an observation is a view, where there are several."""
  actions: int = 4
  """K, the next actions that are a view (ours); 0 for none."""
  later: bool = True
  """What is observed `gap` steps later is a view."""
  graph: Literal["core", "full"] = "core"
  """Which views are contrasted: each with the latents, or each with every other one (CMC: full is
  the best and costs most)."""
  max_pairs: int = 256
  """Entries of a batch that are compared with one another, drawn at random where there are more:
  each view of them is encoded by a network of its own (ours)."""
  temperature: float = 0.1
  """tau, of the cosines (CMC's code: .07)."""

  def __post_init__(self) -> None:
    super().__post_init__()
    check_at_least(self, 0, "actions")


@registry.register("cmc", CMCConfig, summary="views of a step are told from one another")
def build(settings: CMCConfig, context: Context) -> Auxiliary:
  context.check_window("cmc", "gap", settings.gap)
  context.check_window("cmc", "actions", settings.actions)
  spec = context.env.observation_spec()
  parts, policy = leaves(spec), policies.build(context.env.action_spec())
  sizes = {CORE: context.latent_size}
  if settings.leaves and len(parts) > 1:
    sizes |= {f"leaf.{name}": width(leaf) for name, leaf in parts.items()}
  if settings.later:
    sizes[LATER] = width(spec)
  if settings.actions:
    sizes[ACTIONS] = settings.actions * policy.features(policy.no_action(1)).shape[-1]
  if len(sizes) == 1:
    raise ValueError("auxiliary 'cmc' has one view; give actions above 0, or later.")
  net = applied.build(
    lambda: functools.partial(heads.mlp, settings.projector_hidden, settings.projector_size, 0),
    context.compute,
  )

  def init(key: jax.Array) -> tuple[Any, Any]:
    keys = jax.random.split(key, len(sizes))
    made = zip(sizes.items(), keys, strict=True)
    return {name: net.init(k, jnp.zeros((1, size))) for (name, size), k in made}, ()

  return Auxiliary(init, functools.partial(loss, settings, net, spec, policy, tuple(sizes)))


def flat(spec: Any, observation: Any) -> jax.Array:
  """What is observed, [T+1, B, *O], as numbers [T+1, B, F]."""
  lead = jax.tree.leaves(observation)[0].shape[:2]
  read = preprocess(spec, rows(spec, observation))
  return jnp.concatenate([x.reshape(*lead, -1) for x in jax.tree.leaves(read)], axis=-1)


def view(
  name: str, settings: CMCConfig, spec: Any, policy: policies.Policy, inputs: Inputs
) -> tuple[jax.Array, jax.Array]:
  """A view, [T+1, B, F], and what each entry counts for that has it, [T+1, B]."""
  trajectory = inputs.trajectory
  if name == CORE:
    return inputs.latents, inputs.weights
  if name == LATER:
    shown = flat(spec, pairs.later(trajectory.observation, settings.gap))
    return shown, pairs.positives(trajectory.first, inputs.weights, settings.gap)
  if name == ACTIONS:
    done = policy.features(trajectory.action)
    following = [pairs.later(done, k) for k in range(settings.actions)]
    counted = pairs.positives(trajectory.first, inputs.weights, settings.actions)
    return jnp.concatenate(following, axis=-1), counted
  leaf = name.removeprefix("leaf.")
  return flat(spec[leaf], trajectory.observation[leaf]), inputs.weights


def loss(
  settings: CMCConfig,
  net: Heads,
  spec: Any,
  policy: policies.Policy,
  names: tuple[str, ...],
  params: Any,
  state: Any,
  inputs: Inputs,
  key: jax.Array,
) -> tuple[jax.Array, Metrics, Any]:
  """See `agents.auxiliaries.auxiliary.Auxiliary.loss`; it has no state."""
  shown = {name: view(name, settings, spec, policy, inputs) for name in names}
  # One draw for all views, of which each is encoded once.
  counted = jnp.stack([weights for _, weights in shown.values()])
  rows = pairs.rows(inputs.trajectory.first, jnp.max(counted, axis=0), settings.max_pairs, key)
  z = {name: normalise(net.apply(params[name], rows.of(x))) for name, (x, _) in shown.items()}
  losses, metrics = [], {}
  for one, other in itertools.combinations(names, 2):
    if settings.graph == "core" and one != CORE:
      continue
    both = rows._replace(weights=rows.of(jnp.minimum(shown[one][1], shown[other][1])))
    negatives = pairs.allowed(both, settings.neighbours)
    logits = z[one] @ z[other].T / settings.temperature
    losses.append(pairs.both_ways(logits, both.weights, negatives))
    told = pairs.information(losses[-1] / 2.0, both.weights, negatives)
    metrics[f"cmc_information_{one}_{other}"] = told
  return jnp.mean(jnp.stack(losses)), metrics, state
