"""What the tests of the mazes share: episodes as arrays, and the maps read by a slow parser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.mazes import maps

STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1), (0, 0))


class Drawing:
  """A map as a dictionary from (row, column) to its character; what is not in it is a wall."""

  def __init__(self, text):
    lines = text.strip().splitlines()
    self.rows, self.columns = len(lines), len(lines[0])
    self.at = {(r, c): char for r, line in enumerate(lines) for c, char in enumerate(line)}

  def free(self, cell):
    return self.at.get(cell, "#") != "#"

  def room(self, cell):
    char = self.at.get(cell, "#")
    return int(char) if char.isdigit() else None

  def move(self, cell, action, inside=False):
    """Where a move leads: a wall blocks, and a door too if one is to stay `inside` the room."""
    ahead = (cell[0] + STEPS[action][0], cell[1] + STEPS[action][1])
    allowed = self.room(ahead) == self.room(cell) if inside else self.free(ahead)
    return ahead if allowed else cell

  def pair(self, number):
    """The (row, column) of a cell's number."""
    return divmod(int(number), self.columns)


@pytest.fixture(scope="session")
def five():
  return Drawing(maps.FIVE_ROOMS)


@pytest.fixture(scope="session")
def nine():
  return Drawing(maps.NINE_ROOMS)


@pytest.fixture(scope="session")
def play():
  """Plays actions [T] from reset(key): (states, timesteps, oracles), NumPy [T + 1, ...] each."""

  def play(env, seed, actions):
    def step(state, action):
      state, timestep = env.step(state, action)
      return state, (state, timestep, env.oracle(state))

    def run(key):
      state, timestep = env.reset(key)
      rest = jax.lax.scan(step, state, jnp.asarray(actions, jnp.int32))[1]
      first = (state, timestep, env.oracle(state))
      return jax.tree.map(lambda x, xs: jnp.concatenate([x[None], xs]), first, rest)

    played = jax.jit(run)(jax.random.key(seed))
    states = played[0]._replace(key=jax.random.key_data(played[0].key))
    return jax.tree.map(np.asarray, (states, *played[1:]))

  return play


@pytest.fixture(scope="session")
def random_actions():
  def random_actions(steps, seed=0):
    return np.random.default_rng(seed).integers(0, len(STEPS), steps)

  return random_actions
