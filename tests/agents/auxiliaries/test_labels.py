"""Labels: returns and their bins, goals and what is reached; the losses supcon and classify."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.auxiliaries import labels, supcon
from envs.observation import GOAL, LABEL, VIEW
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)


class Goals:
  """A goal is reached where the view is the same."""

  def observation_spec(self):
    return dict.fromkeys((VIEW, GOAL), specs.Array((1,), np.float32))

  def action_spec(self):
    return specs.DiscreteArray(2)

  def view_spec(self):
    return specs.Array((1,), np.float32)

  def reached(self, view, goal):
    return jnp.all(view == goal)

  def distance(self, a, b):
    return jnp.abs(a - b)[0]


def test_returns_end_with_the_episode():
  first = np.zeros((5, 1), bool)
  first[3] = True
  reward = jnp.array([[9.0], [1.0], [2.0], [9.0], [4.0]])
  got = labels.returns(slow.trajectory(first, reward=reward), 0.5)
  np.testing.assert_allclose(got[:, 0], [2.0, 2.0, 0.0, 4.0, 0.0])


def test_bins_are_even_and_equal_values_share_one():
  values = jnp.arange(8.0).reshape(4, 2)
  np.testing.assert_array_equal(
    labels.bins(values, jnp.ones((4, 2)), 4).reshape(-1), [0, 0, 1, 1, 2, 2, 3, 3]
  )
  values = jnp.array([[0.0, 0.0], [0.0, 5.0], [0.0, -9.0]])
  got = labels.bins(values, jnp.ones((3, 2)).at[2, 1].set(0.0), 5)
  np.testing.assert_array_equal(got.reshape(-1)[:5], [0, 0, 0, 4, 0])


def test_goals_are_labels_and_only_what_reaches_one_has_reached_it():
  first = np.zeros((5, 2), bool)
  first[3, 0] = True
  goal = jnp.array([[1.0, 7.0]] * 3 + [[7.0, 7.0]] * 2)[..., None]
  view = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 7.0], [7.0, 0.0]])[..., None]
  inputs = slow.inputs(length=4, batch=2)
  played = slow.trajectory(first, {VIEW: view, GOAL: goal})
  inputs = inputs._replace(trajectory=played)
  label, everywhere = labels.of("goal", Goals(), inputs, 0.9, 4)
  assert np.all(everywhere)
  same = label.reshape(-1)[:, None] == label.reshape(-1)[None]
  np.testing.assert_array_equal(same, goal.reshape(-1)[:, None] == goal.reshape(-1)[None])
  _, has = labels.of("reached", Goals(), inputs, 0.9, 4)
  np.testing.assert_array_equal(has, [[1, 1], [1, 1], [0, 1], [1, 1], [1, 0]])


def slow_supcon(z, label, among, weights, temperature, balance):
  errors, sizes = {}, {}
  for i in np.flatnonzero(weights):
    positive = [j for j in range(len(z)) if among[i, j] and label[j] == label[i]]
    if positive:
      exps = {j: np.exp(z[i] @ z[j] / temperature) for j in range(len(z)) if among[i, j]}
      errors[i] = -np.mean([np.log(exps[p] / sum(exps.values())) for p in positive])
      sizes[label[i]] = sizes.get(label[i], 0) + 1
  weight = {i: 1 / sizes[label[i]] if balance else 1.0 for i in errors}
  return sum(errors[i] * weight[i] for i in errors) / sum(weight.values())


@pytest.mark.parametrize("balance", [True, False])
def test_supcon_equals_numpy(balance):
  settings = {"projector_hidden": 8, "projector_size": 4, "neighbours": 1, "bins": 3}
  method, params, state = slow.build(
    "supcon", classes=3, labels="class", balance=balance, temperature=0.2, **settings
  )
  shown = np.random.default_rng(3).integers(-1, 3, size=(slow.LENGTH + 1, slow.BATCH))
  inputs = slow.inputs(labels={LABEL: jnp.asarray(shown)})
  weights = np.asarray(inputs.weights) * (shown >= 0)
  among = slow.allowed(slow.firsts(), weights, 1)
  z = slow.rows(slow.normal(slow.mlp(params, slow.numpy(inputs.latents))))
  expected = slow_supcon(z, shown.reshape(-1), among, weights.reshape(-1), 0.2, balance)
  loss, _, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, 0.2 * expected, rtol=1e-4)


def test_one_positive_each_is_a_plain_contrast_and_equal_points_its_logarithm():
  among = ~jnp.eye(6, dtype=bool)
  label = jnp.array([0, 0, 1, 1, 2, 2])
  positive = among & (label[:, None] == label[None])
  z = jax.random.normal(KEY, (6, 3))
  expected = [
    -np.log(np.exp(z[i] @ z[i ^ 1]) / sum(np.exp(z[i] @ z[j]) for j in range(6) if j != i))
    for i in range(6)
  ]
  np.testing.assert_allclose(
    supcon.contrast(z @ z.T, positive, among, jnp.ones(6)), np.mean(expected), rtol=1e-5
  )
  equal = supcon.contrast(jnp.ones((6, 6)), positive, among, jnp.ones(6))
  np.testing.assert_allclose(equal, np.log(5), rtol=1e-6)


def test_classes_at_the_corners_of_a_simplex_are_the_least():
  corners = np.eye(4) - 0.25
  z = np.repeat(corners / np.linalg.norm(corners, axis=1, keepdims=True), 6, axis=0)
  label = jnp.repeat(jnp.arange(4), 6)
  among = ~jnp.eye(24, dtype=bool)
  positive = among & (label[:, None] == label[None])
  loss = supcon.contrast(jnp.asarray(z @ z.T / 0.1), positive, among, jnp.ones(24))
  np.testing.assert_allclose(loss, 1.609444, atol=1e-4)


def test_classify_equals_numpy():
  method, params, state = slow.build("classify", classes=3, hidden=8)
  shown = np.random.default_rng(3).integers(-1, 3, size=(slow.LENGTH + 1, slow.BATCH))
  inputs = slow.inputs(labels={LABEL: jnp.asarray(shown)})
  logits = slow.rows(slow.mlp(params, slow.numpy(inputs.beliefs)))
  weights = slow.rows(np.asarray(inputs.weights) * (shown >= 0))
  label = shown.reshape(-1)
  errors = [
    -np.log(np.exp(x[max(y, 0)]) / np.exp(x).sum()) for x, y in zip(logits, label, strict=True)
  ]
  loss, metrics, _ = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, slow.mean(errors, weights), rtol=1e-4)
  right = slow.mean(logits.argmax(-1) == label, weights)
  np.testing.assert_allclose(metrics["classify_accuracy"], right, rtol=1e-5)


def test_a_policy_that_classifies_is_paid_for_the_label_as_its_action():
  method, params, state = slow.build("classify", classes=2, reads="policy")
  assert method.shapes_policy
  rng = np.random.default_rng(3)
  shown = rng.integers(-1, 2, size=(slow.LENGTH + 1, slow.BATCH))
  logits = rng.normal(size=(*shown.shape, 2))
  inputs = slow.inputs(labels={LABEL: jnp.asarray(shown)})._replace(policy=jnp.asarray(logits))
  label = np.maximum(shown, 0)[..., None]
  errors = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, label, -1)[..., 0]
  loss, _, _ = slow.loss(method, params, state, inputs, KEY)
  expected = slow.mean(errors, np.asarray(inputs.weights) * (shown >= 0))
  np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_a_policy_of_other_actions_than_labels_is_refused():
  with pytest.raises(ValueError, match="can tell 3 labels where it has as many actions"):
    slow.build("classify", classes=3, reads="policy")


@pytest.mark.parametrize(
  ("name", "settings", "message"),
  [
    ("supcon", {"labels": "goal"}, "they are 'goal', and the environment has no goals"),
    ("supcon", {"labels": "class"}, "'supcon' has no labels"),
    ("classify", {}, "'classify' has no labels"),
  ],
)
def test_environments_without_labels_are_refused(name, settings, message):
  with pytest.raises(ValueError, match=message):
    slow.build(name, **settings)
