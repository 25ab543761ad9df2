"""Copies of one environment start differently, or it is told."""

import numpy as np
import pytest

import envs
from envs.host.seeding import begin_alike
from envs.host.vector import vector


def beginnings(name, seed=0, copies=3, stepping="serial", **settings):
  env = envs.make(name, stepping=stepping, **settings)
  with vector(env, copies, seed) as together:
    return together.reset().observation.copy()


@pytest.mark.parametrize(
  "name",
  [
    "quirks_success:SeededWhenMade",
    "quirks_success:SeedRequired",
    "gym:quirks_success:QuirkSeeded-v0",
  ],
)
def test_a_seed_taken_when_made_differs_by_copy_and_follows_from_the_vectors(quirks, name):
  first = beginnings(name)
  assert len(np.unique(first, axis=0)) == 3
  np.testing.assert_array_equal(first, beginnings(name))
  assert (first != beginnings(name, seed=1)).all()


@pytest.mark.parametrize(
  "name", ["quirks_success:SeededWhenMade", "gym:quirks_success:QuirkSeeded-v0"]
)
def test_a_seed_given_by_hand_is_kept(quirks, name):
  env = envs.make(name, stepping="serial", seed=0)
  one, two = (env.make(seed).reset().observation for seed in (1, 2))
  np.testing.assert_array_equal(one, two)


def test_processes_draw_differently_from_the_generators_of_a_process(quirks):
  draws = [beginnings("quirks_success:GlobalDraws", s, 2, "processes") for s in (0, 0, 1)]
  assert (draws[0][0] != draws[0][1]).all()
  np.testing.assert_array_equal(draws[0], draws[1])
  assert (draws[0] != draws[2]).all()


@pytest.mark.parametrize(
  ("name", "settings", "alike"),
  [
    ("quirks_success:AllAlike", {}, True),
    ("quirks_success:SeededWhenMade", {"seed": 4}, True),
    ("quirks_success:SeededWhenMade", {}, False),
    ("quirks_success:GlobalDraws", {}, False),
    ("quirks_success:OneStart", {}, False),
    ("quirks:Constant", {}, False),
    ("quirks:Base", {}, False),
  ],
)
def test_copies_that_begin_alike_are_found(quirks, name, settings, alike):
  assert begin_alike(envs.make(name, stepping="serial", **settings)) == alike
