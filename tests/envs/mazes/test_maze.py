"""The mazes as environments: the view, the oracle, the contract, the settings."""

import jax
import numpy as np
import pytest

import envs
from envs.conformance import check
from envs.environment import LAST, MID
from envs.mazes import maze
from envs.mazes.objects import KINDS

EAST = 1
ENVIRONMENTS = [
  ("maze/five_rooms", {}),
  ("maze/five_rooms", {"objects": "white_noise,fixed,fixed"}),
  ("maze/nine_rooms", {"noise": "none", "reward": True}),
  ("maze/nine_rooms", {"noise": "brownian"}),
]


def crop(drawing, env, state):
  """The view by going through its 25 cells one by one."""
  symbols = {"#": maze.WALL}
  row, column = drawing.pair(state.cell)
  view = np.zeros((5, 5), np.int32)
  for r in range(5):
    for c in range(5):
      cell = (row + r - 2, column + c - 2)
      view[r, c] = symbols.get(drawing.at.get(cell, "#"), maze.FLOOR)
      if env.goal is not None and cell == drawing.pair(env.goal):
        view[r, c] = maze.GOAL
      for thing, place in zip(env.things, state.objects, strict=True):
        if cell == drawing.pair(place):
          view[r, c] = maze.FIRST_KIND + KINDS.index(thing.kind)
  return view


@pytest.mark.parametrize(("name", "settings"), ENVIRONMENTS)
def test_random_episode_against_the_drawing(play, random_actions, five, nine, name, settings):
  env, drawing = envs.make(name, **settings), five if "five" in name else nine
  actions = random_actions(500)
  states, timesteps, oracles = play(env, 1, actions)
  assert not timesteps.reward.any()
  for t in range(501):
    state = jax.tree.map(lambda x, t=t: x[t], states)
    view = crop(drawing, env, state)
    np.testing.assert_array_equal(timesteps.observation[t, ..., 0], view)
    noisy = [maze.FIRST_KIND + KINDS.index(kind) for kind in ("brownian", "white_noise")]
    assert oracles.near_noise[t] == np.isin(view, noisy).any()
    if t < 500 and "movable" not in [thing.kind for thing in env.things]:
      wanted = drawing.move(drawing.pair(state.cell), actions[t])
      assert drawing.pair(states.cell[t + 1]) == wanted


@pytest.mark.parametrize(("name", "settings"), ENVIRONMENTS)
def test_oracle_and_places_agree(play, random_actions, name, settings):
  env = envs.make(name, **settings)
  states, _, oracles = play(env, 2, random_actions(500, 2))
  places = env.places()
  assert places.reachable[oracles.place].all()
  np.testing.assert_array_equal(oracles.place, states.cell)
  np.testing.assert_array_equal(oracles.objects, states.objects)
  assert oracles.objects.dtype == oracles.place.dtype == np.int32
  rooms = places.rooms[oracles.objects]
  assert (rooms == rooms[0]).all()  # each in a room of its own, for good
  assert len(set(rooms[0])) == len(env.things)
  assert (rooms >= 0).all()


@pytest.mark.parametrize(("name", "settings"), ENVIRONMENTS)
def test_an_episode_is_cut_off_after_its_500th_step(play, random_actions, name, settings):
  env = envs.make(name, **settings)
  _, timesteps, _ = play(env, 3, random_actions(500, 3))
  assert (timesteps.step_type[1:-1] == MID).all()
  assert timesteps.step_type[-1] == LAST
  assert (timesteps.discount == 1.0).all()


@pytest.mark.parametrize(
  ("name", "settings"),
  [
    *((name, {"max_episode_steps": 20} | settings) for name, settings in ENVIRONMENTS),
    ("maze/five_rooms", {"objects": "", "max_episode_steps": 5}),
    ("maze/nine_rooms", {"noise": "pixel", "max_episode_steps": 20}),
    ("maze/nine_rooms", {"noise": "on_demand", "max_episode_steps": 20}),
  ],
)
def test_conforms(name, settings):
  check(envs.make(name, **settings), steps=40)


def test_kinds_may_be_a_sequence_or_a_string_and_may_recur():
  spelt = envs.make("maze/five_rooms", objects="fixed, white_noise,fixed")
  listed = envs.make("maze/five_rooms", objects=("fixed", "white_noise", "fixed"))
  for env in (spelt, listed):
    assert [thing.kind for thing in env.things] == ["fixed", "white_noise", "fixed"]


@pytest.mark.parametrize(
  ("name", "settings", "message"),
  [
    ("maze/five_rooms", {"objects": "brownean"}, "unknown kind .*'brownean'.* mean brownian?"),
    ("maze/five_rooms", {"objects": ["fixed"] * 6}, "6 objects for 5 rooms"),
    ("maze/five_rooms", {"max_episode_steps": 0}, "max_episode_steps is 0"),
    ("maze/nine_rooms", {"noise": "pixels"}, "unknown noise 'pixels': did you mean pixel?"),
    ("maze/nine_rooms", {"max_episode_steps": 2.5}, "max_episode_steps is 2.5"),
  ],
)
def test_a_wrong_setting_is_refused_in_one_line(name, settings, message):
  with pytest.raises(ValueError, match=message):
    envs.make(name, **settings)


@pytest.mark.parametrize(("name", "settings"), ENVIRONMENTS)
def test_picture_shows_agent_and_objects(name, settings):
  env = envs.make(name, **settings)
  state, _ = env.reset(jax.random.key(0))
  picture = np.asarray(jax.jit(env.render)(state))
  np.testing.assert_array_equal(picture, env.render(state))
  assert picture.shape == (228, 228, 3)
  moved = state._replace(cell=state.cell + EAST)
  differs = (picture != np.asarray(env.render(moved))).any(-1).nonzero()
  row, column = divmod(int(state.cell), 19)
  assert differs[0].min() >= (row - 2) * 12
  assert differs[0].max() < (row + 3) * 12
  assert differs[1].min() >= (column - 2) * 12
  assert differs[1].max() < (column + 4) * 12
  for i, cell in enumerate(state.objects):
    gone = state._replace(objects=state.objects.at[i].set(state.objects[i - 1]))
    differs = (picture != np.asarray(env.render(gone))).any(-1)
    row, column = divmod(int(cell), 19)
    assert differs[row * 12 : row * 12 + 12, column * 12 : column * 12 + 12].any()
