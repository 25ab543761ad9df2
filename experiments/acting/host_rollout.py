"""Plays whole episodes with an agent on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from agents.agent import Agent
from envs.environment import FIRST, LAST
from envs.host.environment import HostEnvironment
from envs.host.vector import vector
from envs.success import outcomes, succeeded
from experiments.acting.rollout import REFERENCE_DISCOUNT, Episodes
from experiments.runtimes.actor import jitted_act

MOST_ENVIRONMENTS = 8
"""Environments that play side by side at most."""


class Stopped(Exception):
  """Playing was given up, as it was asked to."""


def play(
  env: HostEnvironment,
  agent: Agent,
  variables: Any,
  episodes: int,
  seed: int,
  timeout: float,
  explore: bool = True,
  stopping: Callable[[], bool] = lambda: False,
) -> dict[str, Episodes]:
  """Returns `Episodes` [1, E] of the one split, "train".

  Every environment plays as many episodes as any other, since counting the first E that end would
  favour the short ones; E is `episodes` rounded up to that.

  Args:
    env: the environment.
    agent: the agent.
    variables: what it acts with.
    episodes: at least this many.
    seed: of environments and actions.
    timeout: seconds after which an environment in a process of its own counts as stuck.
    explore: samples from the policy; otherwise its mode is played.
    stopping: asked before every step.

  Raises:
    Stopped: once `stopping()` is true.
    EnvironmentFailed: see `envs.host.vector.vector`.
  """
  batch = min(episodes, MOST_ENVIRONMENTS)
  rounds = -(-episodes // batch)
  act, variables = jitted_act(agent, explore), agent.on_task(variables)
  done: list[list[tuple[float, float, int, int]]] = [[] for _ in range(batch)]
  returns, discounted = np.zeros(batch), np.zeros(batch)
  lengths = np.zeros(batch, np.int64)
  memory, key = agent.initial_memory(batch), jax.random.key(seed)
  with vector(env, batch, seed, timeout) as environments:
    timestep = environments.reset()
    while any(len(d) < rounds for d in done):
      if stopping():
        raise Stopped
      action, _, memory, key = act(variables, memory, timestep, key)
      timestep = environments.step(np.asarray(action))
      first = timestep.step_type == FIRST
      returns = np.where(first, 0.0, returns + timestep.reward)
      discounted = np.where(first, 0.0, discounted + REFERENCE_DISCOUNT**lengths * timestep.reward)
      lengths = np.where(first, 0, lengths + 1)
      for i in np.flatnonzero(timestep.step_type == LAST):
        if len(done[i]) < rounds:
          done[i].append((returns[i], discounted[i], lengths[i], environments.success()[i]))
  played = np.array([one for d in done for one in d])
  success = succeeded(outcomes(played[:, 3], played[:, 0], env.success_return))
  return {
    "train": Episodes(
      success=None if success is None else success[None],
      episode_return=played[:, 0][None],
      discounted_return=played[:, 1][None],
      length=played[:, 2][None],
    )
  }
