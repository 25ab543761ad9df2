"""Exceptions as plain text: whose code raised, where, and what it said, in one line."""

import json
import re

import numpy as np
import pytest

from envs.errors import LONGEST, EnvironmentFailed, Failure, own_frame, raised
from envs.given import check_reward


def caught(function):
  try:
    function()
  except Exception as error:  # less this frame, as what called an environment is ours
    return error.with_traceback(error.__traceback__.tb_next)
  pytest.fail("it raised nothing")


def in_numpy():
  return np.stack([np.zeros(2), np.zeros(3)])


def by_us():
  return check_reward(None)


def chained():
  try:
    json.loads("{")
  except ValueError as error:
    raise KeyError("the map\n  is broken") from error


def nameless():
  raise RuntimeError


class Unspeakable(Exception):
  def __str__(self):
    raise RuntimeError("not that either")


def unspeakable():
  raise Unspeakable


def coloured():
  raise RuntimeError("\x1b[31mred\x1b[0m\x07")


def long():
  raise RuntimeError("x" * 3000)


@pytest.mark.parametrize(
  ("function", "told"),
  [
    (in_numpy, r"^ValueError: all input .* \(.*test_errors\.py:\d+ in in_numpy\)$"),
    (chained, r"^KeyError: 'the map\\n is broken' \(.*test_errors\.py:\d+ in chained\)$"),
    (nameless, r"^RuntimeError: raise RuntimeError \(.*test_errors\.py:\d+ in nameless\)$"),
    (unspeakable, r"^Unspeakable: <its str\(\) failed> \("),
    (by_us, r"^the reward is None \(NoneType\); expected one number\. \(.* in by_us\)$"),
    (coloured, r"^RuntimeError: red \("),
    (long, rf"^RuntimeError: x{{{LONGEST}}}\.\.\. \("),
  ],
)
def test_one_line_says_kind_message_and_place_in_ones_own_code(function, told):
  line = str(Failure.of(caught(function)))
  assert "\n" not in line
  assert re.search(told, line), line


def test_the_whole_traceback_is_kept_with_what_it_was_raised_from():
  text = Failure.of(caught(chained)).traceback
  assert "json" in text
  assert text.rstrip().endswith("KeyError: 'the map\\n  is broken'")


def test_where_no_frame_is_ones_own_the_innermost_is_told():
  error = caught(lambda: json.loads("{"))
  library = error.with_traceback(error.__traceback__.tb_next)
  assert own_frame(library) is None
  assert "json/decoder.py" in Failure.of(library).where


def test_a_mistake_of_grammar_is_told_where_it_is():
  error = caught(lambda: compile("x = (", "mine.py", "exec"))
  assert Failure.of(error).where == "mine.py:1"


def test_the_cause_tells_the_place_of_what_we_raise_about_it():
  try:
    try:
      in_numpy()
    except ValueError as error:
      raise EnvironmentFailed(raised("mine", 3, error)) from error
  except EnvironmentFailed as error:
    told = Failure.of(error)
  assert str(told).startswith("environment 'mine' (number 3) failed: ValueError: all input")
  assert told.where.endswith(" in in_numpy")


def test_a_failure_survives_as_strings():
  failure = raised("mine", 0, caught(chained))
  assert Failure(*json.loads(json.dumps(failure))) == failure
