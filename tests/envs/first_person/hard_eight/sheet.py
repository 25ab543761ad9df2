"""Draws how the oracles solve the hard eight: a row a task, moments of an episode side by side.

python -m tests.envs.first_person.hard_eight.sheet FILE [MAP]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from envs.first_person.hard_eight import measure, rules
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.maps import MAPS, bank_of, map_of
from envs.first_person.hard_eight.state import begin
from envs.first_person.hard_eight.tasks import every

STEPS, MOMENTS = 500, (0.05, 0.4, 0.7, 0.97)


def main(path, number=3):
  tasks = every()
  bank = bank_of(tasks)

  def play(row, key):
    def step(carry, _):
      state, over = carry
      level = map_of(bank, state.row)
      outcome = rules.step(level, state, measure.act(tasks, level, state))
      return (outcome.state, over | outcome.terminated), carry

    first = begin(map_of(bank, row), row, key), jnp.bool_(False)
    return jax.lax.scan(step, first, None, STEPS)[1]

  rows = jnp.arange(len(tasks)) * MAPS + number
  keys = jax.random.split(jax.random.key(number), len(tasks))
  states, over = jax.jit(jax.vmap(play))(rows, keys)
  length = np.asarray(~over).sum(1)
  index = np.array([[int(m * (n - 1)) for m in MOMENTS] for n in length])
  states = jax.tree.map(lambda x: x[np.arange(len(tasks))[:, None], index], states)
  pictures = np.asarray(jax.jit(jax.vmap(jax.vmap(HardEight(tasks).render)))(states))
  pictures = np.pad(pictures, ((0, 0), (0, 0), (2, 2), (2, 2), (0, 0)))
  sheet = pictures.transpose(0, 2, 1, 3, 4).reshape(-1, len(MOMENTS) * pictures.shape[3], 3)
  size = sheet.shape[1] // 2, sheet.shape[0] // 2
  Image.fromarray(sheet).resize(size, Image.Resampling.BOX).quantize(256).save(path, optimize=True)


if __name__ == "__main__":
  main(sys.argv[1], *(int(number) for number in sys.argv[2:]))
