"""Measures what random play and the oracle score at each level, as rows for `references`.

python -m envs.first_person.labyrinth.measure [--episodes 1000] [--levels NAME ...]
"""

from __future__ import annotations

import argparse
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.body import ACTIONS
from envs.first_person.labyrinth import maps, oracle, rules, table
from envs.first_person.labyrinth.begin import begin
from envs.first_person.labyrinth.rules import Split
from envs.first_person.labyrinth.state import State

DISCOUNT = 0.99
"""A step, as elsewhere (`envs.environment.Reference`)."""


TRAINING = Split(0, maps.TRAIN)


class Episodes(NamedTuple):
  """Return, discounted return and length of each episode, float32 [E]."""

  returns: jax.Array
  discounted: jax.Array
  length: jax.Array


class _Played(NamedTuple):
  states: State
  key: jax.Array
  episodes: Episodes
  over: jax.Array


@functools.partial(jax.jit, static_argnames=("episodes", "by_oracle", "split"))
def play(
  key: jax.Array,
  level: jax.Array,
  episodes: int,
  by_oracle: bool,
  split: Split = TRAINING,
) -> Episodes:
  """Plays episodes of a level side by side, by the oracle or at random."""
  bank = maps.load()
  begin_key, map_key, key = jax.random.split(key, 3)
  number = split.first + jax.random.randint(map_key, (episodes,), 0, split.number)
  keys = jax.random.split(begin_key, episodes)
  states = jax.vmap(lambda key, k: begin(bank, key, level, k))(keys, number)

  def step(played: _Played) -> _Played:
    key, action_key = jax.random.split(played.key)
    if by_oracle:
      action = jax.vmap(lambda state: oracle.act(bank, state))(played.states)
    else:
      action = jax.random.randint(action_key, (episodes,), 0, len(ACTIONS))
    outcome = jax.vmap(lambda s, a: rules.step(bank, split, s, a))(played.states, action)
    returns, discounted, length = played.episodes
    reward = jnp.where(played.over, 0, outcome.reward)
    counted = Episodes(
      returns + reward, discounted + reward * DISCOUNT**length, length + ~played.over
    )
    over = played.over | outcome.terminated | outcome.truncated
    return _Played(outcome.state, key, counted, over)

  none = jnp.zeros((episodes,), jnp.float32)
  start = _Played(states, key, Episodes(none, none, none), jnp.zeros((episodes,), bool))
  return jax.lax.while_loop(lambda played: ~played.over.all(), step, start).episodes


def row(level: int, episodes: int) -> list[float]:
  """A level's row of `references.TABLE`."""
  key = jax.random.fold_in(jax.random.key(7), level)
  means = []
  for by_oracle in (False, True):
    played = play(key, jnp.int32(level), episodes, by_oracle)
    means += [float(np.mean(np.asarray(x, np.float64))) for x in played]
  return means


def main() -> None:
  """Prints the rows."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--episodes", type=int, default=1000)
  parser.add_argument("--levels", nargs="*", default=list(table.NAMES), choices=table.NAMES)
  options = parser.parse_args()
  for name in options.levels:
    numbers = ", ".join(f"{x:.2f}" for x in row(table.index(name), options.episodes))
    print(f'  "{name}": Row({numbers}),', flush=True)


if __name__ == "__main__":
  main()
