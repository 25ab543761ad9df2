"""Bursty sequences against what a slow reader of them finds, and the masses of Zipf's law."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check
from envs.observation import LABEL
from envs.sequences.draws import Ranks

COUNT = 20_000


@functools.cache
def begun(split="train", **settings):
  """The environment, and the first states of so many sequences."""
  env = envs.make("sequences/bursty", **settings).splits()[split]
  keys = jax.random.split(jax.random.key(1), COUNT)
  return env, jax.jit(jax.vmap(lambda key: env.reset(key)[0]))(keys)


def drawn(split="train", **settings):
  """The environment, and classes and labels [COUNT, N+1] of so many sequences."""
  env, state = begun(split, **settings)
  return env, np.asarray(state.classes), np.asarray(state.labels)


@functools.cache
def compiled():
  """Observations and steps, which are the same of all splits."""
  env = envs.make("sequences/bursty")
  return jax.jit(jax.vmap(env.observe)), jax.jit(jax.vmap(env.step))


def near(share, expected, count=COUNT):
  """Within four standard errors."""
  assert abs(share - expected) <= 4 * np.sqrt(expected * (1 - expected) / count) + 1e-12


def copies(row):
  return sorted(np.unique(row, return_counts=True)[1])


@pytest.mark.parametrize(("burstiness", "expected"), [(4, [4, 4]), (1, [1] * 8)])
def test_a_bursty_sequence_has_so_many_items_of_each_class(burstiness, expected):
  env, classes, labels = drawn(burstiness=burstiness)
  for row, own in zip(classes[:200], labels[:200], strict=True):
    assert copies(row[:-1]) == copies(own[:-1]) == expected
    assert row[-1] in row[:-1]
  np.testing.assert_array_equal(labels, classes % env.labels)
  # Each place of the context is of the query's class alike.
  for place in range(8):
    near(np.mean(classes[:, place] == classes[:, -1]), burstiness / 8)


def test_independent_items_are_of_zipfs_law():
  _, classes, _ = drawn(classes=1613, labels=0, p_bursty=0.0, exponent=1.0)
  # Chan et al.'s 1,613 classes: the ten commonest have .3678 of the mass, and the query is among
  # eight others with .1538.
  near(np.mean(classes < 10), 0.3678, classes.size)
  near(np.mean(np.any(classes[:, :-1] == classes[:, -1:], axis=1)), 0.1538)


def test_different_groups_are_drawn_as_one_after_another():
  ranks = Ranks(5, 1.0, 3)
  rng = np.random.default_rng(0)
  uniforms = (rng.uniform(size=(COUNT, n)).astype(np.float32) for n in (3, 2))
  found = np.asarray(jax.jit(jax.vmap(ranks.different))(*uniforms))
  w = 1 / np.arange(1, 6)
  w /= w.sum()
  for a in range(5):
    for b in range(5):
      others = w[[k for k in range(5) if k % 3 != a % 3]].sum()
      expected = w[a] * w[b] / others if a % 3 != b % 3 else 0.0
      near(np.mean((found == [a, b]).all(axis=1)), expected)


def test_held_out_classes_are_no_others_and_have_any_label():
  env, classes, labels = drawn("in_context", burstiness=3)
  assert classes.min() >= env.classes
  assert classes.max() < env.classes + env.held_out
  near(np.mean(labels[:, -1] == 0), 1 / env.labels)
  for row, own in zip(classes[:200], labels[:200], strict=True):
    assert copies(row[:-1]) == copies(own[:-1]) == [1, 1, 3, 3]
    assert own[-1] == own[:-1][row[:-1] == row[-1]][0]


def test_swapped_labels_are_those_after_the_classes_own():
  env, classes, labels = drawn("swapped")
  np.testing.assert_array_equal(labels, (classes + 1) % env.labels)
  assert classes.max() < env.classes


@pytest.mark.parametrize("exponent", [0.0, 2.0])
def test_the_label_asked_for_is_not_in_a_context_without_support(exponent):
  env, classes, labels = drawn("in_weights", exponent=exponent, p_bursty=0.9)
  assert not np.any(labels[:, :-1] == labels[:, -1:])
  np.testing.assert_array_equal(labels, classes % env.labels)
  weights = (1.0 + np.arange(env.classes)) ** -exponent
  near(np.mean(classes[:, -1] == 0), weights[0] / weights.sum())


def test_of_several_meanings_a_bursty_sequence_has_one_of_each_class():
  env, classes, labels = drawn(meanings=3, p_bursty=0.25, burstiness=3)
  assert env.labels == 96
  np.testing.assert_array_equal(labels // 3, classes % 32)
  near(np.mean(labels[:, -1] % 3 == 0), 1 / 3)
  copied = np.sum(classes[:, :-1] == classes[:, -1:], axis=1)
  bursty = copied >= 3
  near(np.mean(bursty), 0.25)
  # Two of a sequence's items are drawn freely, beside three of each of two classes.
  near(np.mean(copied[~bursty] > 0), 8 / 1024)
  for row, own in zip(classes[bursty][:200], labels[bursty][:200], strict=True):
    assert copies(row[:-1])[-2:] == [3, 3]
    assert len(set(zip(row, own, strict=True))) == len(set(row))


def test_labels_that_change_are_permuted_in_each_sequence():
  _, classes, labels = drawn(labels_change=True)
  near(np.mean(labels[:, -1] == classes[:, -1] % 32), 1 / 32)
  for row, own in zip(classes[:200], labels[:200], strict=True):
    assert len(set(zip(row, own, strict=True))) == len(set(row)) == len(set(own))


def played(split, policy, episodes=400):
  """Returns, and the observations of every step, of a policy of (observations so far) -> label."""
  state = jax.tree.map(lambda x: x[:episodes], begun(split)[1])
  observe, step = compiled()
  seen, paid = [jax.device_get(observe(state))], np.zeros(episodes)
  for _ in range(9):
    state, timestep = step(state, policy(seen))
    paid += np.asarray(timestep.reward)
    seen.append(jax.device_get(timestep.observation))
  assert np.all(timestep.last())
  return paid, seen


def nearest(seen, size=47):
  """The label that came after the item most like the present one."""
  now = seen[-1]["item_and_label"][:, :size]
  if len(seen) == 1:
    return np.zeros(len(now), np.int32)
  items = np.stack([x["item_and_label"][:, :size] for x in seen[:-1]])
  labels = np.stack([x["item_and_label"][:, size:] for x in seen[1:]])
  like = np.argmax(np.sum(items * now, axis=-1), axis=0)
  return np.argmax(labels[like, np.arange(len(now))], axis=-1).astype(np.int32)


@pytest.mark.parametrize(
  ("split", "least", "most"),
  [("train", 0.99, 1.0), ("in_context", 0.99, 1.0), ("swapped", 0.99, 1.0), ("in_weights", 0, 0)],
)
def test_who_reads_the_context_is_right_where_it_tells(split, least, most):
  paid, seen = played(split, nearest)
  assert least <= paid.mean() <= most
  asked = np.stack([x[LABEL] for x in seen])
  assert np.all(asked[[*range(8), 9]] == -1)
  # What was asked for is the label that is shown after it.
  shown = np.argmax(seen[-1]["item_and_label"][:, 47:], axis=-1)
  np.testing.assert_array_equal(asked[8], shown)
  assert not np.any(seen[-1]["item_and_label"][:, :47])


def test_two_items_of_a_class_have_the_product_that_their_variation_leaves():
  env = envs.make("sequences/bursty", variation=0.75)
  keys = jax.random.split(jax.random.key(0), 2000)
  item = jax.jit(jax.vmap(env.items.draw, (0, None)))
  a, b = item(keys, 7), item(keys[::-1], 7)
  length = np.sum(np.square(env.items.table[7])) / 1.5625
  assert np.mean(np.sum(a * b, axis=-1)) == pytest.approx(length, abs=0.02)


def test_every_step_asks_while_training():
  env = envs.make("sequences/bursty", every_step=True)
  state = jax.tree.map(lambda x: x[0], begun()[1])
  for time in (0, 3, 8):
    later = state._replace(time=jnp.int32(time))
    assert env.observe(later)[LABEL] == state.labels[time]
    assert env.step(later, state.labels[time])[1].reward == 1.0
    assert env.step(later, state.labels[time] + 1)[1].reward == 0.0
  assert env.splits()["swapped"].success_return == 1.0
  assert not np.isfinite(env.success_return)


def test_it_keeps_the_contract():
  check(envs.make("sequences/bursty", classes=8, labels=4, pairs=3, burstiness=2), steps=20)


@pytest.mark.parametrize(
  ("settings", "line"),
  [
    ({"burstiness": 9}, "burstiness is 9; expected 1 to pairs, 8"),
    ({"p_bursty": 1.5}, "p_bursty is 1.5"),
    ({"exponent": -1.0}, "exponent is -1.0; expected at least 0"),
    ({"labels": 4, "burstiness": 1}, "labels is 4; a sequence shows up to 8"),
    ({"classes": 1}, "classes is 1; a sequence shows up to 2"),
    ({"held_out": 1}, "held_out is 1; a sequence shows 2"),
    ({"items": "cats"}, "items is 'cats'; expected one of vectors, glyphs, pictures"),
    ({"pairs": 0}, "pairs is 0"),
    ({"meanings": 0}, "meanings is 0"),
    ({"variation": -1.0}, "variation is -1.0"),
  ],
)
def test_what_is_out_of_range_is_one_line(settings, line):
  with pytest.raises(ValueError, match=line) as error:
    envs.make("sequences/bursty", **settings)
  assert "\n" not in str(error.value)
