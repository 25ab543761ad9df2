"""The probes' known values against returns that were really played."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.conformance import check
from envs.environment import registry
from envs.probes.probes import Probe

GAMMA = 0.9
NAMES = [name for name in registry.names() if name.startswith("probe/")]


def best_action(name, cue, time):
  """What optimal play does, told the hidden cue."""
  return 1 if name == "probe/action_reward" else int(cue > 0)


def play(name, seed):
  """Observations and discounted returns of optimal play; a truncated one goes on for ever."""
  env = envs.make(name)
  state, timestep = env.reset(jax.random.key(seed))
  observations, rewards = [np.asarray(timestep.observation)], []
  while int(timestep.step_type) != envs.LAST:
    action = best_action(name, float(state.cue), int(state.time))
    state, timestep = env.step(state, jnp.int32(action))
    observations.append(np.asarray(timestep.observation))
    rewards.append(float(timestep.reward))
  # A truncated probe comes back to its first observation: its value is rewards / (1 - gamma^n).
  value, values = 0.0, []
  if float(timestep.discount) == 1.0:
    once = sum(GAMMA**t * reward for t, reward in enumerate(rewards))
    value = once / (1.0 - GAMMA ** len(rewards))
  for reward in reversed(rewards):
    value = reward + GAMMA * value
    values.append(value)
  return observations[:-1], values[::-1]


def test_every_probe_is_registered():
  assert len(NAMES) == 8
  assert all(isinstance(envs.make(name), Probe) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_known_values_are_those_of_optimal_play(name):
  known = envs.make(name).values(GAMMA)
  met = set()
  for seed in range(6):  # both cues occur
    for observation, value in zip(*play(name, seed), strict=True):
      for label, (at, expected) in known.items():
        if np.array_equal(observation, at):
          np.testing.assert_allclose(value, expected, rtol=1e-5, err_msg=label)
          met.add(label)
  assert met == set(known)


@pytest.mark.parametrize("name", NAMES)
def test_known_observations_are_told_apart(name):
  observations = [tuple(at) for at, _ in envs.make(name).values(GAMMA).values()]
  assert len(set(observations)) == len(observations)


@pytest.mark.parametrize("name", NAMES)
def test_conforms(name):
  check(envs.make(name), steps=20)


@pytest.mark.parametrize(
  ("name", "wrong"), [("probe/action_reward", 0), ("probe/observation_action_reward", None)]
)
def test_the_wrong_action_is_paid_minus_one(name, wrong):
  env = envs.make(name)
  state, _ = env.reset(jax.random.key(0))
  action = int(state.cue < 0) if wrong is None else wrong
  _, timestep = env.step(state, jnp.int32(action))
  assert float(timestep.reward) == -1.0


def test_memory_hides_the_cue_and_pays_for_telling_it():
  env = envs.make("probe/memory", delay=2)
  for seed in range(4):
    state, timestep = env.reset(jax.random.key(seed))
    cue = float(timestep.observation[0])
    assert cue in (-1.0, 1.0)
    for expected in ([0.0, 0.0], [0.0, 1.0]):
      state, timestep = env.step(state, jnp.int32(0))
      np.testing.assert_array_equal(timestep.observation, expected)
      assert float(timestep.reward) == 0.0
    _, timestep = env.step(state, jnp.int32(0))
    assert int(timestep.step_type) == envs.LAST
    assert float(timestep.reward) == (1.0 if cue < 0 else -1.0)


def test_the_twins_differ_in_nothing_but_the_last_discount():
  twins = [envs.make(f"probe/{name}", length=3) for name in ("truncation", "termination")]
  (state_a, a), (state_b, b) = (env.reset(jax.random.key(0)) for env in twins)
  for _ in range(3):
    np.testing.assert_array_equal(a.observation, b.observation)
    state_a, a = twins[0].step(state_a, jnp.int32(0))
    state_b, b = twins[1].step(state_b, jnp.int32(0))
    assert int(a.step_type) == int(b.step_type)
    assert float(a.reward) == float(b.reward) == 1.0
  np.testing.assert_array_equal(a.observation, b.observation)
  assert (int(a.step_type), float(a.discount), float(b.discount)) == (envs.LAST, 1.0, 0.0)


@pytest.mark.parametrize(
  ("name", "settings"),
  [("memory", {"delay": 0}), ("truncation", {"length": 1}), ("termination", {"length": 1})],
)
def test_a_length_too_short_is_refused(name, settings):
  with pytest.raises(ValueError, match="expected at least"):
    envs.make(f"probe/{name}", **settings)
