"""How fast first-person pictures are drawn, per second of processor time:

    python -m experiments.bench.pictures --sizes 64x64 128x128 --environments 64 1024

Processor time is counted over all threads, so the numbers hold on a machine that does other work;
the best of several rounds is told. Beside them is a fixed kernel of integer operations, timed in
the same rounds, and what share of its rate the pictures reach: 25 operations a pixel for floor and
wall and 11 for each thing.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from envs.first_person import caster, patterns
from envs.first_person.scene import (
  TEXELS,
  Atlas,
  Billboards,
  Boxes,
  Camera,
  N,
  Scene,
  bit_rows,
  rgb,
  texel_columns,
  wall_look,
)

ROUNDS = 7
FRAMES = 2048
"""Pictures of a round."""
GROUND_OPERATIONS, THING_OPERATIONS = 25, 11
KERNEL_ROUNDS = 64
"""Rounds of three operations on each number of the fixed kernel."""


def scenes(count: int, billboards: int, boxes: int) -> tuple[Scene, Camera]:
  """Rooms with pillars and things before the camera, a batch of them."""
  rng = np.random.default_rng(0)

  def colours(*shape: int) -> jax.Array:
    return rgb(rng.integers(0, 256, (count, *shape, 3)))

  def places(number: int) -> np.ndarray:
    ahead = rng.uniform(1.5, 6, (count, number))
    aside = ahead * rng.uniform(-0.8, 0.8, (count, number))
    return np.stack([2.5 + ahead, 8.5 + aside], -1).astype(np.float32)

  cells = rng.random((count, N, N)) < 0.08
  cells[:, 8, 1:6] = False
  cells[:, [0, -1]] = cells[:, :, [0, -1]] = True
  foot = np.pad(places(billboards), ((0, 0), (0, 0), (0, 1)))
  low = np.pad(places(boxes), ((0, 0), (0, 0), (0, 1)))
  scene = Scene(
    bit_rows(cells),
    bit_rows(np.zeros((count, N, N), bool)),
    colours(N, N),
    colours(),
    wall_look(rng.integers(0, len(patterns.NAMES), (count, N, N)), colours(N, N)),
    Billboards(
      jnp.asarray(foot),
      jnp.full((count, billboards), 0.6, jnp.float32),
      jnp.zeros((count, billboards), jnp.int32),
      colours(billboards),
      colours(billboards),
      jnp.ones((count, billboards), bool),
    ),
    Boxes(jnp.asarray(low), jnp.asarray(low + 0.5), colours(boxes), jnp.ones((count, boxes), bool)),
  )
  number = [jnp.full(count, value, jnp.float32) for value in (2.5, 8.5, 0.5, 1.0, 0.0, 0.0)]
  return scene, Camera(*number)


def _disc() -> np.ndarray:
  row, column = np.mgrid[:TEXELS, :TEXELS] - (TEXELS - 1) / 2
  return ((row**2 + column**2 < 64).astype(int) + (row**2 + column**2 < 16))[None]


def _kernel(x: jax.Array) -> jax.Array:
  for _ in range(KERNEL_ROUNDS):
    x = (x ^ x >> 7) + jnp.uint32(0x9E3779B9)
  return x


def best(function: Callable[[], Any], repeats: int) -> tuple[float, float]:
  """Least seconds of the processor and of the clock that `repeats` calls take, in any round."""
  jax.block_until_ready(function())
  spent = []
  for _ in range(ROUNDS):
    processor, clock = time.process_time(), time.perf_counter()
    for _ in range(repeats):
      result = function()
    jax.block_until_ready(result)
    spent.append((time.process_time() - processor, time.perf_counter() - clock))
  return min(p for p, _ in spent), min(c for _, c in spent)


def main(arguments: Sequence[str] | None = None) -> None:
  """Prints one line for each size, number of environments and number of things."""
  parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
  parser.add_argument("--environments", type=int, nargs="+", default=[64])
  parser.add_argument("--sizes", nargs="+", default=["64x64"], help="height x width")
  parser.add_argument(
    "--things", nargs="+", default=["8+0", "8+8"], help="billboards + boxes, all in view"
  )
  asked = parser.parse_args(arguments)
  numbers = jnp.arange(1 << 18, dtype=jnp.uint32)
  kernel = jax.jit(_kernel)
  seconds, _ = best(lambda: kernel(numbers), 32)
  operations = 32 * 3 * KERNEL_ROUNDS * numbers.size / seconds
  print(
    f"jax {jax.__version__}, {jax.devices()[0].device_kind}; a fixed kernel of integers:", end=""
  )
  print(f" {operations / 1e9:.1f} billion operations a core-second")
  atlas = Atlas(patterns.WALLS, texel_columns(_disc()))
  for environments in asked.environments:
    for size in asked.sizes:
      for things in asked.things:
        height, width = map(int, size.split("x"))
        billboards, boxes = map(int, things.split("+"))
        batch = scenes(environments, billboards, boxes)
        draw = jax.jit(jax.vmap(lambda s, c, h=height, w=width: caster.render(s, c, atlas, h, w)))
        repeats = max(1, FRAMES // environments)
        processor, clock = best(functools.partial(draw, *batch), repeats)
        frames = repeats * environments
        each = (GROUND_OPERATIONS + THING_OPERATIONS * (billboards + boxes)) * height * width
        print(
          f"{environments:5} environments, {size}, {things} things:"
          f" {frames / processor:9,.0f} frames a core-second,"
          f" {frames / clock:9,.0f} a second; {each * frames / processor / operations:.0%}"
          " of the kernel's rate"
        )


if __name__ == "__main__":
  main()
