"""Minari's datasets become ours, or are refused with the episode named."""

import sys
import types

import gymnasium
import numpy as np
import pytest

import envs
from experiments.datasets import collect
from experiments.datasets.collect import CollectConfig
from experiments.datasets.dataset import Dataset
from experiments.datasets.writer import Writer
from experiments.settings.errors import UserError

BOX = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64, seed=0)
SIGHT = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float64, seed=1)
WITH_GOAL = gymnasium.spaces.Dict(observation=SIGHT, achieved_goal=BOX, desired_goal=BOX)
LENGTHS = (4, 2, 5)


def episode(length, observation=SIGHT, action=BOX):
  """One of `length` steps, terminated if their number is even, else cut off."""
  one = types.SimpleNamespace(
    observations={
      name: np.stack([space.sample() for _ in range(length + 1)])
      for name, space in getattr(observation, "spaces", {"": observation}).items()
    },
    actions=np.stack([action.sample() for _ in range(length)]),
    rewards=np.arange(length, dtype=np.float64),
    terminations=np.arange(1, length + 1) == length + length % 2,
    truncations=np.arange(1, length + 1) == length + 1 - length % 2,
  )
  if not isinstance(observation, gymnasium.spaces.Dict):
    one.observations = one.observations[""]
  return one


@pytest.fixture
def minari(monkeypatch):
  """Minari with one dataset, whose spaces and episodes a test may change."""
  data = types.SimpleNamespace(
    observation_space=WITH_GOAL,
    action_space=BOX,
    episodes=[episode(length, WITH_GOAL) for length in LENGTHS],
    spec=types.SimpleNamespace(dataset_id="maze/walk-v0"),
    total_episodes=len(LENGTHS),
  )
  data.iterate_episodes = lambda: iter(data.episodes)

  def load(name):
    if name != "maze/walk-v0":
      raise FileNotFoundError(name)
    return data

  module = types.SimpleNamespace(load_dataset=load, __version__="0.5.4")
  monkeypatch.setitem(sys.modules, "minari", module)
  return data


def converted(folder, name="maze/walk-v0", **flags):
  """The dataset that `collect --from-minari` makes."""
  source = collect.source(CollectConfig(out=str(folder), from_minari=name, **flags))
  with Writer(folder, source.description) as writer:
    for episodes, lengths in source.blocks:
      writer.add(episodes, lengths)
  return Dataset(folder)


def test_of_goals_the_observation_is_stored(tmp_path, minari):
  dataset = converted(tmp_path / "data", "minari:maze/walk-v0")
  np.testing.assert_array_equal(dataset.lengths, LENGTHS)
  for one, theirs in enumerate(minari.episodes):
    ours = dataset.episode(one)
    np.testing.assert_allclose(ours.observation, theirs.observations["observation"], rtol=1e-6)
    np.testing.assert_allclose(ours.action, theirs.actions, rtol=1e-6)
    np.testing.assert_array_equal(ours.reward, theirs.rewards)
    np.testing.assert_array_equal(ours.discount, 1.0 - theirs.terminations)
  assert (dataset.observation.dtype, dataset.action.dtype) == (np.float32, np.float32)
  assert dataset.description.policy == "minari:maze/walk-v0"
  assert dataset.description.env is None


def test_categories_and_choices_count_from_0(tmp_path, minari):
  minari.observation_space = gymnasium.spaces.Box(3, 9, (2,), np.int64)
  minari.action_space = gymnasium.spaces.Discrete(4, start=1)
  spaces = minari.observation_space, minari.action_space
  minari.episodes = [episode(length, *spaces) for length in LENGTHS]
  dataset = converted(tmp_path / "data")
  seen = np.concatenate([one.observations for one in minari.episodes])
  np.testing.assert_array_equal(dataset.observation, seen - 3)
  np.testing.assert_array_equal(
    dataset.action, np.concatenate([one.actions for one in minari.episodes]) - 1
  )
  assert dataset.action_spec().num_values == 4


def test_pictures_are_stored_with_their_channels_last(tmp_path, minari):
  minari.observation_space = gymnasium.spaces.Box(0, 255, (3, 8, 9), np.uint8)
  minari.episodes = [episode(length, minari.observation_space) for length in LENGTHS]
  dataset = converted(tmp_path / "data")
  seen = np.concatenate([one.observations for one in minari.episodes])
  np.testing.assert_array_equal(dataset.observation, np.moveaxis(seen, 1, -1))


@pytest.mark.parametrize(
  "space",
  [
    gymnasium.spaces.Discrete(5, start=2),
    gymnasium.spaces.MultiDiscrete([3, 2], start=[4, -1]),
    gymnasium.spaces.MultiBinary(3),
  ],
)
def test_observations_of_choices_count_from_0(tmp_path, minari, space):
  minari.observation_space = space
  minari.episodes = [episode(length, space) for length in LENGTHS]
  dataset = converted(tmp_path / "data")
  seen = np.concatenate([one.observations for one in minari.episodes])
  np.testing.assert_array_equal(dataset.observation, seen - getattr(space, "start", 0))


def test_several_choices_count_from_0_each(tmp_path, minari):
  minari.observation_space = SIGHT
  minari.action_space = gymnasium.spaces.MultiDiscrete([3, 2], start=[-1, 5])
  spaces = minari.observation_space, minari.action_space
  minari.episodes = [episode(length, *spaces) for length in LENGTHS]
  dataset = converted(tmp_path / "data")
  theirs = np.concatenate([one.actions for one in minari.episodes])
  np.testing.assert_array_equal(dataset.action, theirs - [-1, 5])
  np.testing.assert_array_equal(dataset.action_spec().maximum, [2, 1])


def test_it_may_be_said_of_which_environment_it_is(tmp_path, minari):
  minari.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float64)
  minari.episodes = [episode(length, minari.observation_space) for length in LENGTHS]
  dataset = converted(tmp_path / "data", env="point_mass")
  dataset.require_env("point_mass", envs.make("point_mass"), {})


def spoil(what, value, one=1):
  """A change of one episode."""

  def change(data):
    array = getattr(data.episodes[one], what)
    setattr(data.episodes[one], what, value(array))

  return change


@pytest.mark.parametrize(
  ("change", "flags", "words"),
  [
    (spoil("actions", lambda a: a + 3.0), {}, "episode 1 has a value out of its bounds in action"),
    (spoil("rewards", lambda r: r * np.nan, 2), {}, "episode 2 has NaN or infinity in reward"),
    (spoil("actions", lambda a: a[:-1]), {}, "episode 1: action has shape (1, 2), expected (2, 2)"),
    (lambda data: None, {"name": "other-v0"}, "get it with: minari download other-v0"),
    (lambda data: None, {"env": "point_mass"}, "has observation float32 (3,), and point_mass has"),
    (
      lambda data: setattr(data, "observation_space", gymnasium.spaces.Sequence(BOX)),
      {},
      "observation is a Sequence space",
    ),
  ],
)
def test_what_cannot_be_read_is_refused(tmp_path, minari, change, flags, words):
  change(minari)
  with pytest.raises(UserError) as refused:
    converted(tmp_path / "data", **flags)
  assert words in str(refused.value)
  assert "\n" not in str(refused.value)
  assert list(tmp_path.iterdir()) == []


def test_how_to_install_it_is_told(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "minari", None)
  with pytest.raises(UserError, match=r"pip install 'rarebird\[minari\]'"):
    converted(tmp_path / "data")


@pytest.mark.parametrize("by_path", [False, True])
def test_with_minari_itself(tmp_path, monkeypatch, by_path):
  library = pytest.importorskip("minari")
  monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
  played = [episode(length, WITH_GOAL) for length in LENGTHS]
  library.create_dataset_from_buffers(
    "maze/walk-v0",
    [library.data_collector.EpisodeBuffer(**vars(one)) for one in played],
    observation_space=WITH_GOAL,
    action_space=BOX,
  )
  name = str(tmp_path / "minari" / "maze" / "walk-v0") if by_path else "maze/walk-v0"
  dataset = converted(tmp_path / "data", name)
  for one, theirs in enumerate(played):
    seen = theirs.observations["observation"]
    np.testing.assert_allclose(dataset.episode(one).observation, seen, rtol=1e-6)
    assert dataset.episode(one).discount[-1] == len(theirs.rewards) % 2
