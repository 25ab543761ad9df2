"""Compares pictures of random scenes with those of the ray marcher, at about a second a scene:

python -m tests.envs.first_person.many_scenes 1000
"""

import functools
import sys

import jax
import numpy as np

from envs.first_person import caster
from tests.envs.first_person import marcher, scenes

ALLOWED = 0.005
"""Share of a picture's pixels, at edges."""
FINER = 2e-4
"""Steps of the second march, cells."""


@functools.cache
def drawn(height=64, width=64):
  return jax.jit(lambda s, c: caster.render(s, c, scenes.ATLAS, height, width))


@functools.cache
def probed(height=64, width=64):
  return jax.jit(lambda s, c: caster.probe(s, c, scenes.ATLAS, height, width))


def compared(seed, step=marcher.STEP):
  """Shares of pixels that show another thing than those that were marched to, and another thing or
  colour; the light of the caps of boxes is not compared."""
  scene, camera = jax.tree.map(np.asarray, scenes.random_scene(seed))
  marched = marcher.march(scene, camera, scenes.ATLAS, step=step)
  other = np.asarray(probed()(scene, camera).thing) != marched.thing
  picture = np.asarray(drawn()(scene, camera))
  differs = (picture != marched.colour).any(-1) & ~marched.cap
  return other.mean(), (other | differs).mean()


def main(count):
  shares = []
  for seed in range(count):
    found = compared(seed)
    shares.append(found if max(found) <= ALLOWED else compared(seed, FINER))
    if shares[-1][1] > ALLOWED:
      print(f"scene {seed}: things {shares[-1][0]:.2%}, colours {shares[-1][1]:.2%}", flush=True)
  things, colours = np.array(shares).T
  print(f"{count} scenes; pixels that differ, mean and worst: things {things.mean():.3%}, ", end="")
  print(f"{things.max():.2%}; colours {colours.mean():.3%}, {colours.max():.2%}")


if __name__ == "__main__":
  main(int(sys.argv[1]))
