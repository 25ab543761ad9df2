"""What attention in torsos buys and costs: `python -m experiments.bench.torsos clutter | time`.

`clutter` learns to tell where a thing lies among others, pooled by attention and by the mean.
`time` compares attention between channels with softmax attention between places as these grow.
Each prints a table.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax

from agents.torsos import torso as torsos
from agents.torsos.xcit import cross_covariance
from envs.observation import Cells

SIDE, PIXELS = 7, 3
"""Cells of a side, and pixels of a cell's."""
KINDS, FILLED, NOISE = 4, 0.3, 0.1
"""Kinds of distractors, share of the cells that have one, and the deviation of every pixel."""
WIDTH, DEPTH, BATCH, RATE = 32, 2, 64, 1e-3
ASKED = (500, 1500, 2500)
"""Updates after which is asked."""
TESTED = 512
"""Pictures that accuracy is measured on."""
POOLS = ("attention", "mean")
PLACES = (49, 144, 576)
"""Tokens of 7x7, 12x12 and 24x24 places."""
CHANNELS, HEADS = 64, 4
"""Of the attention that is timed: the torsos' defaults."""


def scenes(kinds: jax.Array, count: int, key: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Pictures float32 [N, 21, 21, 3], in each of which lies one target among distractors, and its
  cell, int32 [N].

  Args:
    kinds: what they look like, [1 + KINDS, 3, 3, 3], the target first.
    count: N.
    key: of the draw.
  """
  cell_key, kind_key, filled_key, noise_key = jax.random.split(key, 4)
  target = jax.random.randint(cell_key, (count,), 0, SIDE**2)
  kind = jax.random.randint(kind_key, (count, SIDE**2), 1, 1 + KINDS)
  filled = jax.random.bernoulli(filled_key, FILLED, kind.shape)
  is_target = jnp.arange(SIDE**2) == target[:, None]
  shown = jnp.where((filled | is_target)[..., None, None, None], kinds[kind * ~is_target], 0.0)
  shown = shown.reshape(count, SIDE, SIDE, PIXELS, PIXELS, 3).swapaxes(2, 3)
  picture = shown.reshape(count, SIDE * PIXELS, SIDE * PIXELS, 3)
  return picture + NOISE * jax.random.normal(noise_key, picture.shape), target


def clutter(seeds: int, pools: Sequence[str]) -> None:
  """Prints accuracy after some updates, and how much attention the target gets."""
  print("| pool | seed | " + " | ".join(f"after {n:,}" for n in ASKED) + " | weight on it |")
  print("|---|---|" + "---|" * (len(ASKED) + 1))
  for pool in pools:
    train = trained(pool)
    rows = [train(seed, pool) for seed in range(seeds)]
    mean = np.mean(rows, axis=0)
    print(f"| {pool} | mean | " + " | ".join(f"{x:.2f}" for x in mean) + " |", flush=True)


def trained(pool: str) -> Callable[[int, str], list[float]]:
  """Returns seed -> accuracies after `ASKED`, and the mean weight on the target at the end, which
  it prints as a row of the table; compiled once."""
  spec = Cells((SIDE * PIXELS,) * 2 + (3,), np.float32, -np.inf, np.inf, PIXELS)
  choice = torsos.registry.choice("patch_convnet", width=WIDTH, depth=DEPTH, pool=pool)

  def network(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    torso = torsos.registry.build(choice, spec, SIDE**2, name="encoder")
    logits = torso(x)
    even = jnp.full((len(x), SIDE, SIDE), 1.0 / SIDE**2)
    return logits, torso.attention.get("", even).reshape(len(x), -1)

  net, optimiser = hk.without_apply_rng(hk.transform(network)), optax.adam(RATE)

  def loss(params: Any, kinds: jax.Array, key: jax.Array) -> jax.Array:
    x, label = scenes(kinds, BATCH, key)
    logits = net.apply(params, x)[0]
    return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

  @functools.partial(jax.jit, static_argnames="updates")
  def learn(carry: Any, kinds: jax.Array, key: jax.Array, updates: int) -> Any:
    def update(carry: Any, key: jax.Array) -> tuple[Any, None]:
      params, state = carry
      step, state = optimiser.update(jax.grad(loss)(params, kinds, key), state)
      return (optax.apply_updates(params, step), state), None

    return jax.lax.scan(update, carry, jax.random.split(key, updates))[0]

  @jax.jit
  def judge(params: Any, kinds: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, label = scenes(kinds, TESTED, key)
    logits, weights = net.apply(params, x)
    on_target = jnp.take_along_axis(weights, label[:, None], axis=1)
    return jnp.mean(jnp.argmax(logits, -1) == label), jnp.mean(on_target)

  def run(seed: int, pool: str) -> list[float]:
    kind_key, init_key, test_key, key = jax.random.split(jax.random.key(seed), 4)
    kinds = jax.random.uniform(kind_key, (1 + KINDS, PIXELS, PIXELS, 3))
    params = net.init(init_key, scenes(kinds, 1, test_key)[0])
    carry, row, chunk = (params, optimiser.init(params)), [], np.gcd.reduce(ASKED)
    for done in range(chunk, ASKED[-1] + 1, chunk):
      carry = learn(carry, kinds, jax.random.fold_in(key, done), int(chunk))
      accuracy, on_target = judge(carry[0], kinds, test_key)
      row += [float(accuracy)] if done in ASKED else []
    row.append(float(on_target))
    print(f"| {pool} | {seed} | " + " | ".join(f"{x:.2f}" for x in row) + " |", flush=True)
    return row

  return run


def softmax_attention(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
  """Attention between places, of q, k, v [N, P, H, D / H]."""
  logits = jnp.einsum("nphc,nqhc->nhpq", q, k) * q.shape[-1] ** -0.5
  return jnp.einsum("nhpq,nqhc->nphc", jax.nn.softmax(logits, axis=-1), v)


def timed(rounds: int, batch: int) -> None:
  """Prints the time of both attentions, forward and gradient, by the number of places."""
  kinds: dict[str, Callable[..., jax.Array]] = {
    "channels": lambda q, k, v: cross_covariance(q, k, v, jnp.ones(HEADS)),
    "places": softmax_attention,
  }
  programs: dict[tuple[str, int], Callable[[], Any]] = {}
  for name, attend in kinds.items():

    def loss(inputs: jax.Array, attend: Any = attend) -> jax.Array:
      return jnp.sum(jnp.square(attend(*inputs)))

    for places in PLACES:
      shape = (3, batch, places, HEADS, CHANNELS // HEADS)
      inputs = jax.random.normal(jax.random.key(0), shape)
      compiled = jax.jit(jax.value_and_grad(loss)).lower(inputs).compile()
      programs[name, places] = functools.partial(compiled, inputs)
  times: dict[tuple[str, int], list[float]] = {case: [] for case in programs}
  for _ in range(rounds + 1):
    for case, program in programs.items():
      start = time.perf_counter()
      jax.block_until_ready(program())
      times[case].append(time.perf_counter() - start)
  columns = (
    "channels, ms",
    "places, ms",
    "their ratio",
    "channels / first row",
    "places / first row",
  )
  print(f"| places | {' | '.join(columns)} |")
  print("|---|---|---|---|---|---|")
  least = {case: min(values[1:]) for case, values in times.items()}
  middle = {case: statistics.median(values[1:]) for case, values in times.items()}
  for places in PLACES:
    one, other = least["channels", places], least["places", places]
    of_first = (
      (f"{x['channels', places] / x['channels', PLACES[0]]:.1f}" for x in (least, middle)),
      (f"{x['places', places] / x['places', PLACES[0]]:.1f}" for x in (least, middle)),
    )
    ratio = middle["channels", places] / middle["places", places]
    print(
      f"| {places} | {1e3 * one:.2f} | {1e3 * other:.2f} | {one / other:.2f} ({ratio:.2f}) | "
      + " | ".join("{} ({})".format(*pair) for pair in of_first)
      + " |"
    )


def main() -> None:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
  parser.add_argument("what", choices=["clutter", "time"])
  parser.add_argument("--pools", nargs="+", choices=POOLS, default=POOLS, help="of clutter")
  parser.add_argument("--seeds", type=int, default=5, help="of clutter")
  parser.add_argument(
    "--rounds", type=int, default=300, help="of time; minima are reported, medians in brackets"
  )
  parser.add_argument("--batch", type=int, default=1, help="of time")
  options = parser.parse_args()
  if options.what == "clutter":
    clutter(options.seeds, options.pools)
  else:
    timed(options.rounds, options.batch)


if __name__ == "__main__":
  main()
