"""Probes, on features whose classes are known."""

import numpy as np
import pytest
import scipy.optimize

from experiments.evaluation import probes
from experiments.evaluation.probes import Labels

EPISODES, STEPS, CLASSES, SIZE = 240, 3, 6, 8


@pytest.fixture(scope="module")
def separable():
  """Gaussians far from one another, an episode a class."""
  rng = np.random.default_rng(0)
  values = np.repeat(rng.integers(CLASSES, size=(EPISODES, 1)), STEPS, axis=1)
  centres = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0][:CLASSES]
  noise = 0.05 * rng.normal(size=(EPISODES, STEPS, SIZE))
  return (centres[values] + noise).astype(np.float32), Labels("kind", values, CLASSES)


@pytest.fixture(scope="module")
def shuffled(separable):
  features, labels = separable
  values = np.random.default_rng(1).permutation(labels.values)
  return features, labels._replace(values=values)


@pytest.fixture(scope="module")
def train():
  return probes.split(EPISODES, 0)


def test_the_split_is_of_episodes_and_of_the_share(train):
  assert train.shape == (EPISODES,)
  assert train.sum() == 160


@pytest.mark.parametrize("probe", [probes.linear, probes.retrieval])
def test_separable_classes_are_told_apart(probe, separable, train):
  found = probe(*separable, train, 0)
  np.testing.assert_array_equal(found.by_rank, np.ones(CLASSES))
  assert found.all == found.common == found.rare == 1.0


@pytest.mark.parametrize("probe", [probes.linear, probes.retrieval])
def test_shuffled_labels_give_chance(probe, shuffled, train):
  assert probe(*shuffled, train, 0).all == pytest.approx(1 / CLASSES, abs=0.12)


def test_few_shots_tell_separable_classes_apart(separable, train):
  assert probes.few_shot(*separable, train, 5, 1, 0) == (1.0, 1.0, 1.0)


def test_few_shots_of_shuffled_labels_give_chance(shuffled, train):
  mean, low, high = probes.few_shot(*shuffled, train, 5, 5, 0)
  assert low < mean < high
  assert mean == pytest.approx(1 / 5, abs=0.06)


def test_few_shots_need_two_classes(separable, train):
  assert probes.few_shot(*separable, train, 5, 5, 0, among=np.array([3])) is None


def test_episodes_that_are_known_by_heart_do_not_help():
  # Each episode has a direction of its own: a split by step would make this probe perfect.
  rng = np.random.default_rng(2)
  features = np.repeat(rng.normal(size=(300, 1, 64)), 4, axis=1).astype(np.float32)
  labels = Labels("kind", np.repeat(rng.integers(3, size=(300, 1)), 4, axis=1), 3)
  train = probes.split(300, 0)
  assert probes.linear(features, labels, train, 0).all < 0.5
  assert probes.retrieval(features, labels, train, 0).all < 0.5


def test_a_common_class_counts_as_a_rare_one():
  labels = np.array([0] * 90 + [1] * 10)
  found = probes.by_class(labels == 0, labels, 2)
  assert found.by_rank.tolist() == [1.0, 0.0]
  assert (found.all, found.common, found.rare, found.steps) == (0.5, 1.0, 0.0, 0.9)


def test_each_class_weighs_the_same_and_what_does_not_occur_nothing():
  labels = np.array([0] * 90 + [2] * 10)
  weights = probes.balanced(labels, 3)
  assert weights.sum() == pytest.approx(100.0)
  assert weights[labels == 2].sum() == pytest.approx(50.0)


def test_a_linear_probe_does_not_give_up_a_rare_class():
  # Two directions so near that guessing the common class is right at most steps.
  rng = np.random.default_rng(5)
  values = np.repeat((rng.random((300, 1)) < 0.05).astype(int), 4, axis=1)
  features = rng.normal(size=(300, 4, 2)) + np.array([1.0, 1.0]) * (1 - 2 * values[..., None])
  found = probes.linear(
    features.astype(np.float32), Labels("kind", values, 2), probes.split(300, 0), 0
  )
  assert found.rare > 0.6
  assert found.all > 0.7


def test_steps_without_a_class_and_untested_classes_are_left_out(separable, train):
  features, labels = separable
  values = np.where(labels.values == 5, -1, labels.values)
  found = probes.linear(features, Labels("kind", values, CLASSES), train, 0)
  assert np.isnan(found.by_rank[5])
  assert found.all == found.rare == 1.0


def test_the_regression_is_that_of_another_solver():
  rng = np.random.default_rng(3)
  x, y = rng.normal(size=(40, 4)), rng.integers(3, size=40)
  x /= np.linalg.norm(x, axis=1, keepdims=True)

  def loss(params):
    w, b = params[:12].reshape(4, 3), params[12:]
    out = x @ w + b
    log = out - np.log(np.exp(out).sum(axis=1, keepdims=True))
    return (w**2).sum() / 2 - log[np.arange(40), y].sum()

  w, b = probes.fit(x.astype(np.float32), y, np.ones(40, np.float32), 3)
  best = scipy.optimize.minimize(loss, np.zeros(15)).fun
  found = loss(np.concatenate([np.ravel(w), np.ravel(b)]).astype(np.float64))
  assert found == pytest.approx(best, rel=1e-4)


def test_geometry_tells_a_point_from_a_sphere():
  rng = np.random.default_rng(4)
  even = rng.normal(size=(64, 4, SIZE)).astype(np.float32)
  follows = np.ones((64, 4), bool)
  point = np.ones_like(even)
  spread = probes.geometry(probes.Features(even, even, follows))
  collapsed = probes.geometry(probes.Features(point, point, follows))
  assert spread["alignment"] == pytest.approx(0.0, abs=1e-6)
  assert spread["uniformity"] == pytest.approx(-3.08, abs=0.1)  # the least in 8 dimensions
  assert spread["collapsed"] == 0.0
  assert collapsed["uniformity"] == pytest.approx(0.0, abs=1e-5)
  assert collapsed["collapsed"] == 1.0
