"""Characters as pictures, of a few of them."""

import jax
import numpy as np
import pytest

import envs
from envs.sequences import glyphs, items

LETTERS = [ord(c) for c in "ABCDEFGHKLMNPQRSTUVWXYZ"]
GREEK_ALPHA, SPACE = 0x391, 0x20


@pytest.fixture(scope="module")
def pictures():
  return glyphs.draw([*LETTERS, GREEK_ALPHA, SPACE])


@pytest.fixture
def few(monkeypatch, pictures):
  """A world of these alone."""
  items._table.cache_clear()
  monkeypatch.setattr(glyphs, "glyphs", lambda: pictures)
  yield
  items._table.cache_clear()


def test_a_blank_is_left_out_and_pictures_are_in_the_middle(pictures):
  assert pictures.shape == (len(LETTERS) + 1, 12, 28, 28)
  for axis in (2, 3):
    inked = np.any(pictures > 0, axis=5 - axis)
    first = np.argmax(inked, axis=2)
    last = 27 - np.argmax(inked[:, :, ::-1], axis=2)
    assert np.all(np.abs(first + last - 27) <= 1)


def test_what_looks_like_an_earlier_one_is_left_out(pictures):
  kept = glyphs.distinct(pictures)
  assert kept.sum() == len(LETTERS)
  assert not kept[-1]  # Greek Alpha, as Latin A


def test_components_are_of_equal_variance_and_of_the_classes_trained_on(pictures):
  found = glyphs.whitened(pictures, 20, 8)
  seen = found[:20].reshape(-1, 8)
  np.testing.assert_allclose(np.cov(seen, rowvar=False, ddof=1), np.eye(8) / 8, atol=1e-4)
  np.testing.assert_allclose(glyphs.whitened(pictures[:22], 20, 8), found[:22], atol=1e-5)


def test_what_was_drawn_is_kept(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  monkeypatch.setattr(glyphs, "code_points", lambda: LETTERS[:3])
  first = glyphs.glyphs.__wrapped__()
  monkeypatch.setattr(glyphs, "draw", lambda characters: pytest.fail("drawn again"))
  np.testing.assert_array_equal(glyphs.glyphs.__wrapped__(), first)
  assert [file.name for file in tmp_path.rglob("*.npy")] == [glyphs.cache_file().name]


@pytest.mark.parametrize(("kind", "leaf"), [("glyphs", "item_and_label"), ("pictures", "item")])
def test_a_sequence_is_of_its_characters(few, kind, leaf):
  env = envs.make("sequences/bursty", items=kind, classes=16, labels=4, held_out=8, size=6)
  _, timestep = env.reset(jax.random.key(0))
  spec = env.observation_spec()[leaf]
  assert timestep.observation[leaf].shape == spec.shape
  assert timestep.observation[leaf].dtype == spec.dtype


@pytest.mark.parametrize(
  ("settings", "line"),
  [
    ({"classes": 20, "held_out": 8}, "classes and held_out are 28 together; there are 24 glyphs"),
    ({"classes": 8, "size": 900}, "size is 900; glyphs have at most 95"),
    ({"fonts": 13}, "fonts is 13; expected 1 to 12"),
  ],
)
def test_what_there_is_not_is_one_line(few, settings, line):
  known = {"items": "glyphs", "classes": 16, "labels": 4, "held_out": 8}
  with pytest.raises(ValueError, match=line):
    envs.make("sequences/bursty", **known | settings)
