"""Observations as trees: their specs, what is visible of them, and what is refused."""

import copy

import numpy as np
import pytest
from dm_env import specs

from envs import observation
from envs.observation import LABEL, LEGAL, Cells, Tokens

VECTOR = specs.Array((2,), np.float32)
MASK = specs.BoundedArray((3,), bool, False, True)
ACTIONS = specs.DiscreteArray(3)
SEVERAL = specs.BoundedArray((2,), np.int32, 0, [1, 2])


@pytest.mark.parametrize(
  ("spec", "names"),
  [
    (Cells((4, 4, 3), np.uint8, 0, 255, 2, "view"), ("side",)),
    (Tokens(5, 4, ("a", "b", "c"), "told"), ("size", "words")),
  ],
)
def test_specs_of_leaves_are_copied_whole_as_for_another_process_and_can_be_replaced(spec, names):
  for other in (copy.copy(spec), spec.replace(name="other")):
    assert type(other) is type(spec)
    assert other == spec
    assert [getattr(other, name) for name in names] == [getattr(spec, name) for name in names]


def test_a_mask_is_not_visible_and_a_leaf_that_is_left_alone_stands_for_itself():
  assert observation.visible({"a": 1, "b": 2, LEGAL: 3}) == {"a": 1, "b": 2}
  assert observation.visible({"a": 1, LEGAL: 3}) == 1
  assert observation.visible(VECTOR) is VECTOR
  assert observation.legal({"a": 1, LEGAL: 3}) == 3
  assert observation.legal(VECTOR) is None


def test_a_label_is_not_visible_and_tells_of_how_many_classes_it_may_be():
  spec = {"a": VECTOR, LABEL: specs.BoundedArray((), np.int32, -1, 4)}
  observation.check_spec(spec, ACTIONS)
  assert observation.visible(spec) is VECTOR
  assert observation.classes(spec) == 5
  assert observation.classes(VECTOR) == observation.classes({"a": VECTOR}) == 0


@pytest.mark.parametrize(
  ("spec", "actions", "words"),
  [
    ([VECTOR], ACTIONS, "expected an Array, or a dict of Arrays"),
    ({"a": {"b": VECTOR}}, ACTIONS, "expected an Array, or a dict of Arrays"),
    ({1: VECTOR}, ACTIONS, "expected names that are strings"),
    ({LEGAL: MASK}, ACTIONS, "no leaf but a mask can be seen"),
    ({"a": VECTOR, LEGAL: MASK}, specs.DiscreteArray(4), r"a mask is bool \(4,\)"),
    ({"a": VECTOR, LEGAL: VECTOR}, ACTIONS, r"'legal' is float32 \(2,\); .* bool \(3,\)"),
    ({"a": VECTOR, LABEL: VECTOR}, ACTIONS, "'class_label' is Array.*one integer with bounds"),
    ({LABEL: specs.DiscreteArray(2)}, ACTIONS, "no leaf but a mask can be seen"),
    ({"a": VECTOR, LEGAL: MASK}, specs.BoundedArray((1,), np.float32, 0, 1), "are continuous"),
  ],
)
def test_what_is_no_spec_of_an_observation_is_one_line(spec, actions, words):
  with pytest.raises(ValueError, match=words) as error:
    observation.check_spec(spec, actions)
  assert "\n" not in str(error.value)


def test_observations_have_their_leading_axes_and_rows():
  spec = {"a": VECTOR, "b": Cells((2, 2, 1), np.int32, 0, 3, 1)}
  many = observation.zeros(spec, (4, 5))
  assert observation.lead(spec, many) == (4, 5)
  flat = observation.rows(spec, many)
  assert {name: x.shape for name, x in flat.items()} == {"a": (20, 2), "b": (20, 2, 2, 1)}
  assert observation.one_line(spec) == "a float32 (2,), b int32 (2, 2, 1)"


def test_a_mask_allows_an_action_if_it_allows_a_value_of_each_entry():
  masks = np.array([[1, 0, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1]], bool)
  np.testing.assert_array_equal(observation.allows(masks, SEVERAL), [True, False, False])
  np.testing.assert_array_equal(observation.allows(masks[:, 2:], ACTIONS), [True, False, True])
