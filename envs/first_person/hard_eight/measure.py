"""Measures how often the oracle and random play solve the tasks.

python -m envs.first_person.hard_eight.measure [--episodes 1000] [--random 20000] [--tasks NAME]
"""

from __future__ import annotations

import argparse
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person.hard_eight import rules
from envs.first_person.hard_eight.environment import SPLITS
from envs.first_person.hard_eight.maps import MAPS, Bank, Task, bank_of, map_of
from envs.first_person.hard_eight.oracle import perform
from envs.first_person.hard_eight.state import State, begin
from envs.first_person.hard_eight.tasks import every

DISCOUNT = 0.99
"""A step, as elsewhere (`envs.environment.Reference`)."""


def act(tasks: tuple[Task, ...], level: Bank, state: State) -> jax.Array:
  """The oracle's action, float32 [6]: of all tasks' plans that of the state's own is performed."""
  plans = [task.plan(level, state) for task in tasks]
  errand = jax.tree.map(lambda *parts: jnp.stack(parts)[state.row // MAPS], *plans)
  return perform(level, state, errand)


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


@functools.partial(jax.jit, static_argnames=("tasks", "by_oracle"))
def play_rows(
  tasks: tuple[Task, ...],
  by_oracle: bool,
  key: jax.Array,
  rows: jax.Array,
  share: jax.Array | float = 1.0,
) -> Episodes:
  """Plays episodes side by side, by the oracles or at random.

  Args:
    tasks: of which the bank is.
    by_oracle: or at random.
    key: of the episodes, and of random play.
    rows: of the bank, the map of each episode, int32 [E].
    share: of the steps of an episode after which it is over.
  """
  bank, episodes = bank_of(tasks), rows.shape[0]
  begin_key, key = jax.random.split(key)
  keys = jax.random.split(begin_key, episodes)
  states = jax.vmap(lambda key, k: begin(map_of(bank, k), k, key))(keys, rows)

  def step(played: _Played) -> _Played:
    key, action_key = jax.random.split(played.key)
    if by_oracle:
      action = jax.vmap(lambda state: act(tasks, map_of(bank, state.row), state))(played.states)
    else:
      action = jax.random.uniform(action_key, (episodes, 6), jnp.float32, -1, 1)
    outcome = jax.vmap(lambda s, a: rules.step(map_of(bank, s.row), s, a))(played.states, action)
    returns, discounted, length, reached = played.episodes
    reward = jnp.where(played.over, 0, outcome.reward)
    counted = Episodes(
      returns + reward,
      discounted + reward * DISCOUNT**length,
      length + ~played.over,
      jnp.where(played.over[:, None], reached, outcome.state.reached),
    )
    late = outcome.state.steps >= share * jnp.asarray(bank.steps)[rows]
    over = played.over | outcome.terminated | outcome.truncated | late
    return _Played(outcome.state, key, counted, over)

  none = jnp.zeros((episodes,), jnp.float32)
  start = Episodes(none, none, jnp.zeros((episodes,), jnp.int32), states.reached)
  played = _Played(states, key, start, jnp.zeros((episodes,), bool))
  return jax.lax.while_loop(lambda played: ~played.over.all(), step, played).episodes


def _line(task: Task, by_oracle: bool, episodes: int, split: tuple[int, int]) -> str:
  """Plays a task, by its oracle or at random, in the maps of a split (first, count)."""
  tasks = every()
  first, count = split
  key, map_key = jax.random.split(jax.random.key(task.seed))
  rows = tasks.index(task) * MAPS + jax.random.randint(map_key, (episodes,), first, first + count)
  played = jax.tree.map(np.asarray, play_rows(tasks, by_oracle, key, rows))
  solved = played.reached[:, len(task.links) - 1]
  links = ", ".join(f"{x} {played.reached[:, i].mean():.4f}" for i, x in enumerate(task.links))
  columns = (solved, played.returns, played.length, played.discounted)
  numbers = ", ".join(f"{x.mean():.4f}" for x in columns)
  half = (solved & (played.length <= task.steps // 2)).mean()
  who = "oracle" if by_oracle else "random"
  return f"{task.name} {who} {episodes}: ({numbers}) within half {half:.4f}; {links}"


def main() -> None:
  """Prints a line for each task and player."""
  tasks = {task.name: task for task in every()}
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--episodes", type=int, default=1000, help="of the oracle; 0 for none")
  parser.add_argument("--random", type=int, default=20000, help="of random play; 0 for none")
  parser.add_argument("--tasks", nargs="*", default=list(tasks), choices=tasks)
  parser.add_argument("--split", default="train", choices=SPLITS)
  options = parser.parse_args()
  for name in options.tasks:
    for by_oracle, episodes in ((True, options.episodes), (False, options.random)):
      if episodes:
        print(_line(tasks[name], by_oracle, episodes, SPLITS[options.split]), flush=True)


if __name__ == "__main__":
  main()
