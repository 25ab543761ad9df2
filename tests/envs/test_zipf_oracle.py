"""Zipf's Gridworld against a slow cell-by-cell oracle in plain Python, written from its rules."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import envs
from envs.zipf import maps, references
from envs.zipf.gridworld import ZipfGridworld
from envs.zipf.symbolic import ZipfGridworldSymbolic
from envs.zipf.templates import SHAPES

GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden" / "zipf_maps.json").read_text())
COMPASS = {"N": (-1, 0), "E": (0, 1), "S": (1, 0), "W": (0, -1)}
ACTIONS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"]
RGB = {
  "red": (255, 0, 0),
  "green": (0, 255, 0),
  "blue": (0, 0, 255),
  "purple": (128, 0, 128),
  "orange": (255, 165, 0),
  "yellow": (255, 255, 0),
  "brown": (128, 64, 0),
  "pink": (255, 64, 255),
  "cyan": (0, 255, 255),
  "dark_green": (0, 100, 0),
  "dark_red": (100, 0, 0),
  "dark_blue": (0, 0, 100),
  "teal": (0, 100, 100),
  "lavender": (215, 200, 255),
  "rose": (255, 205, 230),
}


def shows(shape, i, j):
  """Whether pixel (i, j) of a 9x9 cell is part of a shape."""
  d2 = (i - 4) ** 2 + (j - 4) ** 2
  plus = i in (3, 4, 5) or j in (3, 4, 5)
  ex = abs(i - j) <= 1 or abs(8 - i - j) <= 1
  sides = j in (0, 1, 2, 6, 7, 8)
  return {
    "triangle": i >= 2 * (4 - j) if j <= 4 else i >= 2 * (j - 4),
    "empty_square": i < 2 or i > 6 or j < 2 or j > 6,
    "plus": plus,
    "inverse_plus": not plus,
    "ex": ex,
    "inverse_ex": not ex,
    "circle": d2 <= 16,
    "empty_circle": abs(d2 - 16) < 6,
    "tee": j in (3, 4, 5) or i < 3,
    "upside_down_tee": j in (3, 4, 5) or i > 5,
    "h": sides or i in (3, 4, 5),
    "u": sides or i > 5,
    "upside_down_u": sides or i < 3,
    "vertical_stripes": j % 2 == 0,
    "horizontal_stripes": i % 2 == 0,
  }[shape]


class Oracle:
  """One episode, on the recorded text of a map."""

  def __init__(self, map_index, target_index):
    record = GOLDEN[str(map_index)]
    self.layout = record["layout"]
    self.looks = dict(zip("BCDEFGHIJKLMNOPQRSTU", record["objects"], strict=True))
    self.target = "BCDEFGHIJKLMNOPQRSTU"[target_index]
    self.steps = 0
    self.at = next((r, row.index("A")) for r, row in enumerate(self.layout) if "A" in row)

  def char(self, row, column):
    on_board = 0 <= row < 13 and 0 <= column < 13
    char = self.layout[row][column] if on_board else " "
    return " " if char == "A" else char

  def step(self, action):
    """Returns reward, discount and whether the episode ended."""
    row, column = self.at
    ways = [COMPASS[letter] for letter in ACTIONS[action]]
    to = (row + sum(way[0] for way in ways), column + sum(way[1] for way in ways))
    beside = [self.char(row + way[0], column + way[1]) for way in ways]
    if self.char(*to) != "#" and not all(char == "#" for char in beside):
      self.at = to
    self.steps += 1
    touched = self.char(*self.at)
    if touched != " ":
      return float(touched == self.target), 0.0, True
    return 0.0, 1.0, self.steps == 100

  def pixel(self, row, column, i, j):
    """Colour of one pixel of a cell of the window, counted from its top left."""
    if (row, column) == (0, 0):
      colour, shape = self.looks[self.target].split()
      return RGB[colour] if shows(shape, i, j) else (180, 180, 180)
    char = self.char(self.at[0] + row - 3, self.at[1] + column - 3)
    if char in self.looks:
      colour, shape = self.looks[char].split()
      return RGB[colour] if shows(shape, i, j) else (0, 0, 0)
    if char == "#":
      return (40, 40, 40)
    return (255, 255, 255) if (row, column) == (3, 3) else (0, 0, 0)

  def view(self):
    pixels = [[self.pixel(r // 9, c // 9, r % 9, c % 9) for c in range(63)] for r in range(63)]
    return np.array(pixels, np.uint8)


def replay(map_index, target_index, actions):
  env = ZipfGridworld()
  state, first = env.reset_to(jax.random.key(0), map_index, target_index)

  def step(state, action):
    state, timestep = env.step(state, action)
    return state, (timestep, state.cell)

  return first, jax.lax.scan(step, state, actions)[1]


replay_one = jax.jit(replay)
replay_many = jax.jit(jax.vmap(replay))
ACTION_LISTS = st.lists(st.integers(0, 7), min_size=100, max_size=100)
RANKS = st.integers(0, 19)


def assert_equals_oracle(map_index, target_index, actions, played, frame_stride=1):
  oracle = Oracle(map_index, target_index)
  first, (rest, _) = jax.tree.map(np.asarray, played)
  np.testing.assert_array_equal(first.observation, oracle.view())
  for t, action in enumerate(actions):
    reward, discount, ended = oracle.step(action)
    expected = (reward, discount, envs.LAST if ended else envs.MID)
    assert (rest.reward[t], rest.discount[t], rest.step_type[t]) == expected, t
    if ended or t % frame_stride == 0:
      np.testing.assert_array_equal(rest.observation[t], oracle.view())
    if ended:
      return


@settings(max_examples=50)
@given(RANKS, RANKS, ACTION_LISTS)
def test_any_episode_equals_the_oracle(map_index, target_index, actions):
  played = replay_one(map_index, target_index, jnp.array(actions, jnp.int32))
  assert_equals_oracle(map_index, target_index, actions, played, frame_stride=5)


def test_a_batch_of_episodes_equals_the_oracle():
  rng = np.random.default_rng(0)
  map_index, target_index = rng.integers(0, 20, (2, 30))
  actions = rng.integers(0, 8, (30, 100)).astype(np.int32)
  played = replay_many(map_index, target_index, actions)
  for i in range(30):
    one = jax.tree.map(lambda x, i=i: x[i], played)
    assert_equals_oracle(map_index[i], target_index[i], actions[i], one, frame_stride=10)


def test_unjitted_steps_equal_the_oracle():
  env = ZipfGridworld()
  oracle = Oracle(5, 7)
  state, timestep = env.reset_to(jax.random.key(0), 5, 7)
  np.testing.assert_array_equal(timestep.observation, oracle.view())
  for action in (0, 3, 6, 5):
    state, timestep = env.step(state, jnp.int32(action))
    oracle.step(action)
    np.testing.assert_array_equal(timestep.observation, oracle.view())


@settings(max_examples=50)
@given(RANKS, RANKS, ACTION_LISTS)
def test_agent_is_never_on_a_wall(map_index, target_index, actions):
  _, (_, cells) = replay_one(map_index, target_index, jnp.array(actions, jnp.int32))
  assert not maps.load().walls[map_index, np.asarray(cells)].any()


@pytest.mark.parametrize("target_index", [0, 13])
@pytest.mark.parametrize("map_index", range(0, 20, 4))
def test_step_100_truncates_with_discount_1(map_index, target_index):
  # The start is beside a wall: walking into it touches nothing.
  world = maps.load()
  cell = world.start[map_index]
  blocked = np.flatnonzero(world.next_cell[map_index, cell] == cell)
  actions = jnp.full(100, blocked[0], jnp.int32)
  _, (rest, _) = jax.tree.map(np.asarray, replay_one(map_index, target_index, actions))
  assert rest.step_type.tolist() == [envs.MID] * 99 + [envs.LAST]
  assert rest.discount.tolist() == [1.0] * 100
  assert rest.reward.tolist() == [0.0] * 100


@pytest.mark.parametrize("rank", [0, 19])
def test_touching_on_step_100_terminates(rank):
  env = ZipfGridworld()
  state, _ = env.reset_to(jax.random.key(0), 0, 0)
  path = references.optimal_actions()[0, rank]
  while references.distances()[0, rank, int(state.cell)] > 1:
    state, timestep = env.step(state, jnp.int32(path[int(state.cell)]))
  state = state._replace(steps=jnp.int32(99))
  _, timestep = env.step(state, jnp.int32(path[int(state.cell)]))
  assert int(timestep.step_type) == envs.LAST
  assert (float(timestep.reward), float(timestep.discount)) == (float(rank == 0), 0.0)


@settings(max_examples=40)
@given(RANKS, RANKS, st.integers(0, 168))
def test_symbols_name_what_the_pixels_show(map_index, target_index, cell):
  oracle = Oracle(map_index, target_index)
  oracle.at = divmod(cell, 13)
  if oracle.char(*oracle.at) == "#":
    return
  env = ZipfGridworldSymbolic()
  state, _ = env.reset_to(jax.random.key(0), map_index, target_index)
  view = np.asarray(env.observe(state._replace(cell=jnp.int32(cell))))
  shapes = ["floor", "wall", "agent", *SHAPES]
  for row in range(7):
    for column in range(7):
      char = oracle.char(oracle.at[0] + row - 3, oracle.at[1] + column - 3)
      char = oracle.target if (row, column) == (0, 0) else char
      shape, colour = view[row, column]
      if char in oracle.looks:
        assert f"{list(RGB)[colour - 1]} {shapes[shape]}" == oracle.looks[char]
      else:
        plain = "agent" if (row, column) == (3, 3) else {" ": "floor", "#": "wall"}[char]
        assert (shapes[shape], colour) == (plain, 0)
