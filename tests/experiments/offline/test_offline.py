"""From a tiny dataset to a policy that is scored, and what is interrupted on the way."""

import dataclasses
import io
import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from agents import fresh, objectives
from agents.cores import core as cores
from agents.fresh import FreshConfig
from agents.offline.config import (
  BufferConfig,
  GraphConfig,
  ReachabilityTraining,
  RetrievalTraining,
)
from agents.offline.encoder import EncoderConfig
from agents.offline.learner import Transitions
from agents.offline.retrieval import RetrievalConfig
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from experiments.bench import offline as bench_offline
from experiments.commands import collect as collect_command
from experiments.commands import offline as command
from experiments.datasets.collect import CollectConfig
from experiments.datasets.dataset import Dataset
from experiments.evaluation import scores as evaluation
from experiments.offline import policy, scores, stage_files
from experiments.offline.discovery import Discovery
from experiments.offline.filling import DRAWN, Filler, batches
from experiments.runs import run_folder
from experiments.runs.checkpoint import Checkpoints
from experiments.settings.errors import UserError
from experiments.settings.offline import OfflineConfig, build_environment
from experiments.settings.train import TrainConfig

SOFT_Q = objectives.registry.choice("soft_q")
AGENT = FreshConfig(
  learning_rate=3e-3,
  batch_size=16,
  head_hidden=8,
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("goal_mlp"),
    core=cores.registry.choice("feedforward"),
    latent_size=8,
    core_size=8,
    predictor_hidden=8,
  ),
  encoder=EncoderConfig(
    encoder="byol", encoder_size=4, encoder_updates=3, encoder_length=6, encoder_batch=4
  ),
  training=ReachabilityTraining(reach_updates=60, reach_batch=32, held_out_pairs=100),
  retrieval=RetrievalConfig(retrieval_features=4, retrieval_hidden=8, retrieval_queue=8),
  retrieval_training=RetrievalTraining(3, retrieval_batch=4, retrieval_length=6),
  graph=GraphConfig(node_share=0.3, edge_share=0.5, node_capacity=40, node_threshold=0.3),
  buffer=BufferConfig(updates=6, fill_updates=2, fill_entries=300),
)
BASELINE = dataclasses.replace(AGENT, retrieval_training=RetrievalTraining())
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
  path = tmp_path_factory.mktemp("data") / "walks"
  settings = ("size=5", "free=True", "random_start=True", "max_episode_steps=20")
  config = CollectConfig(str(path), env="goals/random_maze", env_args=settings, episodes=12)
  collect_command.run(config, QUIET)
  return path


def offline(path, out, **changes):
  config = OfflineConfig(str(path), out=str(out), eval_episodes=8, agent=AGENT)
  return dataclasses.replace(config, **changes)


@pytest.fixture(scope="module", autouse=True)
def _few_compilations():
  """One learner for all runs, as what it is fed is not its concern; and no random play."""
  real, learners = fresh.build, {}

  def build(config, env):
    same = str(
      dataclasses.replace(config, algorithm="fresh", retrieval_training=RetrievalTraining())
    )
    if same not in learners:
      learners[same] = real(config, env)
    return learners[same]

  random = {"random": {"success": 0.0}}
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(fresh, "build", build)
    patch.setattr(evaluation, "references", lambda *_: dict.fromkeys(("far", "uniform"), random))
    yield


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
  """A run that was never interrupted."""
  out = tmp_path_factory.mktemp("runs") / "whole"
  assert command.run(offline(dataset, out), QUIET) == 0
  return out


def saved(out):
  """All arrays that a run keeps, by name."""
  arrays = {}
  for file in sorted(out.glob("*.npz")):
    with np.load(file, allow_pickle=False) as data:
      arrays |= {f"{file.stem}/{name}": data[name] for name in data.files}
  checkpoints = Checkpoints(out, {})
  assert checkpoints.latest() == 6
  arrays |= checkpoints.read_arrays()
  checkpoints.close()
  return arrays


def test_every_stage_reports(whole):
  results = json.loads((whole / "results.json").read_text())
  stages = results["stages"]
  assert set(stages) == {"encoder", "reachability", "retrieval", "memory", "graph", "policy"}
  assert stages["graph"]["nodes"] == stages["memory"]["nodes"] > 1
  assert stages["graph"]["unreachable_pairs"] == 0
  assert stages["retrieval"]["updates"] == 3
  assert stages["retrieval"]["chance"] == pytest.approx(10 / 202)  # 252 states, a fifth asked for
  assert stages["policy"]["goals_unreachable"] == 0
  assert sum(band["episodes"] for band in results["evaluation"]["bands"]) == 8
  console = Console(width=80, file=io.StringIO(), record=True)
  for table in command.tables(results, "a title"):
    console.print(table)
  text = console.export_text()
  assert "components" in text
  assert "recall@10" in text


def test_the_bench_times_graphs_of_the_sizes_asked_for(monkeypatch):
  small = dataclasses.replace(AGENT, encoder=EncoderConfig())
  monkeypatch.setattr(bench_offline, "FreshConfig", lambda: small)
  monkeypatch.setattr(bench_offline, "EPISODES", 12)
  monkeypatch.setattr(policy, "CALL_UPDATES", 1)
  settings = ("size=5", "free=True", "random_start=True", "max_episode_steps=20")
  asked = TrainConfig(env="goals/random_maze", env_args=settings)
  found = bench_offline.measure(asked, (5, 20), rounds=1)
  assert [graph["nodes"] for graph in found["graphs"]] == [5, 20]
  rates = found["reachability_pairs_per_second"], *found["policy"].values()
  assert min(rates) > 0
  assert found["dataset"]["steps"] == 240
  console = Console(width=80, file=io.StringIO(), record=True)
  bench_offline.show(found, console)
  assert "graph of 20 nodes" in console.export_text()


def test_the_bench_refuses_graphs_of_no_size_and_worlds_without_goals():
  with pytest.raises(UserError, match="--graph-nodes has 1; give 2 to 32767"):
    bench_offline.measure(TrainConfig(env="goals/u_maze"), (1,), rounds=1)
  with pytest.raises(UserError, match="'catch' has no goals written in JAX"):
    bench_offline.measure(TrainConfig(env="catch"), (5,), rounds=1)


def test_its_pictures_can_be_opened(whole):
  assert Image.open(whole / "map.png").size == (1720, 1480)
  assert Image.open(whole / "episode.gif").is_animated


def test_other_commands_say_what_such_a_folder_is(whole):
  with pytest.raises(UserError, match="holds an offline run, no run; the command that made it"):
    run_folder.read_config(whole)


def test_a_run_stopped_in_every_stage_ends_as_one_that_never_was(
  whole, dataset, tmp_path, monkeypatch
):
  config = offline(dataset, tmp_path / "run")
  (tmp_path / "run").mkdir()
  for name in ("config.json", "encoder.npz"):  # the first stage costs as much as all others
    shutil.copy(whole / name, tmp_path / "run")

  class Crash(Exception):
    pass

  def crash(*arguments, **settings):
    raise Crash

  def crashes(owner, name, function=crash):
    with monkeypatch.context() as patch:
      patch.setattr(owner, name, function)
      with pytest.raises(Crash):
        command.run(config, QUIET)

  fill = Filler.fill

  def fill_twice(self, state, rng, key):
    return crash() if self.drawn > DRAWN else fill(self, state, rng, key)

  crashes(Discovery, "build_memory")
  crashes(Discovery, "build_graph")
  crashes(policy, "train")
  crashes(Filler, "fill", fill_twice)
  crashes(scores, "evaluate")
  ours, theirs = saved(tmp_path / "run"), saved(whole)
  assert ours.keys() == theirs.keys()
  for name in ours:
    np.testing.assert_array_equal(ours[name], theirs[name], name)


def test_being_asked_to_stop_keeps_what_is_finished(dataset, tmp_path, monkeypatch):
  out = tmp_path / "run"
  config = offline(dataset, out)
  monkeypatch.setattr(command.Interrupted, "requested", lambda self: True)
  assert command.run(config, QUIET) == 130
  assert not list(out.glob("*.npz"))


def test_hard_negatives_leave_sources_and_labels_and_bring_targets_nearer(dataset):
  def drawing(nearest_of):
    training = dataclasses.replace(AGENT.training, reach_nearest_of=nearest_of)
    config = dataclasses.replace(AGENT, encoder=EncoderConfig(), training=training)
    return Discovery(config, Dataset(dataset), 0)._drawing(np.arange(12), 200, ())

  key = jax.random.key(0)
  plain, *kinds = drawing(1)(jax.random.split(key)[0])
  hard, *same = drawing(4)(key)
  jax.tree.map(np.testing.assert_array_equal, same, kinds)
  np.testing.assert_array_equal(hard[0], plain[0])
  assert {tuple(x) for x in hard[1]} <= {tuple(x) for x in plain[1]}
  gap, before = (np.sum((views[1] - views[0]) ** 2, axis=-1) for views in (hard, plain))
  assert np.all(gap <= before)
  assert np.sum(gap < before) > 20
  np.testing.assert_array_equal(gap[kinds[0]], before[kinds[0]])


@pytest.mark.parametrize("algorithm", ["her", "her_uniform", "actionable", "reachability"])
def test_the_buffer_of_a_baseline_holds_stored_steps(whole, dataset, algorithm):
  data = Dataset(dataset)
  config = dataclasses.replace(BASELINE, algorithm=algorithm)
  env = build_environment(offline(dataset, "-"), data)
  learner, discovery = fresh.build(config, env), Discovery(config, data, 0)
  state = learner.init(jax.random.key(0))
  if algorithm == "reachability":
    kept = [stage_files.load(whole / f"{n}.npz") for n in ("encoder", "reachability")]
    discovery.use(*kept)
  filler = Filler(discovery, learner, None, None)
  buffer = filler.fill(state, np.random.default_rng(0), jax.random.key(1))
  assert {len(x) for x in buffer} == {300}
  # The step that leads on from a row, by going through all of them.
  step_of = {row: step for step, row in enumerate(data.before)}
  taken = np.stack([data.action[step_of[row]] for row in buffer.before])
  own = (buffer.action == taken).all(axis=1)
  spec = data.action_spec()
  assert ((buffer.action >= spec.minimum) & (buffer.action <= spec.maximum)).all()
  hit = buffer.goal == buffer.before + 1
  if algorithm == "reachability":
    assert own.all()
    assert (buffer.discount == 1).all()
    assert ((buffer.reward <= 0) & (buffer.reward >= -0.1)).all()
    return
  assert own.all() == (algorithm == "her")
  assert (buffer.discount[~own] == 0).all()
  assert (buffer.reward[~own] == 0).all()
  assert (buffer.discount[buffer.reward == 1] == 0).all()
  assert hit[buffer.reward == 1].all()
  valued = own & (buffer.discount == 0) & (buffer.reward != 1)
  assert (buffer.reward[valued] != 0).any() == (algorithm == "actionable")


def test_a_batch_shows_the_stored_views_before_and_after(dataset):
  data = Dataset(dataset)
  discovery = Discovery(dataclasses.replace(BASELINE, algorithm="her"), data, 0)
  filler = Filler(discovery, None, None, None)
  buffer = filler.fill(None, np.random.default_rng(0), jax.random.key(1))
  picked = np.arange(6).reshape(2, 3)
  batch = batches(data, buffer, picked)
  assert {x.shape for x in batch.observation.values()} == {(2, 3, 2, 2)}
  for place in np.ndindex(2, 3):
    row, goal = buffer.before[picked[place]], buffer.goal[picked[place]]
    seen = data.observation
    np.testing.assert_array_equal(batch.observation["view"][place], seen[[row, row + 1]])
    np.testing.assert_array_equal(batch.observation["goal"][place], seen[[goal, goal]])


def test_learning_fits_a_value_that_ends(dataset):
  """Steps that pay 1 and end are worth 1, whatever comes after."""
  data = Dataset(dataset)
  learner = fresh.build(AGENT, build_environment(offline(dataset, "-"), data))
  state, rng = learner.init(jax.random.key(0)), np.random.default_rng(0)
  paid, ends = np.ones((2, 16), np.float32), np.zeros((2, 16), np.float32)
  for key in range(150):
    drawn = rng.uniform(-1, 1, (2, 2, 16, 2, 2)).astype(np.float32)
    observation = dict(zip(("view", "goal"), drawn, strict=True))
    action = rng.uniform(-1, 1, (2, 16, 2)).astype(np.float32)
    batch = Transitions(observation, action, paid, ends)
    state, _ = learner.learn(state, batch, jax.random.key(key))
  one = {name: x[0, :, 0] for name, x in observation.items()}
  value = learner.value(state, one, action[0])
  np.testing.assert_allclose(value, 1.0, atol=0.15)
  assert learner.act(state, one, jax.random.key(0)).shape == (16, 2)


def test_success_by_distance_counts_each_goal_once():
  distance = np.array([0.0, 1.0, 4.9, 5.0, 10.0, np.inf])
  rows = scores.bands(distance, np.array([1, 0, 1, 0, 1, 0], bool))
  assert [row["episodes"] for row in rows] == [2, 0, 2, 0, 1]
  assert rows[0]["success"][0] == 0.5
  assert rows[1]["success"] is None


def test_another_config_is_refused(whole, dataset):
  config = offline(dataset, whole, seed=1)
  with pytest.raises(UserError, match=r"another config \(config.seed was 0, now 1\)"):
    command.run(config, QUIET)


def test_a_damaged_stage_is_refused(whole, dataset, tmp_path):
  out = tmp_path / "run"
  out.mkdir()
  (out / "config.json").write_bytes((whole / "config.json").read_bytes())
  (out / "encoder.npz").write_bytes((whole / "encoder.npz").read_bytes()[:100])
  with pytest.raises(UserError, match=r"encoder.npz is damaged .*; delete it"):
    command.run(offline(dataset, out), QUIET)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"env": "deep_sea", "env_args": ("size=4",)}, "has no goals"),
    ({"env": "goals/u_maze"}, "is of environment goals/random_maze, not of goals/u_maze"),
    ({"dataset": "nowhere"}, "nowhere holds no dataset"),
    ({"eval_episodes": 0}, "give at least 1"),
    ({"env_args": ("size=5",)}, "Give --env"),
    (
      {"agent": dataclasses.replace(AGENT, objective=SOFT_Q)},
      "soft_q",
    ),
  ],
)
def test_bad_input_is_refused_in_one_line(dataset, tmp_path, changes, message):
  config = offline(dataset, tmp_path / "run", **changes)
  with pytest.raises(UserError, match=message) as told:
    command.run(config, QUIET)
  assert "\n" not in str(told.value)
  assert not (tmp_path / "run").exists()


def test_an_unknown_algorithm_is_refused():
  with pytest.raises(UserError, match="expected one of fresh, reachability, her"):
    OfflineConfig.of("gcsl")


def test_the_sparse_baselines_have_their_own_discount():
  assert OfflineConfig.of("actionable").agent.returns.discount == 0.99
  assert OfflineConfig.of("reachability").agent.returns.discount == 0.9


def test_updates_that_fill_no_whole_buffer_are_refused():
  with pytest.raises(ValueError, match="multiple of fill_updates"):
    dataclasses.replace(AGENT, buffer=BufferConfig(updates=5, fill_updates=2))
  with pytest.raises(ValueError, match="algorithm her has no networks to compare it with"):
    dataclasses.replace(AGENT, algorithm="her")
  with pytest.raises(ValueError, match="retrieval_batch is 9; it must be at most retrieval_queue"):
    dataclasses.replace(AGENT, retrieval_training=RetrievalTraining(3, retrieval_batch=9))
