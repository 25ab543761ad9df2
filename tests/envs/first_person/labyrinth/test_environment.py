"""Zipf's Labyrinth as an environment: its contract, its ranks, its two kinds of observations."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs import conformance
from envs.first_person.body import USE
from envs.first_person.labyrinth import environment, maps, references, table, words
from envs.first_person.panel import APART, patterns, read_panel
from envs.zipf.ranks import distribution

# An environment is called without `jax.jit`, as what takes long to compile in it is compiled once
# for all settings.


def started(**settings):
  """The levels and the maps of 40 resets."""
  env = envs.make("zipf/labyrinth", **settings)
  states = [env.reset(key)[0] for key in jax.random.split(jax.random.key(0), 40)]
  return [{int(getattr(state, field)) for state in states} for field in ("level", "map")]


def test_it_conforms(monkeypatch):
  """At the level whose episodes are the shortest; the test below has it under vmap."""
  monkeypatch.setattr(conformance, "_check_scan", lambda *_: None)
  conformance.check(envs.make("zipf/labyrinth", levels="rooms_select_nonmatching_object"), steps=30)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_references_of_a_rank_are_those_of_its_level(reverse):
  env = envs.make("zipf/labyrinth", split="uniform", reverse=reverse)
  names = table.NAMES[::-1] if reverse else table.NAMES
  rows = [references.TABLE[name] for name in names]
  np.testing.assert_array_equal(env.references(), [(row.random, row.oracle) for row in rows])


def test_under_vmap_all_levels_begin_and_go_on_as_alone():
  """Without their pictures, which those of caster are about."""
  split = environment.MAPS["train"]

  def two_steps(key, level):
    state = environment._begin(key, level, level)
    first = environment._step(split, state, jnp.int32(USE))
    return first, environment._step(split, first.state, jnp.int32(0))

  keys, levels = jax.random.split(jax.random.key(0), table.COUNT), np.arange(table.COUNT)
  together = jax.jit(jax.vmap(two_steps))(keys, levels)
  for level in levels:
    ours = jax.tree.map(lambda x, level=level: x[level], together)
    for a, b in zip(*map(jax.tree.leaves, (ours, two_steps(keys[level], level))), strict=True):
      assert conformance._close(a, b), table.NAMES[level]


def test_the_commonest_level_has_a_quarter_of_the_episodes_and_the_last_one_in_120():
  ranks = distribution("zipf", 1.0, 30, 6)
  assert ranks[:3] == pytest.approx([0.2503, 0.1252, 0.0834], abs=1e-4)
  assert ranks[-1] == pytest.approx(8.34e-3, abs=1e-5)
  assert ranks[-6:].sum() == pytest.approx(5.48e-2, abs=1e-4)


def test_the_rare_split_draws_the_last_six_ranks_alike_and_reversed_the_first_six_levels():
  assert started(split="rare")[0] == set(range(24, 30))
  assert started(split="rare", reverse=True)[0] == set(range(6))


def test_one_level_can_be_played_alone():
  env = envs.make("zipf/labyrinth", levels="skymaze_irreversible_path_hard")
  state, _ = env.reset_to(jax.random.key(0), 3)
  assert int(state.level) == table.SKY_HARD == int(env.ranks(state)[0])
  assert env.max_episode_steps == 600


def test_an_episode_can_be_begun_at_a_rank():
  env = envs.make("zipf/labyrinth", reverse=True)
  state, timestep = env.reset_to(jax.random.key(0), 3)
  assert int(state.level) == 26
  assert env.ranks(state).tolist() == [3]
  assert timestep.first()


def test_held_out_maps_are_others_than_those_to_train_on():
  for name, low, high in (("train", 0, maps.TRAIN), ("test", maps.TRAIN, maps.MAPS)):
    drawn = started(split="uniform", maps=name)[1]
    assert low <= min(drawn) <= max(drawn) < high
    assert len(drawn) > 4


def test_the_panel_tells_the_words_and_the_key_that_is_held():
  env = envs.make("zipf/labyrinth", panel=True, levels="language_select_described_object")
  state, _ = env.reset(jax.random.key(0))
  picture = env.observe(state._replace(held=jnp.int32(2)))
  said, held = read_panel(np.asarray(picture), words=7, scalars=1)
  assert said.tolist() == state.words.tolist()
  assert said.any()
  assert held[0] == pytest.approx(3 / 6, abs=1 / 255)
  tree = envs.make("zipf/labyrinth").observe(state._replace(held=jnp.int32(2)))
  np.testing.assert_array_equal(picture[:64], tree["view"])
  assert tree["scalars"].tolist() == [0, 0, 1, 0, 0, 0]


def test_the_patterns_of_words_differ_in_20_pixels():
  flat = patterns().reshape(64, -1)
  apart = (flat[:, None] != flat).sum(-1) + 64 * np.eye(64, dtype=int)
  assert apart.min() >= APART


def test_the_spec_tells_the_vocabulary():
  spec = envs.make("zipf/labyrinth").observation_spec()["words"]
  assert spec.words == words.WORDS
  assert spec.size == len(words.WORDS) + 1
  assert words.text([words.number("pick"), words.number("red"), 0]) == "pick red"


def test_wrong_settings_get_one_line():
  for settings, message in (
    ({"split": "zpf"}, "unknown split 'zpf': did you mean zipf?"),
    ({"levels": "rooms_watermaz"}, "unknown level 'rooms_watermaz': did you mean rooms_watermaze"),
    ({"exponent": -1}, "exponent must be finite and at least 0, got -1."),
    ({"exponent": "a"}, "exponent must be a number, got 'a'."),
    ({"maps": "tests"}, "unknown maps 'tests': did you mean test?"),
    ({"panel": 1}, "panel must be true or false, got 1."),
  ):
    with pytest.raises(ValueError, match="zipf/labyrinth") as caught:
      envs.make("zipf/labyrinth", **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_pictures_are_drawn_of_a_state():
  env = envs.make("zipf/labyrinth", levels="rooms_keys_doors_puzzle")
  state, _ = env.reset(jax.random.key(0))
  picture = np.asarray(jax.jit(env.render)(state))
  assert picture.shape == (256, 512, 3)
  blue = (picture[:, :256] == [60, 90, 255]).all(-1)
  agent = [float(state.pose.y), float(state.pose.x)]
  assert np.argwhere(blue).mean(0) / 15 == pytest.approx(agent, abs=0.3)
  red = (picture[:, :256] == [200, 30, 30]).all(-1)
  assert red.sum() == 15 * 15 * int(state.shut.sum())


def test_places_tell_the_cell_of_the_agent_and_of_its_things():
  env = envs.make("zipf/labyrinth", levels="explore_goal_locations_small")
  state, _ = env.reset(jax.random.key(0))
  oracle, places = env.oracle(state), env.places()
  assert int(oracle.place) == int(state.pose.y) * 17 + int(state.pose.x)
  assert int(oracle.objects[0]) == int(state.things.y[0]) * 17 + int(state.things.x[0])
  assert places.reachable[int(oracle.place)]


def test_a_score_is_0_at_random_and_1_at_the_oracle_and_a_split_caps_it():
  name = "rooms_watermaze"
  row = references.TABLE[name]
  assert references.score(name, row.random) == 0
  assert references.score(name, row.oracle) == 1
  ranks = np.zeros(30)
  ranks[table.index(name)], ranks[0] = 0.25, 0.75
  returns = {name: 2 * row.oracle, table.NAMES[0]: references.TABLE[table.NAMES[0]].random}
  assert references.split_score(returns, ranks) == pytest.approx(0.25)


def test_the_oracle_is_better_than_random_play_at_every_level():
  assert list(references.TABLE) == list(table.NAMES)
  for row in references.TABLE.values():
    assert row.oracle > row.random + 9
  known = envs.make("zipf/labyrinth", levels=table.NAMES[0]).optimal()
  assert known.episode_return == references.TABLE[table.NAMES[0]].oracle
  assert math.isnan(known.success)
