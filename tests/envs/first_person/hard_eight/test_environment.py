"""The hard eight as environments: contract, observations, maps, and that they can be solved."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check
from envs.first_person.hard_eight import environment, layouts, measure, references, table
from envs.first_person.panel import read_panel


@pytest.mark.parametrize("discrete", [False, True])
def test_it_conforms(discrete):
  check(envs.make("hard_eight/wall_sensor", discrete=discrete), steps=10)


@pytest.mark.parametrize("task", table.NAMES)
def test_its_oracle_solves_held_out_maps_within_half_the_steps(task):
  number = table.index(task)
  played = measure.play(
    jax.random.key(1), jnp.int32(number), 64, True, layouts.TRAIN, layouts.HELD_OUT
  )
  assert np.mean(played.returns > 0.5) >= 0.98
  assert np.mean(played.length <= table.TABLE.steps[number] // 2) >= 0.98


@pytest.mark.parametrize("task", table.NAMES)
def test_references_are_of_every_task(task):
  assert references.ORACLE[task].success >= 0.99
  assert references.RANDOM[task].success < 0.01


def test_held_out_maps_are_others_than_those_to_train_on():
  for split, low, high in (("train", 0, layouts.TRAIN), ("test", layouts.TRAIN, layouts.MAPS)):
    env = envs.make("hard_eight/wall_sensor", split=split)
    states, _ = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), 40))
    assert states.map.min() >= low
    assert states.map.max() < high
    assert len(set(states.map.tolist())) > 4


def test_the_panel_tells_the_scalars_of_the_tree():
  tree, panel = (envs.make("hard_eight/wall_sensor", panel=on) for on in (False, True))
  state, timestep = tree.reset(jax.random.key(0))
  count = len(environment.SCALARS)
  _, scalars = read_panel(panel.observe(state), 1, count)
  assert np.allclose(scalars, timestep.observation["scalars"], atol=1 / 255)


def test_links_have_names_and_none_is_reached_at_first():
  env = envs.make("hard_eight/wall_sensor")
  state, _ = env.reset(jax.random.key(0))
  assert env.link_names() == ("lifted", "opened", "apple")
  assert env.links(state).tolist() == [False] * 3


@functools.cache
def drawn():
  env = envs.make("hard_eight/wall_sensor")
  return env.render(env.reset(jax.random.key(0))[0])


def test_a_picture_has_the_map_beside_the_view():
  assert drawn().shape == (255, 510, 3)


@pytest.mark.parametrize(
  ("settings", "told"),
  [({"split": "best"}, "unknown split 'best'"), ({"panel": 1}, "panel must be true or false")],
)
def test_a_wrong_setting_is_told_in_one_line(settings, told):
  with pytest.raises(ValueError, match=told) as error:
    envs.make("hard_eight/wall_sensor", **settings)
  assert "\n" not in str(error.value)
