"""Replay in the actor_learner runtime, and what an update and a step are where an agent replays."""

import dataclasses
import itertools

import numpy as np
import pytest

from agents.replay import ReplayConfig
from agents.soft_q import SoftQConfig
from agents.torsos import torso as torsos
from agents.trajectory import DataSpec, ReplaySpec
from agents.world_model.world_model import WorldModelConfig
from experiments.experience import forms
from experiments.experience.rate_limiter import error_buffer
from experiments.experience.replay import Replay
from experiments.experience.reverb import ReverbExperience
from experiments.runs import experiment as train
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig
from tests.experiments.experience.conftest import needs_flashbax, needs_reverb

pytestmark = needs_flashbax
FORMS = {"embedded": Replay, "reverb": ReverbExperience}
SMALL = SoftQConfig(
  batch_size=8,
  unroll_length=5,
  head_hidden=8,
  auxiliary=(),
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("linear"),
    latent_size=8,
    core_size=8,
    predictor_hidden=8,
    horizon=2,
  ),
  replay=ReplayConfig(replay_capacity=20, replay_min_size=8, samples_per_insert=4.0),
)
PER_UPDATE, WARM_UP = 10, 4
"""Steps that an update stands for: 5 * 8 / 4; updates of the first 8 trajectories: 8 * 4 / 8."""


def config(replay=SMALL.replay, **changes):
  asked = {
    "env": "deep_sea",
    "env_args": ("size=4",),
    "runtime": "actor_learner",
    "steps": 600,
    "log_updates": 20,
    "eval_episodes": 4,
    "agent_name": "soft_q",
    "agent": dataclasses.replace(SMALL, replay=replay),
  }
  return TrainConfig(**asked | changes)


@pytest.mark.parametrize(
  ("replay", "per_update", "warm_up"),
  [
    (None, 512, 0),
    (ReplaySpec(2000, 100, 4.0, 0.9), 128, 13),
    (ReplaySpec(2000, 64, 0.5, 0.9), 1024, 1),
    (ReplaySpec(2000, 1, 3.0, 0.9, 32), 512 / 3, 1),
  ],
)
def test_what_an_update_stands_for(replay, per_update, warm_up):
  data = DataSpec(16, 32, replay)
  assert configs.steps_per_update(data) == pytest.approx(per_update)
  assert configs.warm_up(data) == warm_up
  assert configs.steps(data, 3) == round(3 * per_update)
  assert configs.steps(data, warm_up) >= (replay.min_size * 16 if replay else 0)


@pytest.mark.parametrize("runtime", ["actor_learner", "on_device"])
@pytest.mark.parametrize(
  ("replay", "steps", "message"),
  [
    ({"replay_min_size": 20}, 90, "--steps is 90; the replay is filled with 100"),
    ({"replay_min_size": 21}, 200, "min_size is 21; it must lie between 1 and the capacity, 20"),
    ({"samples_per_insert": 0.0}, 200, "samples_per_insert is 0.0; it must be positive"),
  ],
)
def test_a_replay_that_cannot_work_is_refused_before_anything_runs(runtime, replay, steps, message):
  changed = dataclasses.replace(SMALL.replay, **replay)
  asked = config(changed, runtime=runtime, steps=steps, log_updates=1)
  with pytest.raises(UserError, match=message):
    train.build(asked)


@needs_reverb
def test_dicts_with_masks_go_through_reverb(tmp_path):
  world = {"env": "tests.worlds_of_trees:Masked", "env_args": ()}
  asked = config(**world, experience="reverb", steps=400, out=str(tmp_path / "run"))
  loop = train.build(asked).loop
  rows = [row for now in loop.train(loop.init(), lambda: False) for row in now.rows]
  assert rows[-1]["step"] == 400
  assert rows[-1]["eval/train/return"] == 0  # an action that is not allowed costs 1
  for row in rows:
    assert row["episode/return"] == 0
    assert np.isfinite(row["loss"])


@pytest.mark.parametrize("form", ["embedded", pytest.param("reverb", marks=needs_reverb)])
def test_a_run_learns_writes_priorities_back_counts_and_resumes(form, tmp_path, monkeypatch):
  written, kind = [], FORMS[form]
  update = kind.update_priorities

  def spy(self, keys, priorities):
    written.append((keys, priorities))
    update(self, keys, priorities)

  monkeypatch.setattr(kind, "update_priorities", spy)
  asked = config(experience=form, out=str(tmp_path / "run"))
  experiment = train.build(asked)
  data = experiment.agent.data
  progress = []
  for now in experiment.loop.train(experiment.loop.init(), lambda: False):
    progress.append(now)
    if now.updates == experiment.updates:
      state = now.state()
  rows = list(itertools.chain.from_iterable(p.rows for p in progress))

  # Counting begins with what filled the replay.
  assert [p.updates for p in progress] == list(range(WARM_UP + 1, 61))
  assert int(state.learner.updates) == 60 - WARM_UP
  assert [row["step"] for row in rows] == [200, 400, 600]
  # Actors run ahead by what waits, is acted out, or lies in batches that were drawn ahead.
  taken = 5 * sum(row["episode/count"] for row in rows)
  drawn = error_buffer(data) + 5 * data.batch_size
  ahead = drawn / data.replay.samples_per_insert + 2 * asked.environments(data)
  assert abs(taken - 600) <= data.unroll_length * ahead

  # Every batch but the last, which was still being learned from.
  assert len(written) == 60 - WARM_UP - 1
  assert all(keys.shape == priorities.shape == (8,) for keys, priorities in written)
  assert np.mean([priorities != 1 for _, priorities in written]) > 0.9

  # The replay was saved with the state, and the run goes on without filling it again.
  kept = tmp_path / "run" / "replay" / form
  with forms.local(asked, experiment.agent, experiment.env, kept) as experience:
    assert experience.size() >= data.replay.min_size
  resumed = train.build(dataclasses.replace(asked, steps=800))
  more = list(resumed.loop.train(state, lambda: False))
  assert [p.updates for p in more] == list(range(61, 81))
  assert [row["step"] for p in more for row in p.rows] == [800]
