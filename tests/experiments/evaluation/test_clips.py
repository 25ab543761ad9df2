"""Clips: that an episode's frames are the episode's."""

import types
from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs
from PIL import Image

from envs import environment
from envs.host.environment import HostEnvironment
from experiments.evaluation import clip_frames, clips, host_clips


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


class Undrawn(environment.Environment[WalkState]):
  """Walks right for a drawn number of steps; without a picture."""

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


class Walk(Undrawn):
  """Its picture is as red as it has come far."""

  def render(self, state):
    red = (2 * state.position).astype(jnp.uint8)
    return jnp.zeros((8, 8, 3), jnp.uint8).at[..., 0].set(red)


def experiment(env):
  """An agent that does as its variables say, and the first of two seeds walks."""

  def act(variables, memory, timestep, key, explore):
    assert explore
    return jnp.full(timestep.reward.shape, variables), {}, memory

  agent = types.SimpleNamespace(
    act=act,
    initial_memory=lambda batch: (),
    on_task=lambda variables: variables,
    with_state=None,
  )
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
  clips.write_episode(path, *experiment(Walk()))
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
  clips.write_episode(tmp_path / "episode.gif", run, 1 - variables)
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
  monkeypatch.setattr(clip_frames, "MAX_FRAMES", 10)
  clips.write_episode(tmp_path / "episode.gif", *experiment(Walk(longest=120)))
  assert len(frames(tmp_path / "episode.gif")[0]) <= 11


def test_gif_over_the_limit_loses_frames_until_it_fits(tmp_path, monkeypatch):
  monkeypatch.setattr(clip_frames, "MAX_BYTES", 20_000)
  clips.write_episode(tmp_path / "episode.gif", *experiment(Walk(longest=60)))
  assert (tmp_path / "episode.gif").stat().st_size <= 20_000
  shown, _ = frames(tmp_path / "episode.gif")
  assert len(shown) >= 2
  assert shown[-1][1] == 1000


def test_environment_without_a_picture_writes_nothing(tmp_path):
  with pytest.raises(clips.NoClip, match="draws no pictures"):
    clips.write_episode(tmp_path / "episode.gif", *experiment(Undrawn()))
  assert not list(tmp_path.iterdir())


class HostWalk(HostEnvironment):
  """Walks three steps on the host; its picture is as red as it has come far, if it has one."""

  success_return = 3.0
  max_episode_steps = 5

  def __init__(self, drawn):
    self.drawn = drawn

  def observation_spec(self):
    return specs.Array((1,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2, np.int32)

  def make(self, seed):
    return HostWalker(self.drawn)


class HostWalker(dm_env.Environment):
  def __init__(self, drawn):
    self.position = 0
    if drawn:
      self.render = lambda: np.full((8, 8, 3), 40 * self.position, np.uint8)

  def reset(self):
    self.position = 0
    return dm_env.restart(np.zeros(1, np.float32))

  def step(self, action):
    self.position += int(action)
    observation = np.float32([self.position])
    if self.position == 3:
      return dm_env.termination(1.0, observation)
    return dm_env.transition(1.0, observation)

  def observation_spec(self):
    return specs.Array((1,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2, np.int32)


class Forward:
  """An agent that always walks."""

  def initial_memory(self, batch):
    return ()

  def act(self, variables, memory, timestep, key, explore):
    return jnp.ones(timestep.reward.shape, jnp.int32), {}, memory

  def on_task(self, variables):
    return variables


@pytest.fixture
def forward():
  return Forward()


def run_of(env, agent):
  return types.SimpleNamespace(env=env, agent=agent), jnp.zeros((1,))


def test_an_episode_on_the_host_is_shown_step_by_step(tmp_path, forward, monkeypatch):
  clips.write_episode(tmp_path / "a.gif", *run_of(HostWalk(True), forward))
  shown, _ = frames(tmp_path / "a.gif")
  assert len(shown) == 4
  colours = [{tuple(pixel) for pixel in picture.reshape(-1, 3)} for picture, _ in shown]
  for step, seen in enumerate(colours):
    assert (40 * step,) * 3 in seen


def test_an_environment_on_the_host_without_pictures_makes_no_clip(tmp_path, forward, monkeypatch):
  with pytest.raises(clips.NoClip, match=r"render\(\) raised AttributeError"):
    clips.write_episode(tmp_path / "a.gif", *run_of(HostWalk(False), forward))
  assert not list(tmp_path.iterdir())


def test_an_environment_that_draws_nothing_is_not_even_played(tmp_path, forward, monkeypatch):
  def end(self, action):
    pytest.fail("stepped")

  monkeypatch.setattr(HostWalker, "step", end)
  with pytest.raises(clips.NoClip, match=r"render\(\) raised AttributeError"):
    clips.write_episode(tmp_path / "a.gif", *run_of(HostWalk(False), forward))


def test_an_environment_whose_processes_died_is_not_played_here(tmp_path, forward, monkeypatch):
  env = HostWalk(True)
  env.failures = 2
  with pytest.raises(clips.NoClip, match=r"processes of this environment died .* \(2 times\)"):
    clips.write_episode(tmp_path / "a.gif", *run_of(env, forward))


class Long(HostWalk):
  """An episode of 2,000 steps, as HalfCheetah's without a goal; counts what is asked of it.

  Every call takes `seconds` of a clock of its own: (of a step, of the first picture, of others).
  """

  success_return = np.inf
  max_episode_steps = 2000

  def __init__(self, seconds=(0.0, 0.0, 0.0), render=None):
    super().__init__(True)
    self.seconds, self.now = seconds, 0.0
    self.steps, self.pictures = 0, 0
    self.render = render or (lambda step: np.full((8, 8, 3), step // 10, np.uint8))

  def clock(self):
    return self.now

  def make(self, seed):
    return LongWalker(self)


class LongWalker(HostWalker):
  def __init__(self, owner):
    super().__init__(False)
    self.owner = owner

  def step(self, action):
    self.owner.steps += 1
    self.owner.now += self.owner.seconds[0]
    self.position += 1
    observation = np.float32([self.position])
    if self.position == self.owner.max_episode_steps:
      return dm_env.truncation(1.0, observation)
    return dm_env.transition(1.0, observation)

  def render(self):
    self.owner.now += self.owner.seconds[2 if self.owner.pictures else 1]
    self.owner.pictures += 1
    return self.owner.render(self.position)


def test_a_long_episode_on_the_host_is_drawn_a_hundred_times_in_all(tmp_path, forward, monkeypatch):
  env = Long()
  clips.write_episode(tmp_path / "a.gif", *run_of(env, forward), clock=env.clock)
  assert env.pictures <= clip_frames.MAX_FRAMES + 2  # one to see whether there are any
  shown, _ = frames(tmp_path / "a.gif")
  assert len(shown) > clip_frames.MAX_FRAMES / 2
  assert (200, 200, 200) in {tuple(pixel) for pixel in shown[-1][0].reshape(-1, 3)}  # step 2000


def test_slow_drawing_shows_fewer_steps_of_the_whole_episode(tmp_path, forward, monkeypatch):
  env = Long(seconds=(0.0, 20.0, 0.5))
  clips.write_episode(tmp_path / "a.gif", *run_of(env, forward), clock=env.clock)
  assert env.now <= 20 + host_clips.SECONDS + 2 * 0.5
  shown, _ = frames(tmp_path / "a.gif")
  assert len(shown) >= 4
  assert (200, 200, 200) in {tuple(pixel) for pixel in shown[-1][0].reshape(-1, 3)}


def test_slow_steps_cut_the_episode_off(tmp_path, forward, monkeypatch):
  env = Long(seconds=(0.1, 0.0, 0.0))
  clips.write_episode(tmp_path / "a.gif", *run_of(env, forward), clock=env.clock)
  assert env.now <= 2 * (host_clips.SECONDS + 3 * 0.1)
  assert len(frames(tmp_path / "a.gif")[0]) > 10


def test_what_a_step_raises_is_told(tmp_path, forward, monkeypatch):
  def fail(self, action):
    raise KeyError("battery_level")

  monkeypatch.setattr(HostWalker, "step", fail)
  with pytest.raises(clips.NoClip, match=r"step\(\) raised KeyError: 'battery_level'"):
    clips.write_episode(tmp_path / "a.gif", *run_of(HostWalk(True), forward))


@pytest.mark.parametrize(
  ("picture", "words"),
  [
    (lambda step: np.zeros((8, 8, 3)), r"returned float64 \[8, 8, 3\], not uint8"),
    (lambda step: None, "returned None, not a picture"),
    (lambda step: "a b c", "returned 'a b c', not a picture"),
    (lambda step: np.zeros((0, 8, 3), np.uint8), r"returned uint8 \[0, 8, 3\], not uint8"),
    (lambda step: [np.zeros((8, 8, 3), np.uint8)] * 2, r"returned uint8 \[2, 8, 8, 3\]"),
    (lambda step: np.zeros((8 + (step > 0), 8, 3), np.uint8), "pictures of different sizes"),
  ],
)
def test_what_is_no_picture_is_told(tmp_path, forward, monkeypatch, picture, words):
  with pytest.raises(clips.NoClip, match=words):
    clips.write_episode(tmp_path / "a.gif", *run_of(Long(render=picture), forward))
  assert not list(tmp_path.iterdir())


class Misdrawn(Walk):
  """Its picture is none."""

  def render(self, state):
    return jnp.zeros((8, 8))


def test_what_is_no_picture_in_jax_is_told(tmp_path):
  with pytest.raises(clips.NoClip, match=r"returned .*float32.*, not uint8 \[H, W, 3\]"):
    clips.write_episode(tmp_path / "episode.gif", *experiment(Misdrawn()))
