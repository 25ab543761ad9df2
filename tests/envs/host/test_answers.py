"""What environments answer that no interface has is told in one line, in their own terms."""

import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.adapters.answers import flag


def own(name, **settings):
  return envs.make(f"quirks_answers:{name}", stepping="serial", **settings)


@pytest.mark.parametrize(
  ("name", "words"),
  [
    ("NoSpace", r"NoSpace has no observation_space: set it in __init__ to a gymnasium\.spaces"),
    ("NoneSpace", r"NoneSpace\.observation_space is None; set it in __init__"),
    ("TextSpace", r"TextSpace\.action_space is a str; set it in __init__"),
    ("Endless", "observation is a choice of 1,000,000,000 values"),
    ("EndlessInside", r"observation\['where'\] is a choice of 1,000,000,000 values"),
    ("OnePoint", r"action\[1\] goes from 1 to 1; expected a maximum above the minimum"),
    ("NoneObs", r"observation is None; expected numbers, float32 \(3,\)"),
    ("Ragged", "observation is a list of parts of several lengths"),
    ("Complex", "observation is an array of dtype complex64"),
    ("ArrayForDict", r"observation is an array float64 \(4,\); expected a dict of \['a'\]"),
    ("ElsewhereCounted", "observation is 3; expected 10 to 14"),
    ("Beyond", r"observation holds 1e\+300, beyond float32"),
    ("NoneInfo", r"NoneInfo\.reset\(\) returned info of type NoneType; expected a dict"),
  ],
)
def test_what_is_wrong_from_the_start_is_told_with_the_name(quirks, name, words):
  with pytest.raises(ValueError, match=words) as error:
    own(name)
  assert str(error.value).startswith(f"environment 'quirks_answers:{name}': ")
  assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
  ("name", "words"),
  [
    ("NoneStep", r"NoneStep\.step\(\) returned None; expected \(observation, reward, term"),
    ("ListInfo", r"ListInfo\.step\(\) returned info of type list; expected a dict"),
    ("HugeReward", r"the reward is 1e\+300, beyond float32"),
    ("HugeInteger", "the reward is an integer beyond float32"),
  ],
)
def test_what_a_step_gives_wrong_is_told(quirks, name, words):
  env = own(name).make(0)
  env.reset()
  with pytest.raises(ValueError, match=words):
    env.step(0)


def test_an_attribute_error_of_a_propertys_own_code_stays(quirks):
  with pytest.raises(AttributeError, match="lost"):
    own("BrokenSpace")


@pytest.mark.parametrize("ended", [None, "False", 2, 0.0, np.array([True, False])])
def test_what_is_no_flag_does_not_end_an_episode_but_the_run(quirks, ended):
  env = own("Flag", ended=ended).make(0)
  env.reset()
  with pytest.raises(ValueError, match=r"terminated is .*; expected True or False"):
    env.step(0)


@pytest.mark.parametrize("kind", [bool, int, np.bool_, np.int64, np.array, jnp.array])
@pytest.mark.parametrize("value", [True, False])
def test_flags_are_read_in_whatever_they_are_wrapped(kind, value):
  assert flag("truncated", kind(value)) is value


def test_all_settings_that_are_needed_are_named(quirks):
  with pytest.raises(ValueError, match=r"give --env-args size=\.\.\. kind=\.\.\.$"):
    envs.make("quirks_answers:NeedsTwo")


def test_what_only_looks_like_an_environment_is_told_what_to_subclass(quirks):
  with pytest.raises(ValueError, match=r"built a Duck.*subclass gymnasium\.Env or dm_env\.Env"):
    envs.make("quirks_answers:Duck")
