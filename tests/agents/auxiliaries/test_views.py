"""Views: what is hidden, moved and brightened, and windows within an episode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.auxiliaries import views
from envs.observation import GOAL, VIEW, Cells, Tokens

KEY = jax.random.key(0)
PIXELS = Cells((12, 8, 3), np.uint8, 0, 255, 4, "view")
SYMBOLS = Cells((5, 5, 2), np.int32, 0, 9, 1, "view")
VECTOR = specs.Array((6,), np.float32, "state")
TEXT = Tokens(5, 9)


def ones(spec, lead=(3, 4)):
  return jnp.ones((*lead, *spec.shape), spec.dtype)


def test_whole_cells_are_hidden_and_each_observation_has_its_own():
  view = np.asarray(views.masked(PIXELS, ones(PIXELS, (40, 4)), 0.5, KEY))
  cells = view.reshape(160, 3, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(160, 6, -1)
  assert np.all(cells.min(-1) == cells.max(-1))
  assert view.dtype == np.uint8
  assert abs(cells[..., 0].mean() - 0.5) < 0.06
  assert len(np.unique(cells[..., 0], axis=0)) > 30


@pytest.mark.parametrize("spec", [VECTOR, TEXT, specs.DiscreteArray(3)])
def test_numbers_and_words_are_hidden_one_by_one(spec):
  view = np.asarray(views.masked(spec, ones(spec, (40, 4)), 0.25, KEY))
  assert set(np.unique(view)) == {0, 1}
  assert view.dtype == spec.dtype
  assert abs(view.mean() - 0.75) < 0.1


def test_pictures_without_cells_are_hidden_by_patches():
  spec = specs.BoundedArray((10, 10, 1), np.uint8, 0, 255)
  view = np.asarray(views.masked(spec, ones(spec, (50,)), 0.5, KEY))
  assert np.all(view[:, :8, :8].min((1, 2)) == view[:, :8, :8].max((1, 2)))
  assert np.all(view[:, 8:, 8:].min((1, 2)) == view[:, 8:, 8:].max((1, 2)))


def test_a_focal_view_shows_one_block():
  view = np.asarray(views.focal(SYMBOLS, ones(SYMBOLS, (30,)), 3, KEY))[..., 0]
  assert np.all(view.sum((1, 2)) == 9)
  rows, columns = view.any(2), view.any(1)
  assert np.all(rows.sum(1) == 3)
  assert np.all(columns.sum(1) == 3)
  assert np.all(np.abs(np.diff(rows.astype(int), axis=1)).sum(1) <= 2)
  assert len(np.unique(view, axis=0)) == 9


def test_pictures_move_by_whole_cells():
  rng = np.random.default_rng(0)
  picture = rng.integers(1, 255, size=PIXELS.shape).astype(np.uint8)
  padded = np.pad(picture, ((4, 4), (4, 4), (0, 0)))
  moved = {padded[i : i + 12, j : j + 8].tobytes() for i in (0, 4, 8) for j in (0, 4, 8)}
  batch = jnp.broadcast_to(picture, (60, *PIXELS.shape))
  got = [x.tobytes() for x in np.asarray(views.shifted(PIXELS, batch, 1, KEY))]
  assert set(got) == moved


def test_pixels_become_brighter_and_stay_in_range():
  picture = jnp.full((200, *PIXELS.shape), 200, jnp.uint8)
  view = np.asarray(views.brightened(PIXELS, picture, 0.4, KEY))[:, 0, 0, 0].astype(int)
  assert view.max() == 255
  assert 98 <= view.min() < 110
  np.testing.assert_array_equal(views.brightened(SYMBOLS, ones(SYMBOLS), 0.4, KEY), ones(SYMBOLS))


@pytest.mark.parametrize("spec", [PIXELS, SYMBOLS, VECTOR, TEXT])
def test_ranges_of_zero_return_their_input(spec):
  settings = views.ViewConfig(mask=0.0, shift=0, brightness=0.0)
  np.testing.assert_array_equal(views.augmented(settings, spec, ones(spec), KEY), ones(spec))


def test_a_goal_is_changed_as_the_view_is_and_other_leaves_are_not():
  spec = {VIEW: PIXELS, GOAL: PIXELS, "other": PIXELS}
  rng = np.random.default_rng(0)
  picture = jnp.asarray(rng.integers(1, 255, size=(6, *PIXELS.shape)).astype(np.uint8))
  settings = views.ViewConfig()
  view = views.augmented(settings, spec, dict.fromkeys(spec, picture), KEY)
  np.testing.assert_array_equal(view[VIEW], view[GOAL])
  assert np.any(view[VIEW] != view["other"])


def test_windows_equal_slow_loops():
  rng = np.random.default_rng(1)
  first = rng.uniform(size=(7, 3)) < 0.2
  weights = (rng.uniform(size=(7, 3)) < 0.8).astype(np.float32)
  x = rng.normal(size=(7, 3, 2))
  got, counts = views.windows(jnp.asarray(x), 3), views.whole(first, jnp.asarray(weights), 3)
  for t, b in np.ndindex(5, 3):
    np.testing.assert_allclose(got[t, :, b], x[t : t + 3, b], rtol=1e-6)
    within = not first[t + 1 : t + 3, b].any() and weights[t : t + 3, b].all()
    assert counts[t, b] == within


def test_observations_without_pictures_are_refused():
  views.check_cells("msn", {"a": VECTOR, "b": SYMBOLS})
  with pytest.raises(ValueError, match="auxiliary 'msn' masks cells of pictures"):
    views.check_cells("msn", {"a": VECTOR, "b": TEXT})
