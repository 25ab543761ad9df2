"""Pictures: what is drawn of a log, and that an episode's frames are the episode's."""

import types
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs
from PIL import Image

from envs import environment
from experiments import clips, pictures

REFS = {
  "train": {
    "random": {"success": 0.1, "episode_return": 1.0},
    "optimal": {"success": 1.0, "episode_return": 9.0},
  },
  "rare": {"random": {"success": 0.1, "episode_return": 1.0}, "optimal": None},
}


def log(seeds=2, steps=6):
  return [
    {"seed": seed, "step": 100 * k, "bonus": 1.0 / k, "entropy": 0.5, "episode/success": 0.1 * k}
    | ({f"eval/{s}/success": 0.1 * k + 0.2 * seed for s in REFS} if k % 2 == 0 else {})
    for k in range(1, steps + 1)
    for seed in range(seeds)
  ]


def test_series_orders_steps_and_marks_what_is_missing():
  rows = [
    {"seed": 1, "step": 20, "x": 4.0},
    {"seed": 0, "step": 20, "x": 3.0},
    {"seed": 0, "step": 10, "x": 1.0},
    {"seed": 1, "step": 10, "x": float("nan")},
    {"seed": 0, "step": 30},
  ]
  steps, values = pictures.series(rows, "x")
  np.testing.assert_array_equal(steps, [10, 20])
  np.testing.assert_array_equal(values, [[1, 3], [np.nan, 4]])


@pytest.mark.parametrize(
  ("successes", "optimal", "expected"),
  [((0.0, 0.5), None, "success"), ((0.1, 0.1), 1.0, "success"), ((0.1, 0.1), None, "return")],
)
def test_score_is_success_where_success_tells_policies_apart(successes, optimal, expected):
  rows = [{"seed": 0, "step": i, "eval/a/success": s} for i, s in enumerate(successes)]
  known = None if optimal is None else {"success": optimal, "episode_return": 1.0}
  refs = {"a": {"random": {"success": 0.1, "episode_return": 0.0}, "optimal": known}}
  assert pictures.score(rows, refs) == expected


@pytest.mark.parametrize("wanted", [[0.5, 0.2], [0.3, 0.3, 0.3], [1.0, 0.99, 1.0, 0.2], [0.0]])
def test_spread_keeps_order_distance_and_bounds(wanted):
  placed = pictures.spread(wanted, 0.1)
  order = np.argsort(wanted, kind="stable")
  assert (np.diff(np.array(placed)[order]) >= 0.1 - 1e-9).all()
  assert max(placed) <= 0.98 + 1e-9


def test_spread_leaves_what_is_far_apart():
  assert pictures.spread([0.9, 0.1, 0.5], 0.1) == [0.9, 0.1, 0.5]


@pytest.mark.parametrize(
  "rows",
  [log(), log(seeds=1), [r | {"byol_loss": 1.0, "effective_rank": 9.0} for r in log()], log()[:2]],
  ids=["seeds", "one seed", "world model", "no evaluation"],
)
def test_curves_are_a_png_1600_pixels_wide_and_nothing_else_is_left(tmp_path, rows):
  pictures.write_curves(tmp_path / "curves.png", rows, REFS, "a_title with $ signs")
  with Image.open(tmp_path / "curves.png") as image:
    image.load()
    assert image.width == 1600
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
  # The random play of both splits, whatever else there is.
  assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} & colours
  assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_curves_replace_older_ones(tmp_path):
  path = tmp_path / "curves.png"
  path.write_bytes(b"old")
  pictures.write_curves(path, log(), REFS)
  assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
  ("success", "length", "expected"),
  [
    ([0, 1, 1, 1, 0], [9, 7, 3, 5, 4], 3),
    ([0, 0, 0], [2, 8, 3], 1),
    ([1, 0], [4, 9], 0),
  ],
)
def test_choose_takes_the_median_success_or_the_longest(success, length, expected):
  assert clips.choose(np.array(success, bool), np.array(length)) == expected


class WalkState(NamedTuple):
  goal: jax.Array
  position: jax.Array


class Walk(environment.Environment[WalkState]):
  """Walks right for a drawn number of steps; its picture is as red as it has come far."""

  success_return = 1.0

  def __init__(self, longest=5, pixels=True):
    self.max_episode_steps = longest
    self.pixels = pixels

  def reset(self, key):
    goal = jax.random.randint(key, (), self.max_episode_steps // 2, self.max_episode_steps + 1)
    state = WalkState(goal, jnp.int32(0))
    return state, environment.restart(self.observe(state))

  def step(self, state, action):
    state = state._replace(position=state.position + action)
    done = state.position >= state.goal
    return state, environment.transition(self.observe(state), jnp.where(done, 1.0, 0.0), done)

  def observe(self, state):
    view = jnp.full((4, 4), 2 * state.position)
    return view.astype(jnp.uint8 if self.pixels else jnp.float32)

  def observation_spec(self):
    return specs.Array((4, 4), np.uint8 if self.pixels else np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2, np.int32)

  def render(self, state):
    red = (2 * state.position).astype(jnp.uint8)
    return jnp.zeros((8, 8, 3), jnp.uint8).at[..., 0].set(red)


class Undrawn(Walk):
  """Without a picture."""

  render = environment.Environment.render


def experiment(env):
  """An agent that does as its variables say, and the first of two seeds walks."""

  def act(variables, memory, timestep, key, explore):
    assert explore
    return jnp.full(timestep.reward.shape, variables), {}, memory

  agent = types.SimpleNamespace(act=act, initial_memory=lambda batch: ())
  return types.SimpleNamespace(env=env, agent=agent), jnp.array([1, 0], jnp.int32)


def frames(path):
  with Image.open(path) as gif:
    out = []
    for i in range(gif.n_frames):
      gif.seek(i)
      out.append((np.asarray(gif.convert("RGB")), gif.info["duration"]))
    return out, gif.info


def test_episode_shows_every_step_of_the_walk_side_by_side(tmp_path):
  path = tmp_path / "episode.gif"
  assert clips.write_episode(path, *experiment(Walk()))
  shown, info = frames(path)
  assert info["loop"] == 0
  assert [ms for _, ms in shown] == [140] * (len(shown) - 1) + [1000]
  assert 3 <= len(shown) <= 6
  for step, (picture, _) in enumerate(shown):
    middle = picture[picture.shape[0] // 2]
    assert tuple(middle[len(middle) // 4]) == (2 * step,) * 3  # seen
    assert tuple(middle[3 * len(middle) // 4]) == (2 * step, 0, 0)  # rendered
  assert [p.name for p in tmp_path.iterdir()] == ["episode.gif"]


def test_episode_that_never_ends_by_itself_is_shown_to_the_last_step(tmp_path):
  run, variables = experiment(Walk())
  assert clips.write_episode(tmp_path / "episode.gif", run, 1 - variables)
  # Steps 0 to 5: equal pictures, told apart by caption and progress.
  assert len(frames(tmp_path / "episode.gif")[0]) == 6


def test_episode_is_the_same_file_every_time(tmp_path):
  for name in ("a", "b"):
    clips.write_episode(tmp_path / name, *experiment(Walk()))
  assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_episode_without_pixels_shows_the_environment_alone(tmp_path):
  clips.write_episode(tmp_path / "a", *experiment(Walk(pixels=False)))
  clips.write_episode(tmp_path / "b", *experiment(Walk()))
  alone, both = (frames(tmp_path / name)[0][0][0].shape for name in ("a", "b"))
  assert alone[1] < both[1]


def test_long_episode_is_thinned_out(tmp_path, monkeypatch):
  monkeypatch.setattr(clips, "MAX_FRAMES", 10)
  clips.write_episode(tmp_path / "episode.gif", *experiment(Walk(longest=120)))
  assert len(frames(tmp_path / "episode.gif")[0]) <= 11


def test_gif_over_the_limit_loses_frames_until_it_fits(tmp_path, monkeypatch):
  monkeypatch.setattr(clips, "MAX_BYTES", 20_000)
  clips.write_episode(tmp_path / "episode.gif", *experiment(Walk(longest=60)))
  assert (tmp_path / "episode.gif").stat().st_size <= 20_000
  shown, _ = frames(tmp_path / "episode.gif")
  assert len(shown) >= 2
  assert shown[-1][1] == 1000


def test_environment_without_a_picture_writes_nothing(tmp_path):
  assert not clips.write_episode(tmp_path / "episode.gif", *experiment(Undrawn()))
  assert not list(tmp_path.iterdir())
