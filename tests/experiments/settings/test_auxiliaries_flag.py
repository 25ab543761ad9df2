"""`rarebird compare --auxiliaries`, short for `--vary auxiliary`."""

import dataclasses
import json

import pytest

from experiments.settings import compare
from experiments.settings.compare import CompareConfig
from experiments.settings.errors import UserError


def test_it_names_what_is_varied_as_vary_does():
  short = CompareConfig(auxiliaries=("byol", "none"))
  whole = CompareConfig(vary=("auxiliary", "byol", "none"))
  compare.check(compare.with_worlds(short))
  assert (short.varies, short.names) == (whole.varies, whole.names)
  assert short.baseline(["byol", "none"]) == "none"
  run = whole.train_config("none", "catch")
  assert short.train_config("none", "catch") == run


@pytest.mark.parametrize("other", [{"vary": ("core", "gru")}, {"bonuses": ("none", "rnd")}])
def test_two_things_to_vary_are_refused(other):
  with pytest.raises(UserError, match="is short for --vary"):
    compare.check(CompareConfig(auxiliaries=("byol", "none"), **other))


def test_a_comparison_of_bonuses_does_not_grow_into_one_of_auxiliaries():
  old = CompareConfig(tune=False)
  grown = dataclasses.replace(old, auxiliaries=("byol",))
  assert compare.differences(json.loads(old.to_json()), grown)


def test_a_comparison_of_auxiliaries_grows():
  old = CompareConfig(tune=False, auxiliaries=("byol",))
  grown = dataclasses.replace(old, auxiliaries=("byol", "none"))
  assert not compare.differences(json.loads(old.to_json()), grown)
