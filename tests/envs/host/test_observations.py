"""What agents see of observations of every kind: pictures, nests, text, masks, sizes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dm_env import specs

import envs
from envs.host.conformance import check
from envs.host.vector import vector
from envs.host.words import number
from envs.observation import Tokens

TESTS = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _where_quirks_lie(monkeypatch):
  monkeypatch.chdir(TESTS)
  monkeypatch.syspath_prepend(str(TESTS))


def make(name):
  return envs.make(name, stepping="serial")


def own(name):
  return make(f"quirks_{'dm' if name.startswith('Dm') else 'spaces'}:{name}")


def shown_and_seen(name):
  """The first observation of an environment, and what becomes of it."""
  import quirks_spaces

  env, raw = own(name), getattr(quirks_spaces, name)()
  return raw.reset(seed=0)[0], env.make(0).reset().observation, env


@pytest.mark.parametrize("name", ["ChannelsFirst", "GreyFirst", "Frames"])
def test_channels_that_come_first_are_moved_last_and_the_notes_say_so(name):
  shown, seen, env = shown_and_seen(name)
  np.testing.assert_array_equal(seen, np.moveaxis(shown, 0, -1))
  assert env.observation_spec().shape == seen.shape
  assert len(env.notes) == 1
  assert f"[C, H, W] = {shown.shape} reach the agent as [H, W, C]" in env.notes[0]
  check(env, steps=15)


@pytest.mark.parametrize("name", ["FramesFirst", "FramesLast"])
def test_stacks_of_pictures_become_channels(name):
  shown, seen, env = shown_and_seen(name)
  frames = [np.moveaxis(f, 0, -1) if name == "FramesFirst" else f for f in shown]
  np.testing.assert_array_equal(seen, np.concatenate(frames, -1))
  assert env.observation_spec().shape == (16, 20, 6)
  assert "[S, " in env.notes[0]


def test_grey_pictures_have_one_channel():
  shown, seen, _ = shown_and_seen("Grey")
  np.testing.assert_array_equal(seen, shown[..., None])


@pytest.mark.parametrize("name", ["ChannelsLast", "Memory"])
def test_other_bytes_stay(name):
  shown, seen, env = shown_and_seen(name)
  np.testing.assert_array_equal(seen, shown)
  assert (seen.dtype, env.notes) == (np.uint8, ())


@pytest.mark.parametrize("name", ["Ambiguous", "Planes", "FramesLastOfAll", "WidePlanes"])
def test_pictures_that_may_be_either_way_round_are_refused(name):
  with pytest.raises(ValueError, match="which axis has the channels of these pictures"):
    own(name)


@pytest.mark.parametrize("name", ["IntegerPixels", "IntegerFirst", "IntegerGrey"])
def test_integers_that_look_like_pictures_are_pixels(name):
  shown, seen, env = shown_and_seen(name)
  pixels = np.moveaxis(shown, 0, -1) if name == "IntegerFirst" else shown
  np.testing.assert_array_equal(seen, pixels.reshape(seen.shape))
  assert (seen.dtype, env.observation_spec().dtype, seen.ndim) == (np.uint8, np.uint8, 3)
  check(env, steps=15)


def test_integer_pixels_out_of_their_bounds_are_refused():
  with pytest.raises(ValueError, match="observation goes from 0 to 256; declared is 0 to 255"):
    own("IntegerBeyond")


def test_floats_without_bounds_that_look_like_pictures_are_numbers_and_noted():
  env = own("Table")
  assert env.observation_spec() == specs.BoundedArray((20, 30, 5), np.float32, -np.inf, np.inf)
  assert env.notes == ("observation, float32 (20, 30, 5), is read as numbers, not as a picture",)


@pytest.mark.parametrize("name", ["SmallFloats", "SmallIntegers"])
def test_small_boards_stay_what_they_are(name):
  shown, seen, env = shown_and_seen(name)
  np.testing.assert_array_equal(seen, shown)
  assert (seen.dtype, env.notes) == (np.float32 if name == "SmallFloats" else np.int32, ())


def test_bytes_of_few_values_are_categories():
  spec = own("Symbols").observation_spec()
  assert (spec.dtype, spec.shape, spec.maximum) == (np.int32, (5, 5, 3), 10)


@pytest.mark.parametrize("name", ["quirks:Empty", "quirks_spaces:EmptyDict"])
def test_nothing_to_observe_is_one_number(name):
  env = make(name)
  np.testing.assert_array_equal(env.make(0).reset().observation, [0])
  assert "there is nothing to observe" in env.notes[-1]
  check(env, steps=15)


@pytest.mark.parametrize(
  ("name", "words"),
  [
    ("quirks_spaces:GraphInside", r"observation\['g'\] is a Graph space"),
    ("quirks_spaces:SequenceInside", r"observation\[1\] is a Sequence space"),
    ("quirks_spaces:Either", "observation is a OneOf space"),
    ("quirks_spaces:FloatInside", r"observation\['camera'\] looks like a picture in float32"),
    ("quirks_spaces:FloatPicture", r"looks like a picture in float32 \(3, 20, 20\).*TransformObs"),
    ("quirks_spaces:SignedPicture", r"looks like a picture in int8 \(20, 20, 3\).*TransformObs"),
    ("quirks_spaces:MasksOfSeveral", r"the mask of actions, .*, has 5 entries; actions .* have 3"),
    ("quirks_spaces:WideMask", r"observation\['action_mask'\], has 4 entries; actions .* have 3"),
    ("quirks_spaces:NothingAllowed", r"is \[0 0 0\] at step 0 of its episode: it allows no action"),
    ("quirks_spaces:FloatMask", r"the mask of actions, .*, holds \[0.5 1. 0. \]; expected 0 and 1"),
    ("quirks_spaces:ContinuousMask", "are continuous, and no mask can say which"),
    ("quirks_spaces:NoText", r"observation\['told'\] is a int; a text is declared"),
    ("quirks_spaces:ReservedName", "are called 'vector'; rename one"),
    ("quirks:WrongShape", r"observation has shape \(5,\); declared is \(3,\)"),
    ("quirks_dm:DmWrongShape", r"observation\['b'\] has shape \(4,\); declared is \(2, 2\)"),
    ("quirks_spaces:MissingKey", r"observation is \['a'\]; expected a dict of \['a', 'b'\]"),
    ("quirks_spaces:MoreKeys", r"observation is \['a', 'b', 'c'\]; expected"),
    ("quirks_spaces:FloatPixels", "observation has dtype float32; declared is uint8"),
    ("quirks_spaces:WrongCategory", "observation is 3; expected 0 to 2"),
    ("quirks_spaces:WrongCategoryInside", r"observation\['where'\] is 3; expected 0 to 2"),
    ("quirks_spaces:BelowBounds", "observation goes from -4 to 0; declared is -3 to 3"),
    ("quirks_spaces:OtherText", r"observation\['told'\] is 'no'; 'xx' is declared"),
    ("quirks:OldReset", r"OldReset\.reset\(\) takes no seed.*expected reset\(\*, seed=None"),
    ("quirks_spaces:NoInfo", r"NoInfo\.reset\(\) returned a ndarray.*\(observation, info\)"),
    ("quirks_spaces:LongReset", r"LongReset\.reset\(\) returned 3 values"),
  ],
)
def test_what_cannot_be_seen_is_refused_before_a_step_in_one_line(name, words):
  with pytest.raises(ValueError, match=words) as error:
    make(name)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("name", "words"),
  [
    (
      "quirks:OldStep",
      r"OldStep\.step\(\) returned 4 values.*\(observation, reward, terminated, t",
    ),
    ("quirks_spaces:MaskInStep", r"MaskInStep\.step\(\) gives 'action_mask' in its info, where"),
    ("quirks_spaces:MaskInReset", r"MaskInReset\.step\(\) gives no 'action_mask' in its info"),
    ("quirks_spaces:NothingAllowedLater", r"at step 1 of its episode: it allows no action"),
    ("quirks_spaces:LateLeaf", r"observation is \['a', 'b'\]; expected a dict of \['a'\]"),
    ("quirks_spaces:LaterWrong", r"observation has shape \(3, 1\); declared is \(3,\)"),
  ],
)
def test_what_only_steps_show_is_one_line(name, words):
  env = make(name).make(0)
  env.reset()
  with pytest.raises(ValueError, match=words) as error:
    env.step(0)
  assert "\n" not in str(error.value)


def test_a_text_that_cannot_differ_is_left_out_and_the_notes_say_so():
  env = own("SameText")
  assert env.observation_spec() == specs.Array((2,), np.float32, "observation")
  assert env.notes[0] == "observation['told'] is left out: it is always 'xx'"
  check(env, steps=15)


@pytest.mark.parametrize(
  ("name", "shape"),
  [
    ("gym:Taxi-v4", ()),
    ("quirks:Masked", (3,)),
    ("quirks_spaces:MaskInStep", (3,)),
    ("quirks_spaces:MaskMethod", (3,)),
    ("quirks_spaces:MaskInTuple", (1,)),
    ("quirks_spaces:MasksOfSeveral", (2,)),
    ("quirks_dm:DmMasked", (5,)),
  ],
)
def test_masks_are_left_out_where_they_are_to_be_ignored_and_the_notes_say_so(name, shape):
  env = envs.make(name, stepping="serial", masks="ignored")
  assert env.observation_spec().shape == shape
  assert env.notes[0] == "masks of actions are ignored: masked actions are taken too"
  one = env.make(0)
  one.reset()
  one.step(0)


@pytest.mark.parametrize("name", ["quirks:Masked", "gym:CartPole-v1", "quirks_dm:Dm"])
def test_masks_are_ignored_or_obeyed_and_nothing_else(name):
  with pytest.raises(ValueError, match="masks is 'off'; expected 'ignored', or nothing"):
    envs.make(name, masks="off")


def test_a_setting_masks_of_a_builder_is_its_own():
  assert envs.make("quirks_spaces:OwnMasks", masks=4).observation_spec().shape == (4,)


def test_a_nest_is_noted_with_its_parts_in_order():
  assert own("Dm").notes == ("the agent sees a vector of 5 numbers: b [2, 2], a []",)
  (note,) = own("Deep").notes
  assert note == "the agent sees a vector of 6 numbers: a [3] one-hot, b.0 [2], b.1.c [1]"
  (note,) = own("ManyParts").notes
  assert note.endswith("p07 [1], and 12 more")


def test_floats_are_cast():
  assert own("WideFloats").make(0).reset().observation.dtype == np.float32


def test_a_nest_is_read_in_the_order_in_which_it_is_declared():
  np.testing.assert_array_equal(own("Dm").make(0).reset().observation, [2, 2, 2, 2, 1])


def seen(name):
  env = own(name)
  return env.observation_spec(), env.make(0).reset().observation, env


def test_pictures_in_a_nest_are_leaves_beside_all_numbers():
  spec, observation, env = seen("PictureInside")
  assert (spec["camera"].dtype, spec["camera"].shape) == (np.uint8, (8, 8, 3))
  assert (observation["camera"].shape, observation["vector"].shape) == ((8, 8, 3), (1,))
  assert observation["vector"].dtype == np.float32
  check(env, steps=15)


def test_pictures_in_a_nest_have_their_channels_moved_last():
  spec, observation, env = seen("FirstInside")
  assert spec["eyes.left"].shape == observation["eyes.left"].shape == (16, 20, 3)
  assert "pictures of observation['eyes']['left'] [C, H, W]" in env.notes[0]


@pytest.mark.parametrize(
  ("name", "leaf"), [("TextInside", "1.told"), ("TextAlone", ""), ("DmText", "told")]
)
def test_text_is_the_numbers_of_its_words(name, leaf):
  spec = own(name).observation_spec()
  text = spec[leaf] if leaf else spec
  assert (type(text), text.shape, text.maximum) == (Tokens, (32,), 1023)


def test_the_words_of_a_space_of_few_strings_are_known():
  spec, observation, env = seen("FewTexts")
  assert spec["told"].words == ("a", "b")
  assert observation["told"][0] == 2
  assert "2 known words" in env.notes[0]


def test_words_that_are_not_known_are_counted():
  env = own("UnknownWord")
  with vector(env, 2, 0) as two:
    observation = two.reset().observation
    np.testing.assert_array_equal(observation["told"][:, :3], 0)
    np.testing.assert_array_equal(two.unknown_words(), [1, 1])


def test_text_is_read_in_as_many_words_as_are_asked_for():
  env = envs.make("quirks:TextDict", stepping="serial", text_length=3, text_words=50)
  told = env.make(0).reset().observation["mission"]
  assert (told.shape, env.observation_spec()["mission"].maximum) == ((3,), 49)
  assert "after 3 words it is cut" in env.notes[0]
  with pytest.raises(ValueError, match="text_length is 0; expected an integer from 1 on"):
    envs.make("quirks:TextDict", text_length=0)


def test_words_have_the_same_numbers_in_another_process():
  code = "from envs.host.words import number; print([number(w, 1024) for w in 'go to red'.split()])"
  told = subprocess.run(
    [sys.executable, "-c", code], cwd=TESTS.parent, capture_output=True, text=True, check=True
  )
  assert told.stdout.strip() == str([number(word, 1024) for word in ("go", "to", "red")])


@pytest.mark.parametrize(
  "name",
  ["Masked", "MaskInInfo", "MaskMethod", "masker", "DmMasked", "DeclaredChoices"],
)
def test_masks_are_the_leaf_legal_at_resets_and_steps(name):
  env = make("quirks:Masked") if name == "Masked" else own(name)
  one = env.make(0)
  for timestep in (one.reset(), one.step(0)):
    legal = timestep.observation["legal"]
    assert legal.dtype == np.bool_
    np.testing.assert_array_equal(legal, [True, True, False])


@pytest.mark.parametrize("stepping", ["serial", "processes"])
def test_masks_in_infos_pass_the_conformance_test(stepping):
  check(envs.make("gym:Taxi-v4", stepping=stepping), steps=20)


def test_one_array_with_a_mask_stays_what_it_is():
  spec, _, _ = seen("PictureAndMask")
  assert (spec["observation"].shape, spec["observation"].dtype) == ((16, 20, 3), np.uint8)
  assert envs.make("gym:Taxi-v4").observation_spec()["observation"].num_values == 500


def test_masks_of_several_integers_at_once_lie_one_after_another():
  _, observation, env = seen("MaskOfSeveral")
  np.testing.assert_array_equal(observation["legal"], [1, 0, 0, 1, 1])
  check(env, steps=15)


def test_at_the_end_of_an_episode_a_mask_may_allow_nothing_which_is_read_as_all():
  env = make("quirks_spaces:NothingAtTheEnd")
  one = env.make(0)
  one.reset()
  last = one.step(0)
  assert last.last()
  assert last.observation["legal"].all()
