"""kd and crd: against NumPy, and closed forms."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import auxiliaries
from agents.agent import Agent, Probe, Teacher
from agents.auxiliaries import kd, policy_kl
from agents.byol_explore import ByolExploreConfig
from agents.heads.policies import IMPOSSIBLE
from agents.latent.agent import build
from agents.trajectory import DataSpec
from agents.world_model.world_model import WorldModelConfig
from envs import make
from envs.auto_reset import AutoReset
from experiments.runtimes import on_device
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)
NUMBERS = slow.SIDE * slow.SIDE * 2
KNOWN = 5
"""Numbers in the teacher's latents; the student has slow.SIZE."""


def linear(state, observation):
  return observation.reshape(*observation.shape[:-3], -1) @ state


def teacher(env=None, policy=True, size=KNOWN):
  """A teacher of linear latents, whose logits are the first two of them."""

  def logits(state, trajectory):
    assert trajectory.memory == "anew"
    return linear(state, trajectory.observation)[..., :2]

  agent = Agent(
    init=lambda key: None,
    initial_memory=lambda batch: "anew",
    act=lambda *given: None,
    learn=lambda *given: None,
    variables=lambda state: state,
    data=DataSpec(slow.LENGTH, slow.BATCH),
    encode=linear,
    probe=Probe(lambda *given: {}, lambda *given: None, policy=logits if policy else None),
  )
  state = np.random.default_rng(9).normal(size=(NUMBERS, size)).astype(np.float32)
  return Teacher(agent, state, env or slow.Pictures())


def student(seed=0):
  """Inputs with a policy of two actions."""
  logits = np.random.default_rng(3).normal(size=(slow.LENGTH + 1, slow.BATCH, 2))
  return slow.inputs(seed)._replace(policy=jnp.asarray(logits, jnp.float32))


def softmax(x):
  e = np.exp(x - x.max(axis=-1, keepdims=True))
  return e / e.sum(axis=-1, keepdims=True)


def test_kd_equals_numpy():
  frozen, inputs = teacher(), student()
  loss, metrics, _ = slow.loss(*slow.build("kd", teacher=frozen), inputs, KEY)
  known = slow.numpy(linear(frozen.state, inputs.trajectory.observation))[:-1, :, :2]
  own = slow.numpy(inputs.policy)[:-1]
  p, q = softmax(known / 4.0), softmax(own / 4.0)
  weights = np.asarray(inputs.weights)[:-1] * np.asarray(inputs.trajectory.mask)
  expected = slow.mean(16.0 * (p * np.log(p / q)).sum(axis=-1), weights)
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  agreement = slow.mean(known.argmax(-1) == own.argmax(-1), weights)
  np.testing.assert_allclose(metrics["kd_agreement"], agreement, rtol=1e-6)


def test_one_policy_has_no_distance_to_itself():
  frozen, inputs = teacher(), student()
  same = inputs._replace(policy=linear(frozen.state, inputs.trajectory.observation)[..., :2])
  loss, metrics, _ = slow.loss(*slow.build("kd", teacher=frozen), same, KEY)
  assert loss == pytest.approx(0.0, abs=1e-5)
  assert metrics["kd_agreement"] == 1.0


def test_the_gradient_of_a_high_temperature_is_the_step_between_centred_logits():
  rng = np.random.default_rng(1)
  known, own = (jnp.asarray(rng.normal(size=4), jnp.float32) for _ in range(2))
  gradient = jax.grad(lambda own: kd.divergence(known, own, 100.0))(own)
  expected = ((own - own.mean()) - (known - known.mean())) / 4
  np.testing.assert_allclose(gradient, expected, rtol=0.05, atol=0.02)


@pytest.mark.parametrize(
  ("direction", "kl", "gradient"),
  [
    ("forward", 0.376868, [-0.394252, 0.095470, 0.223241, 0.075541]),
    ("reverse", 0.482060, [-0.408140, 0.039808, 0.389907, -0.021575]),
  ],
)
def test_the_gradients_of_both_directions_are_their_closed_forms(direction, kl, gradient):
  known, own = jnp.array([2.0, 0.0, -1.0, 0.5]), jnp.array([0.3, -0.2, 0.1, 0.0])

  def loss(own):
    return policy_kl.divergence(*((own, known) if direction == "reverse" else (known, own)))

  assert loss(own) == pytest.approx(kl, abs=1e-6)
  np.testing.assert_allclose(jax.grad(loss)(own), gradient, atol=1e-6)
  t, p = softmax(np.asarray(known)), softmax(np.asarray(own))
  closed = p - t if direction == "forward" else p * (np.log(p / t) - kl)
  np.testing.assert_allclose(closed, gradient, atol=1e-5)


@pytest.mark.parametrize("direction", ["reverse", "forward"])
def test_policy_kl_equals_numpy(direction):
  frozen, inputs = teacher(), student()
  method = slow.build("policy_kl", teacher=frozen, direction=direction, burn_in=2)
  loss, metrics, _ = slow.loss(*method, inputs, KEY)
  known = slow.numpy(linear(frozen.state, inputs.trajectory.observation))[:-1, :, :2]
  p, q = softmax(slow.numpy(inputs.policy)[:-1]), softmax(known)
  p, q = (p, q) if direction == "reverse" else (q, p)
  weights = np.asarray(inputs.weights)[:-1] * np.asarray(inputs.trajectory.mask)
  first = slow.firsts()
  for t, column in np.ndindex(weights.shape):
    if t < 2 and not first[: t + 1, column].any():
      weights[t, column] = 0.0
  expected = slow.mean((p * np.log(p / q)).sum(axis=-1), weights)
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  agreement = slow.mean(p.argmax(-1) == q.argmax(-1), weights)
  np.testing.assert_allclose(metrics["policy_kl_agreement"], agreement, rtol=1e-6)


@pytest.mark.parametrize("name", ["kd", "policy_kl"])
def test_actions_that_are_not_allowed_are_left_out(name):
  frozen, inputs = teacher(), student()
  one = inputs._replace(policy=inputs.policy.at[..., 1].set(IMPOSSIBLE))
  method, params, state = slow.build(name, teacher=frozen)

  def loss(policy):
    return method.loss(params, state, one._replace(policy=policy), KEY)[0]

  value, gradient = jax.jit(jax.value_and_grad(loss))(one.policy)
  assert value == 0.0  # there is but one thing to do
  assert np.all(np.isfinite(gradient))


def test_crd_equals_numpy():
  frozen, inputs = teacher(), student()
  method, params, state = slow.build("crd", teacher=frozen, neighbours=1, size=4, temperature=0.5)
  loss, _, _ = slow.loss(method, params, state, inputs, KEY)
  weights = np.asarray(inputs.weights)
  negatives = slow.allowed(slow.firsts(), weights, 1)
  maps = slow.numpy(params)

  def mapped(x, name):
    x = slow.rows(slow.numpy(x)) @ maps[name]
    return x / np.linalg.norm(x, axis=-1, keepdims=True)

  t = mapped(linear(frozen.state, inputs.trajectory.observation), "teacher")
  logits = mapped(inputs.latents, "student") @ t.T / 0.5
  flat = weights.reshape(-1)
  expected = slow.info_nce(logits, flat, negatives) + slow.info_nce(logits.T, flat, negatives)
  np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_a_teacher_that_says_the_same_of_all_tells_nothing():
  frozen = teacher()
  frozen = frozen._replace(state=0 * frozen.state)
  inputs = student()
  method, params, state = slow.build("crd", teacher=frozen, neighbours=1)
  loss, metrics, _ = slow.loss(method, params, state, inputs, KEY)
  count = slow.allowed(slow.firsts(), np.asarray(inputs.weights), 1).sum(axis=1)
  expected = 2 * slow.mean(np.log1p(count), np.asarray(inputs.weights))
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  assert metrics["crd_information"] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("name", ["crd", "kd", "policy_kl"])
def test_no_gradient_reaches_the_teacher(name):
  frozen, inputs = teacher(), student()

  def loss(weights, policy, latents):
    method, params, kept = slow.build(name, teacher=frozen._replace(state=weights))
    own = inputs._replace(policy=policy, latents=latents)
    return method.loss(params, kept, own, KEY)[0]

  of_teacher, *of_student = jax.grad(loss, (0, 1, 2))(
    jnp.asarray(frozen.state), inputs.policy, inputs.latents
  )
  assert not np.any(of_teacher)
  assert any(np.any(x) for x in of_student)


class Others(slow.Pictures):
  """Specs that differ."""

  def __init__(self, observation=slow.SPEC, action=specs.DiscreteArray(2)):  # noqa: B008
    self.observation, self.action = observation, action

  def observation_spec(self):
    return self.observation

  def action_spec(self):
    return self.action


@pytest.mark.parametrize(
  ("name", "told", "line"),
  [
    ("crd", {}, "'crd' learns from a trained run: rarebird train --teacher RUN"),
    (
      "crd",
      {"teacher": teacher(Others(observation=specs.Array((3,), np.float32)))},
      r"'crd': the teacher has other observations, float32\[3\], than the student, float32\[4, 4",
    ),
    ("kd", {"teacher": teacher(Others(action=specs.DiscreteArray(3)))}, "has other actions, .*3"),
    (
      "policy_kl",
      {"teacher": teacher(Others(action=specs.DiscreteArray(3)))},
      "'policy_kl': the teacher has other actions, .*3",
    ),
    (
      "policy_kl",
      {"teacher": teacher(), "burn_in": 5},
      "burn_in asks for 6 steps, and an unroll has",
    ),
    ("kd", {"teacher": teacher(policy=False)}, "the teacher's policy cannot be read; take crd"),
    (
      "kd",
      {
        "teacher": teacher(Others(action=specs.BoundedArray((2,), np.float32, 0.0, 1.0))),
        "env": Others(action=specs.BoundedArray((2,), np.float32, 0.0, 1.0)),
      },
      "'kd' needs discrete actions",
    ),
  ],
)
def test_a_teacher_that_does_not_fit_is_one_line(name, told, line):
  with pytest.raises(ValueError, match=line) as error:
    slow.build(name, **told)
  assert "\n" not in str(error.value)


def test_observations_normalised_for_the_student_are_refused():
  context = auxiliaries.Context(slow.Pictures(), 4, 4, 2, 5, 3, normalised=True, teacher=teacher())
  with pytest.raises(ValueError, match="give --normalise-observations no"):
    auxiliaries.registry.build(auxiliaries.registry.choice("crd"), context)


def test_a_probe_tells_the_policy_that_acted():
  env = make("probe/memory", delay=2)
  config = ByolExploreConfig(
    unroll_length=7,
    batch_size=4,
    world_model=WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=2),
  )
  agent = build(dataclasses.replace(config, head_hidden=8), env)
  carry = jax.tree.map(lambda x: x[0], on_device.build(env, agent, 1).init(KEY[None]))
  variables = agent.variables(carry.learner)
  trajectory = jax.jit(lambda c: on_device.unroll(AutoReset(env), agent, variables, c)[1])(carry)
  found = jax.jit(agent.probe.policy)(carry.learner, trajectory)
  np.testing.assert_allclose(found[:-1], trajectory.extras["policy"][:-1], rtol=1e-4, atol=1e-5)
