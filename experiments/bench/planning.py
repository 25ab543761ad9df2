"""How far search takes a policy in decision problems of known values.

  python -m experiments.bench.planning --out planning.jsonl

Random deterministic problems: 40 states, 8 actions each, of which three tenths pay N(0, 1), gamma
.95. Every state is searched with the true model, whose leaves have the exact value of the prior;
the prior becomes half itself, half the search's target; fifteen times. What is told is the share of
the way from the uniform policy's value to the best one's, the mean over states. A line a cell is
added to the file as it is done; what is there is not done again.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.planners import Model, mcts
from agents.planners.mcts import MCTSConfig

STATES, ACTIONS, PAYING, GAMMA, ROUNDS = 40, 8, 0.3, 0.95, 15
FORMS = ("puct", "gumbel", "act", "search", "learn", "all")
SIMULATIONS = (2, 4, 8, 16, 50)


def problem(seed: int) -> tuple[jax.Array, jax.Array]:
  """Where actions lead, int32 [S, A], and what they pay, float32 [S, A]."""
  rng = np.random.default_rng(seed)
  following = rng.integers(STATES, size=(STATES, ACTIONS))
  pays = rng.random((STATES, ACTIONS)) < PAYING
  reward = np.where(pays, rng.normal(size=(STATES, ACTIONS)), 0.0)
  return jnp.asarray(following, jnp.int32), jnp.asarray(reward, jnp.float32)


def values(following: jax.Array, reward: jax.Array, policy: jax.Array) -> jax.Array:
  """The exact value of a policy [S, A], float32 [S]."""
  moves = jnp.zeros((STATES, STATES)).at[jnp.arange(STATES)[:, None], following].add(policy)
  paid = jnp.sum(policy * reward, axis=1)
  return jnp.linalg.solve(jnp.eye(STATES) - GAMMA * moves, paid)


def best(following: jax.Array, reward: jax.Array) -> jax.Array:
  """The best policy's value, float32 [S]."""

  def improve(_: Any, value: jax.Array) -> jax.Array:
    return jnp.max(reward + GAMMA * value[following], axis=1)

  return jax.lax.fori_loop(0, 500, improve, jnp.zeros(STATES))


@functools.partial(jax.jit, static_argnums=0)
def share(settings: MCTSConfig, following: jax.Array, reward: jax.Array, key: jax.Array) -> Any:
  """How far the prior has come, scalar: 0 for uniform, 1 for the best."""
  uniform = jnp.full((STATES, ACTIONS), 1.0 / ACTIONS)

  def body(prior: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
    value, logits = values(following, reward, prior), jnp.log(jnp.maximum(prior, 1e-8))
    # A state is a number, and what was paid on the way there.
    model = Model(
      step=lambda state, action: (following[state[0], action], reward[state[0], action]),
      read=lambda state: (logits[state[0]], value[state[0]]),
      reward=lambda state: state[1],
      discount=lambda state: jnp.full(state[1].shape, GAMMA),
    )
    noise_key, key = jax.random.split(key)
    noisy = settings.form in ("puct", "act") and settings.dirichlet_fraction > 0.0
    p = mcts.noisy(settings, logits, noise_key) if noisy else logits
    begin = (jnp.arange(STATES), jnp.zeros(STATES))
    target = mcts.search(settings, None, model, begin, p, key)[1]
    return 0.5 * prior + 0.5 * target, None

  prior, _ = jax.lax.scan(body, uniform, jax.random.split(key, ROUNDS))
  low, high = jnp.mean(values(following, reward, uniform)), jnp.mean(best(following, reward))
  return (jnp.mean(values(following, reward, prior)) - low) / (high - low)


def cells(done: list[dict[str, Any]]) -> list[tuple[str, float, int]]:
  """Form, share of noise and simulations of what is not done yet."""
  kinds = [*((form, 0.0) for form in FORMS), ("puct", 0.25)]
  there = {(row["form"], row["noise"], row["simulations"]) for row in done}
  every = [(*kind, simulations) for simulations in SIMULATIONS for kind in kinds]
  return [cell for cell in every if cell not in there]


def read(path: Path) -> list[dict[str, Any]]:
  """The rows that are there."""
  if not path.exists():
    return []
  return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def table(rows: list[dict[str, Any]]) -> str:
  """A line of Markdown for each number of simulations, a column a form."""
  kinds = list(dict.fromkeys((row["form"], row["noise"]) for row in rows))
  names = [form + (" with noise" if noise else "") for form, noise in kinds]
  lines = ["| simulations | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
  shown = {(row["form"], row["noise"], row["simulations"]): row["shares"] for row in rows}
  for simulations in dict.fromkeys(row["simulations"] for row in rows):
    each = [shown.get((*kind, simulations)) for kind in kinds]
    told = ["" if x is None else f"{statistics.mean(x):.2f}" for x in each]
    lines.append(f"| {simulations} | " + " | ".join(told) + " |")
  return "\n".join(lines)


def main() -> None:
  raw = argparse.RawDescriptionHelpFormatter
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
  parser.add_argument("--out", type=Path, default=Path("planning.jsonl"))
  parser.add_argument("--seeds", type=int, default=5)
  arguments = parser.parse_args()
  for form, noise, simulations in cells(read(arguments.out)):
    chosen: dict[str, Any] = {"form": form, "dirichlet_fraction": noise}
    settings = MCTSConfig(simulations=simulations, **chosen)
    shares = [
      float(share(settings, *problem(seed), jax.random.key(seed)))
      for seed in range(arguments.seeds)
    ]
    row = {"form": form, "noise": noise, "simulations": simulations, "shares": shares}
    with arguments.out.open("a", encoding="utf-8") as file:
      file.write(json.dumps(row) + "\n")
    print(f"{form} {noise} {simulations}: {statistics.mean(shares):.3f}", flush=True)
  print(table(read(arguments.out)))


if __name__ == "__main__":
  main()
