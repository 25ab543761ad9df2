"""Zipf's Gridworld's distributions, settings, splits and pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import envs
from envs.conformance import check
from envs.zipf import maps
from envs.zipf.gridworld import ZipfGridworld, rank_distribution

NAMES = ["zipf/gridworld", "zipf/gridworld-symbolic"]


@pytest.mark.parametrize("name", NAMES)
def test_conforms_to_the_contract(name):
  check(envs.make(name))


@pytest.mark.parametrize(
  ("exponent", "first", "rarest_four"),
  [(2.0, [0.627, 0.157, 0.070], 0.0074), (1.0, [0.278, 0.139, 0.093], 0.0603)],
)
def test_ranks_have_the_masses_of_the_reference(exponent, first, rarest_four):
  ranks = rank_distribution("zipf", exponent)
  np.testing.assert_allclose(ranks[:3], first, atol=6e-4)
  np.testing.assert_allclose(ranks[-4:].sum(), rarest_four, atol=6e-5)


def test_rare_and_uniform_ranks():
  assert rank_distribution("rare", 2.0).tolist() == [0.0] * 16 + [0.25] * 4
  assert rank_distribution("uniform", 2.0).tolist() == [0.05] * 20


@pytest.mark.parametrize("split", ["zipf", "uniform", "rare"])
def test_resets_draw_maps_and_targets_from_the_split(split):
  count = 40_000
  env = ZipfGridworld(split, exponent=1.0)
  keys = jax.random.split(jax.random.key(0), count)
  # Without the pictures, which take most of the time.
  state = jax.jit(jax.vmap(lambda key: env.reset(key)[0]))(keys)
  ranks = rank_distribution(split, 1.0)
  expected = count * np.outer(ranks, ranks)
  drawn = np.zeros((20, 20))
  np.add.at(drawn, (np.asarray(state.map_index), np.asarray(state.target_index)), 1)
  possible = expected > 0
  assert drawn[~possible].sum() == 0
  # The pairs at once: independence of the two draws is tested too.
  assert stats.chisquare(drawn[possible], expected[possible]).pvalue > 1e-3


def test_exponent_0_is_uniform():
  assert rank_distribution("zipf", 0.0).tolist() == rank_distribution("uniform", 2.0).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_splits_keep_the_class_and_the_exponent(name):
  env = envs.make(name, split="uniform", exponent=1.5)
  splits = env.splits()
  assert list(splits) == ["zipf", "uniform", "rare"]
  assert {type(split) for split in splits.values()} == {type(env)}
  assert splits["zipf"].optimal() == envs.make(name, exponent=1.5).optimal()


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"split": "unifrom"}, "unknown split 'unifrom': did you mean uniform?"),
    ({"split": "?"}, "unknown split '?': did you mean zipf or uniform or rare?"),
    ({"exponent": -1.0}, "exponent must be finite and at least 0, got -1.0."),
    ({"exponent": float("nan")}, "exponent must be finite and at least 0, got nan."),
    ({"exponent": "2"}, "exponent must be a number, got '2'."),
  ],
)
def test_wrong_settings_are_told_in_one_line(settings, message):
  with pytest.raises(ValueError, match=r"exponent|split") as caught:
    envs.make("zipf/gridworld", **settings)
  assert str(caught.value) == f"environment 'zipf/gridworld': {message}"


def test_auto_reset_shows_the_observation_of_its_state():
  env = envs.AutoReset(ZipfGridworld())

  def step(state, key):
    state, timestep = env.step(state, jax.random.randint(key, (), 0, 8))
    return state, (state.inner, timestep)

  state, _ = env.reset(jax.random.key(0))
  keys = jax.random.split(jax.random.key(1), 200)
  _, (inner, timestep) = jax.jit(lambda s, k: jax.lax.scan(step, s, k))(state, keys)
  assert (timestep.step_type == envs.FIRST).sum() > 2
  views = jax.vmap(env.env.observe)(inner)
  np.testing.assert_array_equal(timestep.observation, views)


def test_render_shows_map_agent_target_and_cue():
  env = ZipfGridworld()
  state, _ = env.reset_to(jax.random.key(0), 3, 4)
  image = np.asarray(jax.jit(env.render)(state))
  assert (image.shape, image.dtype) == ((117, 162, 3), np.uint8)
  board = image[:, :117].reshape(13, 9, 13, 9, 3).swapaxes(1, 2).reshape(169, 9, 9, 3)
  world = maps.load()
  assert (board[world.start[3]] == 255).all()
  assert (board[world.walls[3]] == 40).all()
  cue = image[9:36, 126:153][::3, ::3]
  np.testing.assert_array_equal(board[world.object_cell[3, 4]], cue)
  np.testing.assert_array_equal(cue, env.observe(state)[:9, :9])
  assert (cue == 180).all(-1).any()


def test_render_shows_the_touched_target_on_white():
  env = ZipfGridworld()
  state, _ = env.reset_to(jax.random.key(0), 3, 4)
  state = state._replace(cell=jnp.int32(maps.load().object_cell[3, 4]))
  row, column = divmod(int(state.cell), 13)
  picture = np.asarray(env.render(state))[row * 9 : row * 9 + 9, column * 9 : column * 9 + 9]
  ground = (np.asarray(env.observe(state))[:9, :9] == 180).all(-1)
  assert (picture[ground] == 255).all()
