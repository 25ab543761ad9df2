"""`rarebird collect`: what is stored is what was played."""

import os
import types

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

import envs
from envs.goals.goal_environment import GoalEnvironment
from envs.host.environment import environment_seeds
from envs.host.host import Host
from experiments import cli
from experiments.acting import host_rollout
from experiments.commands import collect as collect_command
from experiments.datasets import collect
from experiments.datasets.collect import CollectConfig
from experiments.datasets.dataset import Dataset
from experiments.datasets.writer import Writer
from experiments.settings.errors import UserError

LIMIT, PACE, RADIUS = 12, 0.5, 0.3


class Line(GoalEnvironment):
  """A point on a line from -1 to 1, pushed by half of the action; a goal within .3 is reached."""

  def __init__(self):
    super().__init__(LIMIT, free=False)

  def start(self, key):
    return self.anywhere(key)

  def move(self, body, action):
    return jnp.clip(body + jnp.float32(PACE) * action, -1.0, 1.0)

  def view(self, body):
    return body

  def view_spec(self):
    return specs.Array((1,), np.float32, "position")

  def anywhere(self, key, far=False):
    return jax.random.uniform(key, (1,), jnp.float32, -1.0, 1.0)

  def distance(self, a, b):
    return jnp.abs(a - b)[0] / PACE

  def reached(self, view, goal):
    return jnp.abs(view - goal)[0] < RADIUS

  def variant(self, free, goals):
    return self

  def action_spec(self):
    return specs.BoundedArray((1,), np.float32, -1.0, 1.0, "push")


class Count(dm_env.Environment):
  """Sees how many steps were taken, up to 3 to 5 of them, by its seed; pays what is done."""

  def __init__(self, seed):
    self._last, self._steps = 3 + seed % 3, 0

  def reset(self):
    self._steps = 0
    return dm_env.restart(np.zeros(1, np.float32))

  def step(self, action):
    self._steps += 1
    end = dm_env.termination if self._steps == self._last else dm_env.transition
    return end(float(action), np.full(1, self._steps, np.float32))

  def observation_spec(self):
    return specs.Array((1,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(5, np.int32)


def asked(monkeypatch, tmp_path, env, **flags):
  """The dataset of a `collect` in this environment."""
  monkeypatch.setattr(collect, "build_environment", lambda config: env)
  config = CollectConfig(out=str(tmp_path / "data"), env="ours", **flags)
  source = collect.source(config)
  with Writer(tmp_path / "data", source.description) as writer:
    for episodes, lengths in source.blocks:
      writer.add(episodes, lengths)
  return Dataset(tmp_path / "data")


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(collect, "PARALLEL", 4)
    return asked(patch, tmp_path_factory.mktemp("walks"), Line(), episodes=10)


def test_as_many_episodes_as_asked_for_whatever_a_block_holds(walks):
  assert len(walks) == walks.description.episodes == 10
  assert len(np.unique(walks.lengths)) > 2


def test_episodes_are_as_played_step_by_step(walks):
  for index in range(10):
    episode = walks.episode(index)
    position = episode.observation[0].copy()
    for action, seen in zip(episode.action, episode.observation[1:], strict=True):
      position = np.clip(position + np.float32(PACE) * action, -1.0, 1.0, dtype=np.float32)
      np.testing.assert_allclose(seen, position, atol=1e-6)


def test_episodes_end_as_they_did(walks):
  for index in range(10):
    episode = walks.episode(index)
    found = episode.reward[-1] == 1.0
    assert found or len(episode.action) == LIMIT
    np.testing.assert_array_equal(episode.reward[:-1], 0.0)
    np.testing.assert_array_equal(episode.discount[:-1], 1.0)
    assert episode.discount[-1] == (0.0 if found else 1.0)


def test_of_a_goal_environment_the_view_is_stored(walks):
  assert walks.description.view
  assert walks.observation.shape[1:] == (1,)
  walks.require_env("ours", Line())


def test_blocks_and_steps_are_drawn_anew(walks):
  assert len(np.unique(walks.action)) == walks.steps
  assert len(np.unique(walks.observation[walks.starts[:-1] + np.arange(10)])) == 10


def test_an_agent_plays_with_its_memory(monkeypatch, tmp_path):
  def act(variables, memory, timestep, key, explore):
    assert explore
    assert {x.shape for x in timestep.observation.values()} == {(2, 1)}  # it is shown the goal
    return (variables * memory)[:, None], (), memory + 1

  agent = types.SimpleNamespace(
    act=act, initial_memory=lambda batch: jnp.zeros(batch), with_state=None
  )
  loop = types.SimpleNamespace(variables=lambda state: state)
  run = types.SimpleNamespace(agent=agent, env=Line(), loop=loop)
  seeds = jnp.array([0.01, 0.5])
  monkeypatch.setattr(collect, "load", lambda path: (run, seeds))
  dataset = asked(monkeypatch, tmp_path, Line(), episodes=2, policy="runs/own")
  assert dataset.description.policy == "runs/own"
  for index in range(2):
    np.testing.assert_allclose(
      dataset.episode(index).action[:, 0], 0.01 * np.arange(dataset.lengths[index]), rtol=1e-6
    )


def test_an_agent_of_another_environment_is_refused():
  config = types.SimpleNamespace(env="catch", folder=lambda: "runs/own")
  run = types.SimpleNamespace(agent=None, env=envs.make("catch"), config=config)
  told = r"trained in catch, whose observation_spec is float32 \(10, 5\); here it is goal float32"
  with pytest.raises(UserError, match=told):
    collect.run_policy(run, None, Line())


def test_on_the_host_each_plays_its_share(monkeypatch, tmp_path):
  monkeypatch.setattr(host_rollout, "MOST_ENVIRONMENTS", 3)
  env = Host(Count, "serial")
  env.name, env.settings = "ours", {}
  dataset = asked(monkeypatch, tmp_path, env, episodes=7)
  assert len(dataset) == 7
  lengths = [3 + seed % 3 for seed in environment_seeds(0, 3)]
  assert sorted(dataset.lengths) == sorted(lengths * 2 + lengths[:1])
  for index in range(7):
    episode = dataset.episode(index)
    length = len(episode.action)
    np.testing.assert_array_equal(episode.observation[:, 0], np.arange(length + 1))
    np.testing.assert_array_equal(episode.reward, episode.action)
    np.testing.assert_array_equal(episode.discount, [1.0] * (length - 1) + [0.0])


def test_the_same_seed_gives_the_same_bytes(monkeypatch, tmp_path, capsys):
  monkeypatch.chdir(tmp_path)
  for out in ("one", "two"):
    flags = ["collect", "--env", "catch", "--episodes", "6", "--seed", "3", "--out", out]
    monkeypatch.setattr("sys.argv", ["rarebird", *flags])
    with pytest.raises(SystemExit) as ended:
      cli.main()
    assert ended.value.code == 0
  assert "54, of an episode 9 to 9" in capsys.readouterr().out
  one, two = ({f.name: f.read_bytes() for f in (tmp_path / n).iterdir()} for n in ("one", "two"))
  assert one == two


def test_interrupted_it_leaves_nothing(monkeypatch, tmp_path, walks):
  def blocks():
    yield walks.episode(0), walks.lengths[:1]
    raise KeyboardInterrupt

  source = collect.Source(walks.description, 2, blocks())
  monkeypatch.setattr(collect, "source", lambda config: source)
  with pytest.raises(KeyboardInterrupt):
    collect_command.run(CollectConfig(out=str(tmp_path / "data")), collect_command.Console())
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
  ("flags", "words"),
  [
    ("--env ctch --out data", "did you mean catch"),
    ("--env catch --out data --episodes 0", "--episodes is 0"),
    ("--env catch --out data --seed -1", "--seed is -1"),
    ("--env catch --out data --policy nowhere", "nowhere holds no run"),
    ("--env catch --out there", "there exists and is never overwritten"),
    ("--out data", "give --env"),
    ("--out data --env-args size=3", "give --env too"),
    ("--env catch", "out"),
  ],
)
def test_bad_flags(monkeypatch, capsys, tmp_path, flags, words):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "there").mkdir()
  monkeypatch.setattr("sys.argv", ["rarebird", "collect", *flags.split()])
  with pytest.raises(SystemExit) as ended:
    cli.main()
  assert ended.value.code == 2
  told = capsys.readouterr().err
  assert words in told
  assert told.count("\n") == 1
  assert os.listdir(tmp_path) == ["there"]
