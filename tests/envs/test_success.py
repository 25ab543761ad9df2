"""Whether an episode succeeded."""

import math

import numpy as np
import pytest

import envs
from envs.conformance import ConformanceError
from envs.host.conformance import check
from envs.host.serial import SerialVector
from envs.host.vector import vector
from envs.success import FAILURE, SUCCESS, UNKNOWN, InfoSuccess, flag, outcomes, succeeded


@pytest.mark.parametrize("value", [True, 1, 1.0, np.float32(1), np.array([True]), np.array(1)])
def test_one_is_success(value):
  assert flag(value) == SUCCESS


@pytest.mark.parametrize("value", [False, 0, 0.0, np.bool_(False), np.array([0.0]), -1])
def test_zero_is_no_success_and_not_missing(value):
  assert flag(value) == FAILURE


@pytest.mark.parametrize("value", [None, math.nan, "1", {}, [1, 2], np.array([1, 1]), object()])
def test_what_is_no_number_tells_nothing(value):
  assert flag(value) == UNKNOWN


@pytest.mark.parametrize(
  ("infos", "expected"),
  [
    ([{}, {}], UNKNOWN),
    ([{"success": 1}, {"success": 0}], SUCCESS),
    ([{"success": 0}, {}], FAILURE),
    ([{"is_success": True}, {"is_success": False}], FAILURE),
    ([{"is_success": False}, {"is_success": True}], SUCCESS),
    ([{"success": 1}, {"success": 1, "is_success": 0}], FAILURE),
    ([{"is_success": 0, "success": 1}, {"is_success": None}], SUCCESS),
    ([None, []], UNKNOWN),
  ],
)
def test_success_at_any_step_and_is_success_at_the_last(infos, expected):
  success = InfoSuccess()
  success.read({"success": True, "is_success": True})
  success.begin()
  for info in infos:
    success.read(info)
  assert success.outcome() == expected


def test_what_is_told_comes_before_the_threshold():
  told = np.array([UNKNOWN, FAILURE, SUCCESS, UNKNOWN])
  found = outcomes(told, np.array([5.0, 5.0, 1.0, 1.0]), 2.0)
  assert found.tolist() == [SUCCESS, FAILURE, SUCCESS, FAILURE]


@pytest.mark.parametrize("threshold", [0, 0.0, -110])
def test_a_threshold_of_zero_or_below_is_one(threshold):
  found = outcomes(np.full(2, UNKNOWN), np.array([threshold, threshold - 1]), threshold)
  assert found.tolist() == [SUCCESS, FAILURE]


@pytest.mark.parametrize("threshold", [math.inf, -math.inf, math.nan])
def test_without_a_threshold_nothing_is_known(threshold):
  found = outcomes(np.array([UNKNOWN, SUCCESS]), np.zeros(2), threshold)
  assert found.tolist() == [UNKNOWN, SUCCESS]


def test_silence_is_no_success_only_where_another_episode_spoke():
  assert succeeded(np.array([UNKNOWN, UNKNOWN])) is None
  assert succeeded(np.array([UNKNOWN, SUCCESS, FAILURE])).tolist() == [False, True, False]


@pytest.mark.parametrize("stepping", ["serial", "threads", "processes"])
def test_vectors_carry_what_each_environment_told(stepping, quirks):
  env = envs.make("quirks_success:Turns", stepping=stepping)
  with vector(env, 3, 0) as together:
    together.reset()
    assert together.success().tolist() == [UNKNOWN] * 3
    told = []
    for _ in range(6):
      together.step(np.array([0, 1, 2]))
      told.append(together.success().tolist())
    assert together.success().dtype == np.int8
  episode = [[UNKNOWN, FAILURE, SUCCESS]] * 2 + [[UNKNOWN] * 3]  # a FIRST forgets
  assert told == episode * 2


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("quirks_success:Nothing", 0),
    ("quirks_success:Cost", -10),
    ("gym:quirks_success:QuirkZero-v0", 0),
    ("gym:quirks_success:QuirkCost-v0", -110),
    ("quirks:Base", math.inf),
  ],
)
def test_thresholds_of_zero_and_below_are_kept(quirks, name, expected):
  assert envs.make(name, stepping="serial").success_return == expected


@pytest.mark.parametrize(
  ("name", "settings"),
  [
    ("quirks_success:NoSteps", {}),
    ("gym:quirks:Quirk-v0", {"max_episode_steps": 0}),
    ("gym:quirks:Quirk-v0", {"max_episode_steps": -1}),
    ("gym:quirks:Quirk-v0", {"max_episode_steps": 2.5}),
    ("atari/pong", {"max_episode_steps": 0}),
  ],
)
def test_no_steps_are_refused(quirks, name, settings):
  with pytest.raises(ValueError, match=r"max_episode_steps is .*; expected an integer above 0\."):
    envs.make(name, **settings)


def test_a_threshold_that_is_no_number_is_refused(quirks):
  with pytest.raises(ValueError, match="success_return is 'high'; expected a number, or None"):
    envs.make("quirks_success:WordsForSuccess")


@pytest.mark.parametrize("told", [np.array([2, 0, 0]), np.array([1])])
def test_conformance_refuses_what_is_no_success(quirks, monkeypatch, told):
  env = envs.make("quirks_success:MiddleSuccess", stepping="serial")
  check(env, steps=15)
  monkeypatch.setattr(SerialVector, "success", lambda self: told)
  with pytest.raises(ConformanceError, match=r"success\(\) is \[.*; expected 1, 0 or -1"):
    check(env, steps=15)
