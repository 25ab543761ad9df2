"""The agent go_explore on_device: what it goes back to, and the ways that it keeps."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents.agent import NOTHING_GIVEN, Standing
from agents.archive import agent as archive_agent
from agents.archive import parts as archive_parts
from agents.archive import revisit
from agents.archive.config import ArchiveConfig, GoExploreConfig
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from experiments.runs.checkpoint import Checkpoints
from experiments.runtimes import on_device

ENV = envs.make("catch")
SETTINGS = ArchiveConfig(
  cells="views", archive_capacity=24, beginnings=3, explore_steps=5, demonstrations=4,
  backward_attempts=2, from_beginning=0.3,
)  # fmt: skip
CONFIG = GoExploreConfig(
  batch_size=8,
  unroll_length=4,
  head_hidden=8,
  archive=SETTINGS,
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("linear"), latent_size=8, core_size=8, predictor_hidden=8
  ),
)
EXPLORERS = CONFIG.explorers(CONFIG.batch_size)
CALLS = 12


def equal(one, other):
  """Whether two trees of arrays have the same bits."""

  def bits(x):
    typed = jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(x) if typed else x)

  pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
  return all(np.array_equal(bits(x), bits(y)) for x, y in pairs)


def row(tree, *index):
  return jax.tree.map(lambda x: x[index], tree)


@pytest.fixture(scope="module")
def run():
  """The agent's parts, the program of an update, the carries after each of a few, and the logs."""
  parts = archive_parts.build(CONFIG, ENV, NOTHING_GIVEN)
  agent = archive_agent.build(CONFIG, ENV)
  runtime = on_device.build(ENV, agent, 1)
  carry, carries, logs = runtime.init(jax.random.key(0)[None]), [], []
  for _ in range(CALLS):
    carry, metrics = runtime.run(carry)
    carries.append(jax.tree.map(jnp.copy, row(carry, 0)))
    logs.append(jax.device_get(row(metrics, 0)))
  return parts, runtime, carries, logs


def test_it_goes_back_to_a_kept_state_and_begins_with_a_first(run):
  moved = 0
  for carry in run[2]:
    learner = carry.learner
    now = Standing(carry.env_state.inner, carry.timestep.observation)
    kept = [at for at in range(24) if learner.archive.filled[at]]
    for lane in np.flatnonzero(np.asarray(learner.lanes.placed)):
      moved += 1
      assert carry.timestep.step_type[lane] == carry.env_state.step_type[lane] == 0
      assert carry.timestep.reward[lane] == carry.stats.episode_return[lane] == 0
      if lane < EXPLORERS:
        cells = [row(learner.archive.kept.standing, at) for at in kept]
        assert any(equal(row(now, int(lane)), cell) for cell in cells)
  assert moved == run[3][-1]["returns"] + np.sum(run[2][-1].learner.lanes.placed) > CALLS


def test_ways_lead_to_where_they_say(run):
  parts, _, carries, _ = run
  replay = jax.jit(lambda way, length: revisit.replay(parts, way, length))
  checked = 0
  for carry in carries:
    learner = carry.learner
    for table, standing in (
      (learner.archive, learner.archive.kept.standing),
      (learner.lanes, Standing(carry.env_state.inner, carry.timestep.observation)),
    ):
      way = table.kept.way if table is learner.archive else table.way
      place = replay(way, table.length)
      known = table.filled if table is learner.archive else learner.lanes.length < parts.longest
      for at in np.flatnonzero(np.asarray(known)):
        assert equal(row(place.standing, int(at)), row(standing, int(at)))
        assert place.score[at] == table.score[at]
        checked += int(table.length[at]) > 4  # longer than an unroll
  assert checked > 20


def test_the_archive_has_a_bound_and_says_when_it_is_reached(run):
  logs = run[3]
  assert all(log["archive_cells"] <= 24 for log in logs)
  assert logs[0]["archive_full"] == 0
  assert logs[-1]["archive_full"] == 1
  assert logs[-1]["archive_replaced"] > 0


def test_beginnings_are_explored_so_many_at_a_time(run):
  for carry in run[2]:
    archive = carry.learner.archive
    cells = np.asarray(archive.kept.way.code)[np.asarray(archive.filled)]
    assert 1 <= len(set(cells.tolist())) <= 3


def test_practice_moves_back_along_demonstrations(run):
  _, _, carries, logs = run
  learner = carries[-1].learner
  bank = learner.demonstrations
  assert logs[-1]["demonstrations"] == bank.filled.sum() > 0
  assert (bank.score[bank.filled] > 0).all()
  point, length = learner.practice.point, bank.length
  assert ((point >= 0) & (point < jnp.maximum(length, 1)))[bank.filled].all()
  practised = np.asarray(learner.lanes.attempt)
  assert (practised[:EXPLORERS] == -1).all()
  assert (practised[EXPLORERS:] >= 0).any()
  assert sum(log["attempts_won"] for log in logs) > 0


def test_a_checkpoint_goes_on_to_the_bit(run, tmp_path):
  _, runtime, carries, _ = run
  saved = Checkpoints(tmp_path, {}, create=True)
  saved.save(3, row(carries[2], None))
  carry = saved.restore(runtime.init(jax.random.key(9)[None]))
  saved.close()
  for after in carries[3:5]:
    carry, _ = runtime.run(carry)
    assert equal(row(carry, 0), after)


def test_on_task_nothing_is_done_at_random(run):
  carries = run[2]
  agent = archive_agent.build(CONFIG, ENV)
  variables = agent.variables(carries[-1].learner)
  memory = agent.initial_memory(8)
  assert memory.explores.sum() == EXPLORERS
  step = carries[-1].timestep._replace(step_type=jnp.ones(8, jnp.int32))
  act = jax.jit(agent.act, static_argnums=4)
  differs = 0
  for i in range(4):
    key = jax.random.key(i)
    action, extras, after = act(agent.on_task(variables), memory, step, key, True)
    assert (action == extras["sample"]).all()
    action, extras, after = act(variables, memory, step, key, True)
    assert (after.inner.action == action).all()
    assert (action == extras["sample"])[EXPLORERS:].all()
    differs += int((action != extras["sample"])[:EXPLORERS].sum())
  assert differs > 0


@pytest.mark.parametrize(
  ("changes", "said"),
  [
    ({"archive": dataclasses.replace(SETTINGS, return_by="bonus")}, "asks a bonus"),
    ({"archive": dataclasses.replace(SETTINGS, cells="bonus")}, "asks a bonus"),
    ({"batch_size": 6}, "be a multiple of the 2 minibatches"),
    ({"replay": dataclasses.replace(CONFIG.replay, replay_capacity=8)}, "on policy"),
  ],
)
def test_what_does_not_fit_is_one_line(changes, said):
  with pytest.raises(ValueError, match=said) as error:
    archive_agent.build(dataclasses.replace(CONFIG, **changes), ENV)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("batch", [1, 2])
def test_some_explore_and_some_practise(batch):
  share = dataclasses.replace(SETTINGS, explore_share=0.9)
  with pytest.raises(ValueError, match="at least one must explore and one practise"):
    dataclasses.replace(CONFIG, batch_size=batch, archive=share)
