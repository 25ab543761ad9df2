"""Measures how often the oracle and random play solve the tasks.

python -m envs.first_person.hard_eight.measure [--episodes 1000] [--random 20000] [--tasks NAME ...]
"""

from __future__ import annotations

import argparse
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.hard_eight import layouts, oracle, rules, table
from envs.first_person.hard_eight.state import State, begin

DISCOUNT = 0.99
"""A step, as elsewhere (`envs.environment.Reference`)."""


class Episodes(NamedTuple):
  """Of each episode: returns and discounted returns, float32 [E], steps, int32 [E], and links of
  the chain, bool [E, L]."""

  returns: jax.Array
  discounted: jax.Array
  length: jax.Array
  reached: jax.Array


class _Played(NamedTuple):
  states: State
  key: jax.Array
  episodes: Episodes
  over: jax.Array


@functools.partial(jax.jit, static_argnames=("episodes", "by_oracle", "first", "maps"))
def play(
  key: jax.Array,
  task: jax.Array,
  episodes: int,
  by_oracle: bool,
  first: int = 0,
  maps: int = layouts.TRAIN,
) -> Episodes:
  """Plays episodes of a task side by side, by the oracle or at random, in `maps` maps."""
  bank = layouts.load()
  begin_key, map_key, key = jax.random.split(key, 3)
  number = jax.random.randint(map_key, (episodes,), first, first + maps)
  keys = jax.random.split(begin_key, episodes)
  states = jax.vmap(lambda key, k: begin(bank, key, task, k))(keys, number)

  def step(played: _Played) -> _Played:
    key, action_key = jax.random.split(played.key)
    if by_oracle:
      action = jax.vmap(lambda state: oracle.act(bank, state))(played.states)
    else:
      action = jax.random.uniform(action_key, (episodes, 6), jnp.float32, -1, 1)
    outcome = jax.vmap(lambda s, a: rules.step(bank, s, a))(played.states, action)
    returns, discounted, length, reached = played.episodes
    reward = jnp.where(played.over, 0, outcome.reward)
    counted = Episodes(
      returns + reward,
      discounted + reward * DISCOUNT**length,
      length + ~played.over,
      jnp.where(played.over[:, None], reached, outcome.state.reached),
    )
    over = played.over | outcome.terminated | outcome.truncated
    return _Played(outcome.state, key, counted, over)

  none = jnp.zeros((episodes,), jnp.float32)
  start = Episodes(none, none, jnp.zeros((episodes,), jnp.int32), states.reached)
  played = _Played(states, key, start, jnp.zeros((episodes,), bool))
  return jax.lax.while_loop(lambda played: ~played.over.all(), step, played).episodes


def _line(task: str, by_oracle: bool, episodes: int) -> str:
  number = table.index(task)
  key = jax.random.fold_in(jax.random.key(8), number)
  played = jax.tree.map(np.asarray, play(key, jnp.int32(number), episodes, by_oracle))
  solved = played.returns > 0.5
  links = ", ".join(
    f"{table.LINK_NAMES[event]} {played.reached[:, i].mean():.4f}"
    for i, event in enumerate(table.TABLE.link[number])
    if event >= 0
  )
  reference = (
    solved.mean(),
    played.returns.mean(),
    played.length.mean(),
    played.discounted.mean(),
  )
  numbers = ", ".join(f"{x:.4f}" for x in reference)
  half = (solved & (played.length <= table.TABLE.steps[number] // 2)).mean()
  who = "oracle" if by_oracle else "random"
  return f"{task} {who} {episodes}: ({numbers}) within half {half:.4f}; {links}"


def main() -> None:
  """Prints a line for each task and player."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--episodes", type=int, default=1000, help="of the oracle; 0 for none")
  parser.add_argument("--random", type=int, default=20000, help="of random play; 0 for none")
  parser.add_argument("--tasks", nargs="*", default=list(table.NAMES), choices=table.NAMES)
  options = parser.parse_args()
  for task in options.tasks:
    for by_oracle, episodes in ((True, options.episodes), (False, options.random)):
      if episodes:
        print(_line(task, by_oracle, episodes), flush=True)


if __name__ == "__main__":
  main()
