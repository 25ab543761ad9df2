"""The format: what is written is read, and what is damaged is refused with the episode named."""

import json
import os

import numpy as np
import pytest

import envs
from experiments.datasets.dataset import Dataset, stored_spec
from experiments.datasets.description import Description
from experiments.settings.errors import UserError


def test_the_files_are_plain_arrays(written, episodes):
  for name, values in episodes._asdict().items():
    array = np.load(written.path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    np.testing.assert_array_equal(array, values)
  np.testing.assert_array_equal(np.load(written.path / "episodes.npy"), [0, 3, 4, 8])


def test_nothing_is_loaded_that_was_not_asked_for(written):
  for name in ("observation", "action", "reward", "discount"):
    assert isinstance(getattr(written, name), np.memmap)
    assert isinstance(getattr(written.episode(1), name), np.memmap)


def test_an_episode_has_one_observation_more_than_steps(written, episodes):
  assert len(written) == 3
  np.testing.assert_array_equal(written.lengths, [3, 1, 4])
  for index, (rows, steps) in enumerate(
    [(slice(0, 4), slice(0, 3)), (slice(4, 6), slice(3, 4)), (slice(6, 11), slice(4, 8))]
  ):
    episode = written.episode(index)
    np.testing.assert_array_equal(episode.observation, episodes.observation[rows])
    np.testing.assert_array_equal(episode.action, episodes.action[steps])
    np.testing.assert_array_equal(episode.reward, episodes.reward[steps])
    np.testing.assert_array_equal(episode.discount, episodes.discount[steps])
  np.testing.assert_array_equal(written.episode(-1).action, written.episode(2).action)
  with pytest.raises(IndexError):
    written.episode(3)


def test_rows_before_each_step(written):
  np.testing.assert_array_equal(written.before, [0, 1, 2, 4, 6, 7, 8, 9])


def test_returns(written, episodes):
  expected = [part.sum(dtype=np.float64) for part in np.split(episodes.reward, [3, 4])]
  np.testing.assert_allclose(written.returns, expected, rtol=1e-12)


def test_the_description_is_read_as_written(written, description):
  own = written.description
  assert (own.episodes, own.steps, own.settings, own.seed) == (3, 8, {"size": 4}, 0)
  assert Description.from_json(own.to_json()).to_json() == own.to_json()
  assert written.action_spec() == description.action
  assert written.observation_spec() == description.observation


def edit(name, change):
  """A damage to an array, which is stored whole again."""

  def damage(path):
    np.save(path / name, change(np.load(path / name)))

  return damage


def put(name, place, value):
  """A damage to one value."""

  def damage(path):
    np.load(path / name, mmap_mode="r+")[place] = value

  return damage


def cut(name, missing):
  """A file that lost its last bytes."""
  return lambda path: os.truncate(path / name, (path / name).stat().st_size - missing)


def say(**changes):
  """Another dataset.json."""

  def damage(path):
    data = json.loads((path / "dataset.json").read_text())
    (path / "dataset.json").write_text(json.dumps(data | changes))

  return damage


def starts(*values):
  return edit("episodes.npy", lambda old: np.array(values))


@pytest.mark.parametrize(
  ("damage", "words"),
  [
    (put("observation.npy", (4, 1), np.nan), "episode 1 has NaN or infinity in observation, row 0"),
    (put("observation.npy", (3, 0), np.inf), "episode 0 has NaN or infinity in observation, row 3"),
    (put("action.npy", (7, 0), np.nan), "episode 2 has NaN or infinity in action, row 3"),
    (put("reward.npy", 3, -np.inf), "episode 1 has NaN or infinity in reward, row 0"),
    (put("action.npy", (4, 0), 1.001), "episode 2 has a value out of its bounds in action, row 0"),
    (put("discount.npy", 1, 2.0), "episode 0 has a value out of its bounds in discount, row 1"),
    (put("discount.npy", 5, 0.0), "episode 2 goes on after its end at row 1"),
    (starts(0, 3, 3, 8), "episode 1 of 3 has length 0"),
    (starts(0, 5, 4, 8), "episode 1 of 3 ends before it begins"),
    (starts(1, 3, 4, 8), "episode 0 begins at step 1"),
    (starts(0, 3, 4, 9), "episode 2, the last, ends at step 9, and there are 8"),
    (starts(0, 3, 8), "int64 of shape (3,), and 3 episodes need int64 of shape (4,)"),
    (edit("episodes.npy", lambda old: old.astype(np.int32)), "int32 of shape (4,)"),
    (cut("observation.npy", 8), "cut short in episode 2 of 3: it has 10 of 11 rows"),
    (cut("action.npy", 20), "cut short in episode 1 of 3: it has 3 of 8 rows"),
    (cut("episodes.npy", 1), "ends at episode 3 of 3"),
    (edit("reward.npy", lambda old: old[:3]), "cut short in episode 1 of 3"),
    (edit("reward.npy", lambda old: np.append(old, old)), "goes on after episode 2, the last"),
    (edit("reward.npy", lambda old: old.astype(float)), "float64 of shape (), and dataset.json"),
    (edit("action.npy", lambda old: old[:, 0]), "float32 of shape (), and dataset.json says"),
    (edit("action.npy", lambda old: old.astype(object)), "cannot be read"),
    (lambda path: (path / "reward.npy").unlink(), "has no reward.npy"),
    (lambda path: (path / "reward.npy").write_text("nothing"), "reward.npy cannot be read"),
    (lambda path: (path / "dataset.json").unlink(), "holds no dataset"),
    (lambda path: (path / "dataset.json").write_text("{"), "dataset.json cannot be read"),
    (say(format="another"), "no rarebird-dataset"),
    (say(version=3), "version 3 of the format, and this code reads 1 and 2"),
    (say(steps=9), "ends at step 8, and there are 9"),
    (say(episodes=0), "episodes are 0"),
    (say(action={"shape": [1]}), "its action cannot be read"),
    (say(reward={"shape": [1], "dtype": "float32"}), "its reward is"),
  ],
)
def test_a_damaged_dataset_is_refused_in_one_line(written, damage, words):
  damage(written.path)
  with pytest.raises(UserError) as refused:
    Dataset(written.path)
  assert words in str(refused.value)
  assert str(written.path) in str(refused.value)
  assert "\n" not in str(refused.value)


def test_values_are_looked_at_in_blocks(written, monkeypatch):
  monkeypatch.setattr("experiments.datasets.validate.BLOCK_BYTES", 16)
  put("observation.npy", (9, 0), np.nan)(written.path)
  with pytest.raises(UserError, match="episode 2 has NaN or infinity in observation, row 3;"):
    Dataset(written.path)


@pytest.fixture
def of_deep_sea(written):
  """The dataset as if it were of deep_sea; its arrays are not, and are not looked at again."""
  env = envs.make("deep_sea", size=4)
  own = written.description.__dict__ | {"env": "deep_sea", "settings": {"size": 4}}
  specs = {"observation": stored_spec(env), "action": env.action_spec()}
  written.description = Description(**own | specs)
  return written


def test_the_environment_it_is_of_is_accepted(of_deep_sea):
  of_deep_sea.require_env("deep_sea", envs.make("deep_sea", size=4), {"size": 4})


def test_settings_that_leave_the_world_as_it_is_may_differ(of_deep_sea):
  settings = {"size": 4, "mapping_seed": 42, "max_episode_steps": 9, "free": True}
  of_deep_sea.require_env("deep_sea", envs.make("deep_sea", size=4), settings)


@pytest.mark.parametrize(
  ("name", "made", "settings", "words"),
  [
    ("catch", {}, None, "of environment deep_sea, not of catch"),
    ("deep_sea", {"size": 5}, None, "deep_sea with observation"),
    (
      "deep_sea",
      {"size": 4},
      {"size": 4, "mapping_seed": 9},
      "mapping_seed=42, and deep_sea is to have 9",
    ),
  ],
)
def test_another_environment_is_refused(of_deep_sea, name, made, settings, words):
  with pytest.raises(UserError) as refused:
    of_deep_sea.require_env(name, envs.make(name, **made), settings)
  assert words in str(refused.value)
  assert name in str(refused.value)
