"""Plays whole episodes with an agent, many side by side, in one compiled program."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.agent import Agent
from envs.environment import Environment

REFERENCE_DISCOUNT = 0.99
"""gamma of the discounted returns that are reported, whatever the agent's own."""


class Episodes(NamedTuple):
  """One entry an episode, each [E] (or [S, E] for S seeds); no `success` where nothing tells it."""

  success: jax.Array | np.ndarray | None
  episode_return: jax.Array | np.ndarray
  discounted_return: jax.Array | np.ndarray
  length: jax.Array | np.ndarray


def player(
  env: Environment, agent: Agent, episodes: int, explore: bool = True
) -> Callable[[Any, jax.Array], Episodes]:
  """Returns (variables, key) -> Episodes: as many environments as episodes, one episode in each.

  One episode an environment, since counting the first N that end among parallel streams would
  favour the short ones. `explore` samples actions from the policy; otherwise its mode is played.
  """

  def play(variables: Any, key: jax.Array) -> Episodes:
    variables = agent.on_task(variables)
    reset_key, act_key = jax.random.split(key)
    state, timestep = jax.vmap(env.reset)(jax.random.split(reset_key, episodes))
    zeros = jnp.zeros((episodes,), jnp.float32)
    sums = Episodes(jnp.zeros((episodes,), bool), zeros, zeros, jnp.zeros((episodes,), jnp.int32))

    def unfinished(carry: tuple) -> jax.Array:
      return jnp.any(carry[4]) & (carry[5] < env.max_episode_steps)

    def body(carry: tuple) -> tuple:
      state, timestep, memory, sums, running, t = carry
      action, _, memory = agent.act(
        variables, memory, timestep, jax.random.fold_in(act_key, t), explore
      )
      state, timestep = jax.vmap(env.step)(state, action)
      reward = jnp.where(running, timestep.reward, 0.0)
      sums = sums._replace(
        episode_return=sums.episode_return + reward,
        discounted_return=sums.discounted_return
        + REFERENCE_DISCOUNT ** t.astype(jnp.float32) * reward,
        length=sums.length + running,
      )
      return state, timestep, memory, sums, running & ~timestep.last(), t + 1

    start = (
      state,
      timestep,
      agent.initial_memory(episodes),
      sums,
      jnp.ones((episodes,), bool),
      jnp.int32(0),
    )
    sums = jax.lax.while_loop(unfinished, body, start)[3]
    told = math.isfinite(env.success_return)
    return sums._replace(success=sums.episode_return >= env.success_return if told else None)

  return play


def split_player(
  env: Environment, agent: Agent, episodes: int, explore: bool = True
) -> Callable[[Any, jax.Array], dict[str, Episodes]]:
  """Returns a jitted (variables [S], keys [S]) -> Episodes [S, E] of every split of `env`."""
  players = {name: player(split, agent, episodes, explore) for name, split in env.splits().items()}

  def play(variables: Any, key: jax.Array) -> dict[str, Episodes]:
    # Every split sees the same key: what differs between splits is then the split alone.
    return {name: play_split(variables, key) for name, play_split in players.items()}

  return jax.jit(jax.vmap(play))
