"""The stage that learns which states belong together, and tells how well it finds true neighbours.

Nothing else reads it: a memory of states can be queried by what it learned; see
agents/reachability/retrieval.py.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from agents.offline import retrieval
from envs.goals.goal_environment import GoalEnvironment
from experiments.offline.discovery import Discovery, Tick, calls
from experiments.offline.stage_files import Result, flat
from experiments.settings.errors import UserError

STAGE = 5
"""Number of the stage, for what it draws with."""
STATES = 2500
"""Of the dataset, drawn to be searched for and searched."""
QUERY_SHARE = 0.2
"""Of these, those searched for."""
NEAREST = 10
"""Of the held ones that are truly nearest to a query, and of those found."""


def train(discovery: Discovery, env: GoalEnvironment, tick: Tick) -> Result:
  """Contrasts spans of windows of the dataset; reports recall@10 of true neighbours.

  Beside it stand the recall of the retriever before it learned, that of the reachability network,
  and that of chance.
  """
  own, data = discovery.config.retrieval_training, discovery.dataset
  rng, (init_key, loss_key) = discovery.rng(STAGE), jax.random.split(discovery.key(STAGE))
  net = retrieval.build(discovery.config.retrieval, discovery.encoder.size)
  optimiser = retrieval.optimiser(discovery.config.retrieval)
  long = np.flatnonzero(data.lengths + 1 >= own.retrieval_length)
  if not long.size:
    raise UserError(
      f"{data.path}: no episode has {own.retrieval_length} observations; give a smaller"
      " --retrieval-length."
    )

  @functools.partial(jax.jit, donate_argnums=0)
  def learn(carry: Any, latents: jax.Array, episodes: jax.Array, keys: jax.Array) -> Any:
    def step(carry: Any, inputs: Any) -> tuple[Any, Any]:
      params, state, optimiser_state = carry
      gradient, (queue, metrics) = jax.grad(net.loss, has_aux=True)(params, state, *inputs)
      change, optimiser_state = optimiser.update(gradient, optimiser_state)
      params = optax.apply_updates(params, change)
      return (params, net.update(state, params, queue), optimiser_state), metrics

    carry, history = jax.lax.scan(step, carry, (latents, episodes, keys))
    return carry, jax.tree.map(jnp.mean, history)

  params, state = net.init(init_key)
  carry = jax.tree.map(jnp.copy, (params, state, optimiser.init(params)))
  done, metrics = 0, {}
  for count in calls(own.retrieval_updates):
    episode = rng.choice(long, (count, 1, own.retrieval_batch))
    begin = rng.integers(data.lengths[episode] + 2 - own.retrieval_length)
    time = begin + np.arange(own.retrieval_length)[:, None]
    rows = discovery.firsts[episode] + time
    episodes = np.broadcast_to(episode, rows.shape).astype(np.int32)
    keys = jax.random.split(jax.random.fold_in(loss_key, done), count)
    carry, metrics = learn(carry, discovery.latents(rows), episodes, keys)
    done += count
    tick(done / own.retrieval_updates, f"loss {metrics['retrieval_loss']:.3f}")

  rows = rng.choice(total := int(discovery.firsts[-1]), min(STATES, total), replace=False)
  queries, held = np.split(rows, [int(QUERY_SHARE * len(rows))])
  distance, shape = discovery.true_distances(env), (len(queries), len(held))
  true = distance(np.repeat(queries, len(held)), np.tile(held, len(queries))).reshape(shape)
  nearest = np.argsort(true, axis=1)[:, :NEAREST]

  def recall(found: Any) -> float:
    return float(retrieval.recall(jnp.asarray(found), jnp.asarray(nearest), NEAREST))

  search = jax.jit(functools.partial(net.search, k=NEAREST))
  latents = [discovery.latents(some) for some in (queries, held)]
  ways = discovery.all_logits(discovery.features(queries), discovery.features(held))
  report = {
    "updates": done,
    "recall": recall(search(carry[0], *latents)),
    "untrained": recall(search(params, *latents)),
    "reachability": recall(np.argsort(-ways, axis=1)[:, :NEAREST]),
    "chance": NEAREST / len(held),
    "metrics": {name: float(x) for name, x in metrics.items()},
  }
  return Result(flat("params", carry[0]), report)
