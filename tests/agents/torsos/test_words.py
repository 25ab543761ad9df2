"""Texts as latents: by their words, in their order, and by nothing that is not there."""

import haiku as hk
import jax
import numpy as np
import pytest
from dm_env import specs

from agents.torsos.torso import preprocess
from agents.torsos.words import EMBEDDING, Words
from envs.observation import Tokens

TEXT = Tokens(5, 7)


def network(spec=TEXT):
  return hk.without_apply_rng(hk.transform(lambda x: Words(None, spec, 3, name="words")(x)))


def latents(*texts):
  text = np.array(texts, np.int32)
  torso = network()
  return torso.apply(torso.init(jax.random.key(0), text), text)


def test_the_order_of_words_counts():
  one, other = latents([1, 2, 3, 0, 0], [3, 2, 1, 0, 0])
  assert np.abs(one - other).max() > 1e-3


def test_what_is_not_there_does_not_count():
  text = np.array([[2, 5, 1, 0, 0]], np.int32)
  torso = network()
  params = torso.init(jax.random.key(0), text)
  changed = jax.tree.map(lambda x: x, params)
  changed["words"]["words"] = params["words"]["words"].at[0].set(9.0)
  np.testing.assert_array_equal(torso.apply(params, text), torso.apply(changed, text))


def test_words_are_weighted_as_the_paper_has_it():
  torso = hk.without_apply_rng(hk.transform(lambda x: Words(None, TEXT, 3, name="words").tokens(x)))
  text = np.array([[2, 0, 4, 0, 0]], np.int32)
  params = torso.init(jax.random.key(0), text)
  (found,) = torso.apply(params, text)
  table = np.asarray(params["words"]["words"])
  for j, word in enumerate(text[0], start=1):
    for k in range(1, EMBEDDING + 1):
      weight = (1 - j / 3) - (k / EMBEDDING) * (1 - 2 * j / 3)
      expected = weight * table[word, k - 1] if word else 0.0
      np.testing.assert_allclose(found[j - 1, k - 1], expected, rtol=1e-4, atol=1e-6)


def test_an_empty_text_has_a_latent():
  assert np.isfinite(latents([0, 0, 0, 0, 0])).all()


def test_other_observations_are_refused():
  spec = specs.Array((5,), np.float32)
  with pytest.raises(ValueError, match="the words torso reads text"):
    network(spec).init(jax.random.key(0), np.zeros((1, 5), np.float32))


def test_where_networks_read_numbers_a_text_is_how_often_each_word_occurs():
  counts = preprocess(TEXT, np.array([[2, 5, 2, 0, 0]], np.int32))
  np.testing.assert_array_equal(counts, [[0, 2, 0, 0, 1, 0]])
