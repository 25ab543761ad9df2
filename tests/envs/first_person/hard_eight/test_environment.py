"""The hard eight as environments: contract, observations, maps, and that they can be solved."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check
from envs.first_person.hard_eight import environment, kinds, measure
from envs.first_person.hard_eight.maps import HELD_OUT, MAPS, TRAIN
from envs.first_person.panel import read_panel
from tests.envs.first_person.hard_eight.play import BANK, NAMES, TASKS, of, started

make = functools.cache(functools.partial(envs.make, "hard_eight/all"))


def test_there_are_eight():
  assert len(TASKS) == 8


def test_it_conforms():
  check(make(), steps=10)


def test_a_discrete_action_is_one_of_the_continuous_ones():
  state, _ = make().reset(jax.random.key(0))
  discrete = envs.make("hard_eight/all", discrete=True)
  assert discrete.action_spec().num_values == 26
  by_number, _ = discrete.step(state, jnp.int32(21))
  by_parts, _ = make().step(state, jnp.asarray(environment.actions()[21]))
  assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), by_number, by_parts))


@functools.cache
def played():
  """Of every task 16 episodes of its oracle, by the task's name: all maps are held out."""
  rows = [k * MAPS + TRAIN + i % HELD_OUT for k in range(len(TASKS)) for i in range(16)]
  episodes = measure.play_rows(TASKS, True, jax.random.key(1), jnp.array(rows), 0.5)
  return {
    name: jax.tree.map(lambda x, k=k: np.asarray(x)[16 * k : 16 * (k + 1)], episodes)
    for k, name in enumerate(NAMES)
  }


@pytest.mark.parametrize("task", TASKS, ids=NAMES)
def test_its_oracle_solves_held_out_maps_within_half_the_steps(task):
  episodes = played()[task.name]
  assert np.mean(episodes.reached[:, len(task.links) - 1]) >= 15 / 16


@pytest.mark.parametrize("task", TASKS, ids=NAMES)
def test_references_are_of_every_task(task):
  assert task.oracle.success >= 0.95
  assert task.random.success < 0.01
  assert task.random.length > 0.9 * task.steps


@pytest.mark.parametrize("task", TASKS, ids=NAMES)
def test_each_task_has_a_name_of_its_own_and_the_specs_of_all(task):
  env = envs.make(f"hard_eight/{task.name}")
  assert env.chains() == {task.name: tuple(task.links)}
  assert env.max_episode_steps == task.steps
  assert env.observation_spec() == make().observation_spec()
  assert env.action_spec() == make().action_spec()


def test_all_draws_every_task_alike():
  keys = jax.random.split(jax.random.key(0), 200)
  states, _ = jax.jit(jax.vmap(make().reset))(keys)
  counts = np.bincount(np.asarray(states.row) // MAPS, minlength=len(TASKS))
  assert counts.min() >= 10
  assert set(make().chains()) == set(NAMES)


@pytest.mark.parametrize(("split", "low", "high"), [("train", 0, TRAIN), ("test", TRAIN, MAPS)])
def test_held_out_maps_are_others_than_those_to_train_on(split, low, high):
  states, _ = jax.jit(jax.vmap(make(split=split).reset))(jax.random.split(jax.random.key(0), 200))
  number = np.asarray(states.row) % MAPS
  assert number.min() >= low
  assert number.max() < high
  assert len(set(number.tolist())) > 4


def test_all_things_of_a_map_fit_in_its_arrays():
  assert (np.bincount(BANK.kind.ravel(), minlength=len(kinds.WORDS) + 1) > 0).all()
  assert (BANK.listed >= 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_begins_in_a_wall_or_a_chasm_and_no_two_in_one_cell(name):
  for k in range(0, MAPS, 8):
    state = started(name, k)
    level = of(state)
    places = [(float(state.x), float(state.y))]
    places += np.asarray(state.foot[:, :2])[np.asarray(state.on)].tolist()
    for x, y in places:
      assert not (level.solid | level.void)[int(y)] >> (31 - int(x)) & 1
    cells = [(int(x), int(y)) for x, y in places]
    assert len(set(cells)) == len(cells)


def test_the_panel_tells_the_scalars_of_the_tree():
  state, timestep = make().reset(jax.random.key(0))
  count = len(environment.SCALARS)
  _, scalars = read_panel(make(panel=True).observe(state), 1, count)
  assert np.allclose(scalars, timestep.observation["scalars"], atol=1 / 255)


def test_no_link_is_reached_at_first():
  state, _ = make().reset(jax.random.key(0))
  task, links = make().links(state)
  assert int(task) == int(state.row) // MAPS
  assert not links.any()


def test_a_picture_has_the_map_beside_the_view():
  assert make().render(make().reset(jax.random.key(0))[0]).shape == (255, 510, 3)


@pytest.mark.parametrize(
  ("settings", "told"),
  [({"split": "best"}, "unknown split 'best'"), ({"panel": 1}, "panel must be true or false")],
)
def test_a_wrong_setting_is_told_in_one_line(settings, told):
  with pytest.raises(ValueError, match=told) as error:
    envs.make("hard_eight/wall_sensor", **settings)
  assert "\n" not in str(error.value)
