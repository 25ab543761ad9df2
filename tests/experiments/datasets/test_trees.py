"""Datasets of dict observations: each leaf is stored on its own, and comes back as it was."""

import dataclasses
import json

import dm_env
import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from envs.host.host import Host
from envs.observation import LEGAL, Cells, Tokens, entries
from experiments.datasets import collect
from experiments.datasets.collect import CollectConfig
from experiments.datasets.dataset import Dataset, Episode
from experiments.datasets.minari import Views
from experiments.datasets.writer import Writer
from experiments.settings.errors import UserError
from tests.worlds_of_trees import Masked

SPEC = {
  "a/b": specs.Array((2,), np.float32, "a/b"),
  "A/B": Cells((4, 4, 3), np.uint8, 0, 255, 2, "A/B"),
  "text": Tokens(3, 4, ("go", "left", "right"), "text"),
  LEGAL: specs.BoundedArray((3,), bool, False, True, LEGAL),
}
FILES = {"observation.0.A-B", "observation.1.a-b", "observation.2.legal", "observation.3.text"}


@pytest.fixture
def described(description):
  """Of dicts of a picture of cells, numbers, a mask and a text."""
  return dataclasses.replace(
    description, observation=SPEC, action=specs.DiscreteArray(3, np.int32, "action")
  )


@pytest.fixture
def seen(episodes, lengths):
  """The episodes with observations of those specs."""
  rng, rows = np.random.default_rng(1), lengths.sum() + len(lengths)
  observation = {
    "a/b": rng.normal(size=(rows, 2)).astype(np.float32),
    "A/B": rng.integers(0, 256, (rows, 4, 4, 3), np.uint8),
    "text": rng.integers(0, 4, (rows, 3), np.int32),
    LEGAL: rng.integers(0, 2, (rows, 3)).astype(bool),
  }
  action = rng.integers(0, 3, lengths.sum(), np.int32)
  return episodes._replace(observation=observation, action=action)


def write(folder, description, *episodes):
  with Writer(folder, description) as writer:
    for some, lengths in episodes:
      writer.add(some, lengths)
  return Dataset(folder)


def test_what_was_written_is_read_leaf_by_leaf(tmp_path, described, seen, lengths):
  dataset = write(tmp_path / "data", described, (seen, lengths), (seen, lengths))
  assert {file.stem for file in dataset.path.glob("observation*")} == FILES
  for name, values in seen.observation.items():
    for index, rows in enumerate((slice(0, 4), slice(4, 6), slice(6, 11))):
      for copy in (index, index + 3):
        stored = dataset.episode(copy).observation[name]
        np.testing.assert_array_equal(stored, values[rows])
        assert stored.dtype == values.dtype
  own = dataset.observation_spec()
  assert own.keys() == SPEC.keys()
  assert own["text"].words == SPEC["text"].words
  assert own["A/B"].side == 2
  assert own[LEGAL] == SPEC[LEGAL]
  assert dataset.observed(np.array([[0, 10]]))["text"].shape == (1, 2, 3)


def test_another_dict_than_was_described_is_refused(tmp_path, described, seen, lengths):
  observation = {name: x for name, x in seen.observation.items() if name != "text"}
  with pytest.raises(UserError, match=r"has leaves .*'legal'.*, expected .*'text'"):
    write(tmp_path / "data", described, (seen._replace(observation=observation), lengths))


def test_a_damaged_leaf_is_named(tmp_path, described, seen, lengths):
  path = write(tmp_path / "data", described, (seen, lengths)).path
  np.load(path / "observation.1.a-b.npy", mmap_mode="r+")[4, 1] = np.nan
  with pytest.raises(
    UserError, match=r"episode 1 has NaN or infinity in observation\['a/b'\], row"
  ):
    Dataset(path)


def test_a_dataset_of_version_1_still_loads(written, episodes):
  path = written.path / "dataset.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 1}))
  np.testing.assert_array_equal(Dataset(written.path).observation, episodes.observation)


class Told(Masked):
  """Says its mask as numbers too, and in words which step it is."""

  def draw(self, key, ended=False):
    return super().draw(key)

  def reset(self, key):
    state, timestep = super().reset(key)
    return state, self.told(state, timestep)

  def step(self, state, action):
    state, timestep = super().step(state, action)
    return state, self.told(state, timestep)

  def told(self, state, timestep):
    text = jnp.zeros(2, jnp.int32).at[0].set(state[2])
    return timestep._replace(observation=timestep.observation | {"text": text})

  def observation_spec(self):
    return super().observation_spec() | {"text": Tokens(2, 7)}


class Shown(dm_env.Environment):
  """A picture of its step's number, the number, and a mask of all but one action."""

  def __init__(self, seed):
    self._steps, self._rng = 0, np.random.default_rng(seed)

  def reset(self):
    self._steps = 0
    return dm_env.restart(self._show())

  def step(self, action):
    assert action != self._forbidden
    self._steps += 1
    end = dm_env.termination if self._steps == 3 else dm_env.transition
    return end(1.0, self._show())

  def _show(self):
    self._forbidden = self._rng.integers(3)
    return {
      "picture": np.full((8, 8, 3), self._steps, np.uint8),
      "steps": np.float32(self._steps),
      "action_mask": (np.arange(3) != self._forbidden).astype(np.int8),
    }

  def observation_spec(self):
    return {
      "picture": specs.BoundedArray((8, 8, 3), np.uint8, 0, 255),
      "steps": specs.Array((), np.float32),
      "action_mask": specs.BoundedArray((3,), np.int8, 0, 1),
    }

  def action_spec(self):
    return specs.DiscreteArray(3, np.int32)


def collected(monkeypatch, folder, env):
  """Six episodes of random play."""
  monkeypatch.setattr(collect, "build_environment", lambda config: env)
  monkeypatch.setattr(collect, "PARALLEL", 4)
  source = collect.source(CollectConfig(out=str(folder), env="ours", episodes=6))
  dataset = write(folder, source.description, *source.blocks)
  dataset.require_env("ours", env)
  return dataset


def test_collected_from_a_world_in_jax(monkeypatch, tmp_path):
  env = Told()
  dataset = collected(monkeypatch, tmp_path / "data", env)
  assert (len(dataset), dataset.steps) == (6, 30)
  for index in range(6):
    episode = dataset.episode(index)
    mask = episode.observation[LEGAL]
    assert mask.shape == (6, entries(env.action_spec()))
    np.testing.assert_array_equal(episode.observation["x"], mask)
    np.testing.assert_array_equal(episode.observation["text"][:, 0], np.arange(6))
    assert mask[np.arange(5), episode.action].all()
    np.testing.assert_array_equal(episode.reward, 0.0)  # which an action not allowed would cost


def test_collected_from_a_world_on_the_host(monkeypatch, tmp_path):
  env = Host(Shown, "serial")
  env.name, env.settings = "ours", {}
  dataset = collected(monkeypatch, tmp_path / "data", env)
  assert (len(dataset), dataset.steps) == (6, 18)
  observation = dataset.episode(5).observation
  np.testing.assert_array_equal(observation["vector"][:, 0], np.arange(4))
  np.testing.assert_array_equal(observation["picture"][:, 0, 0, 0], np.arange(4))
  np.testing.assert_array_equal(observation[LEGAL].sum(axis=1), 2)


def test_another_environments_leaves_are_refused_in_one_line(monkeypatch, tmp_path):
  dataset = collected(monkeypatch, tmp_path / "data", Told())
  with pytest.raises(UserError, match=r"text int32 \(2,\).*, and ours has legal bool") as refused:
    dataset.require_env("ours", Masked())
  assert "\n" not in str(refused.value)


def test_one_array_is_not_taken_for_a_dict(written, seen, lengths):
  with pytest.raises(UserError, match=r"has leaves .*, expected"):
    write(written.path.parent / "other", written.description, (Episode(*seen), lengths))


def test_minaris_dicts_become_leaves():
  space = gymnasium.spaces.Dict(
    speed=gymnasium.spaces.Box(-1, 1, (2,), np.float32),
    picture=gymnasium.spaces.Box(0, 255, (8, 8, 3), np.uint8),
    mission=gymnasium.spaces.Text(9),
    action_mask=gymnasium.spaces.MultiBinary(3),
  )
  shown = {
    "speed": np.arange(6, dtype=np.float32).reshape(3, 2) / 6,
    "picture": np.full((3, 8, 8, 3), 7, np.uint8),
    "mission": ["go left", b"go right", "stop"],
    "action_mask": np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], np.int8),
  }
  views = Views(space, specs.DiscreteArray(3, np.int32))(shown, 2)
  np.testing.assert_array_equal(views["vector"], shown["speed"])
  np.testing.assert_array_equal(views["picture"], shown["picture"])
  np.testing.assert_array_equal(views[LEGAL][:2], shown["action_mask"][:2] == 1)
  text = views["mission"]
  assert text[0, 0] == text[1, 0] != text[0, 1]
