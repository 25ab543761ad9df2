"""How far along a chain of links episodes come, whether or not they reach its end.

Where only the end of a long chain pays, success says nothing for long; see `capabilities.HasLinks`.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from envs.capabilities import HasLinks
from envs.environment import Environment
from experiments.acting import keys, rollout
from experiments.acting.policy import ActingPolicy, AgentPolicy, RandomPolicy
from experiments.evaluation import ranks
from experiments.runs.experiment import Experiment

SEED = 4_000_000
"""Of the episodes, folded into each seed's key, away from those of other measures."""

Reached = dict[str, dict[str, dict[str, Any]]]
"""By chain and link: the share of the chain's episodes that reached it, "agent" of each seed and
"random" of random play; None where there was no episode."""


def measure(experiment: Experiment, variables: Any, episodes: int | None = None) -> Reached | None:
  """Plays so many episodes of each seed; None where an environment has no links, or of a sweep."""
  env, config = experiment.env, experiment.config
  if not isinstance(env, Environment) or not isinstance(env, HasLinks) or config.sweep:
    return None
  if episodes is None:
    episodes = ranks.affordable(env, config.steps)
  drawn = keys.stream(config.keys(), keys.EVALUATION, SEED)
  policy = AgentPolicy(experiment.agent)

  def act(variables: Any, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _play(env, policy, episodes, experiment.agent.on_task(variables), key)

  agent = jax.device_get(jax.jit(jax.vmap(act))(variables, drawn))
  play = jax.jit(functools.partial(_play, env, RandomPolicy(env.action_spec()), episodes, ()))
  chance = jax.device_get(play(drawn[0]))
  return {
    chain: {
      link: {
        "agent": [_share(kind, ends, number, place) for kind, ends in zip(*agent, strict=True)],
        "random": _share(chance[0], chance[1], number, place),
      }
      for place, link in enumerate(links)
    }
    for number, (chain, links) in enumerate(env.chains().items())
  }


def _play(
  env: Any, policy: ActingPolicy, batch: int, variables: Any, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Of B episodes which chain each is, int32 [B], and the links reached at its end, bool [B, L]."""
  recorder = rollout.Recorder(arrivals=lambda acting: jax.vmap(env.links)(acting.env_state))
  scores, recording = rollout.episodes(env, policy, variables, batch, key, recorder)
  chain, reached = recording.arrivals
  return chain[0], reached[scores.length, jnp.arange(batch)]


def _share(chain: np.ndarray, reached: np.ndarray, number: int, place: int) -> float | None:
  among = reached[chain == number, place]
  return round(float(among.mean()), 4) if len(among) else None


def lines(reached: Reached) -> list[str]:
  """For a person, a line for each chain: each link with the mean of all seeds, and by chance."""

  def told(link: dict[str, Any]) -> str:
    seeds = [share for share in link["agent"] if share is not None]
    agent = f"{np.mean(seeds):.1%}" if seeds else "none"
    return agent if link["random"] is None else f"{agent} ({link['random']:.1%})"

  return [
    f"{chain}: " + ", ".join(f"{name} {told(link)}" for name, link in links.items())
    for chain, links in reached.items()
  ]
