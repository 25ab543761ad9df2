"""The laboratory's four tests: what is shown, what is right, and that nothing else pays."""

import numpy as np
import pytest

from envs.first_person.body import USE
from envs.first_person.labyrinth import lab, looks
from tests.envs.first_person.labyrinth.play import act, begin, here, slots

LEFT, RIGHT, UP, DOWN = 6, 7, 0, 1
LOOK = {lab.LEFT: LEFT, lab.RIGHT: RIGHT, lab.UP: UP, lab.DOWN: DOWN}
MAPPING = "psychlab_arbitrary_visuomotor_mapping"
RECOGNITION = "psychlab_continuous_recognition"
COMPARISON = "psychlab_sequential_comparison"
SEARCH = "psychlab_visual_search"


def image(now):
  return int(now.things.shape[1]) - looks.FIRST_IMAGE


def begun(now):
  """Until an answer is asked for."""
  now = act(now, USE).state
  while int(now.lab.phase) != lab.ASKED:
    now = act(now, USE).state
  return now


def answered(now, right=True):
  wrong = lab.LEFT if int(now.lab.answer) != lab.LEFT else lab.RIGHT
  return act(now, LOOK[int(now.lab.answer) if right else wrong])


@pytest.mark.parametrize("name", [MAPPING, RECOGNITION, COMPARISON, SEARCH])
def test_the_right_answer_pays_1_and_a_wrong_one_nothing_and_the_body_stays(name):
  start = begin(name)
  now = begun(start)
  right, wrong = answered(now), answered(now, right=False)
  assert (float(right.reward), float(wrong.reward)) == (1, 0)
  for outcome in (right, wrong):
    assert int(outcome.state.lab.phase) == lab.BETWEEN
    assert here(outcome.state) == here(start)


def test_nothing_pays_between_trials():
  now = begin(SEARCH)
  for action in (LEFT, RIGHT, UP, DOWN, 2):
    outcome = act(now, action)
    assert float(outcome.reward) == 0
    assert int(outcome.state.lab.trial) == 0


def test_an_image_has_the_same_direction_all_episode_and_another_in_another():
  def directions(seed):
    now, found = begin(MAPPING, seed=seed), {}
    for _ in range(12):
      now = begun(now)
      assert found.setdefault(image(now), int(now.lab.answer)) == int(now.lab.answer)
      now = answered(now).state
    return found

  found = [directions(seed) for seed in range(3)]
  assert found[0] != found[1]
  assert len({answer for one in found for answer in one.values()}) > 2


def test_the_set_of_images_grows_after_a_round_without_a_miss_and_only_then():
  now = begin(MAPPING)
  assert int(now.lab.shown) == 2
  for right in (True, True):
    now = answered(begun(now), right).state
  assert int(now.lab.shown) == 3
  seen = set()
  for right in (True, False, True):
    now = begun(now)
    seen.add(image(now))
    now = answered(now, right).state
  assert int(now.lab.shown) == 3
  assert len(seen) == 3


def test_an_old_image_is_one_that_was_seen_and_a_new_one_was_not():
  now, seen, old = begin(RECOGNITION), set(), 0
  for _ in range(40):
    now = begun(now)
    assert (image(now) in seen) == (int(now.lab.answer) == lab.RIGHT)
    old += image(now) in seen
    seen.add(image(now))
    now = answered(now).state
  assert 10 < old < 30


def test_arrays_are_compared_after_a_blank_of_1_to_16_steps():
  now, blanks, answers = begin(COMPARISON), [], set()
  for _ in range(12):
    now = act(now, USE).state
    studied = np.asarray(now.things.shape[2:6])
    assert slots(now.things.on) == [2, 3, 4, 5]
    steps = 0
    while int(now.lab.phase) != lab.ASKED:
      now = act(now, USE).state
      if int(now.lab.phase) == lab.BLANK:
        steps += 1
        assert not np.asarray(now.things.on[2:6]).any()
    blanks.append(steps)
    differ = int((np.asarray(now.things.shape[2:6]) != studied).sum())
    assert differ == (1 if int(now.lab.answer) == lab.LEFT else 0)
    answers.add(int(now.lab.answer))
    now = answered(now).state
  assert min(blanks) >= 1
  assert max(blanks) <= 16
  assert len(set(blanks)) > 3
  assert answers == {lab.LEFT, lab.RIGHT}


def test_the_magenta_t_is_there_if_the_answer_is_yes():
  now, counts = begin(SEARCH), set()
  for _ in range(20):
    now = begun(now)
    items = [
      (looks.SHAPES[int(now.things.shape[s])], looks.COLOUR_NAMES[int(now.things.colour[s])])
      for s in slots(now.things.on)
      if 2 <= s < 10
    ]
    assert (items.count(("t", "magenta")) == 1) == (int(now.lab.answer) == lab.RIGHT)
    assert items.count(("t", "magenta")) <= 1 <= len(items) <= 8
    counts.add(len(items))
    now = answered(now).state
  assert len(counts) > 3


def test_the_last_trial_ends_the_episode():
  start = begun(begin(SEARCH))
  last = start._replace(lab=start.lab._replace(trial=start.lab.trial * 0 + 80))
  assert bool(answered(last).terminated)
  assert not bool(answered(start).terminated)


def test_the_64_images_all_come_before_one_comes_again():
  start = begin(RECOGNITION).lab
  assert len({int(lab.image(start, np.int32(n))) for n in range(64)}) == 64
