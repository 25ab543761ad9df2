"""When a run logs, scores and saves."""

import dataclasses

import pytest

from agents.trajectory import DataSpec
from experiments.runtimes.interval import Interval
from experiments.settings.errors import Failed
from experiments.settings.train import TrainConfig

CONFIG = TrainConfig(
  env="catch", steps=950, log_updates=5, eval_rows=4, checkpoint_rows=3, seed=7, seeds=2
)
INTERVAL = Interval(CONFIG, DataSpec(unroll_length=5, batch_size=2))
METRICS = {
  "episodes": 2.0,
  "return_sum": 3.0,
  "length_sum": 10.0,
  "success_sum": 1.0,
  "success_known": 2.0,
  "finite_params": 1.0,
}


def test_a_run_is_of_whole_intervals():
  assert INTERVAL.total == 95  # 950 steps of 10 an update, 50 an interval
  assert Interval(dataclasses.replace(CONFIG, steps=951), INTERVAL.data).total == 100


def test_scores_are_due_every_few_intervals_and_at_the_end():
  ends = [updates for updates in range(1, 96) if INTERVAL.ends(updates)]
  assert ends == list(range(5, 96, 5))
  assert [updates for updates in ends if INTERVAL.scores(updates)] == [20, 40, 60, 80, 95]


def test_a_checkpoint_is_due_once_its_updates_are_passed():
  assert not INTERVAL.saves(0, 14)
  assert INTERVAL.saves(0, 15)
  assert not INTERVAL.saves(15, 29)
  assert INTERVAL.saves(29, 47)


def test_a_row_has_its_seed_and_step_and_means_over_episodes():
  row = INTERVAL.row(METRICS | {"loss": 0.5}, 10, 123.0, seed=1)
  assert row == {
    "seed": 8,
    "step": 100,
    "episode/return": 1.5,
    "episode/length": 5.0,
    "episode/success": 0.5,
    "episode/count": 2.0,
    "loss": 0.5,
    "steps_per_second": 123.0,
  }


def test_a_number_that_is_not_finite_ends_the_run():
  with pytest.raises(Failed, match="loss is not finite, seed 7, steps 50 to 100"):
    INTERVAL.row(METRICS | {"loss": float("nan")}, 10, 1.0)
