"""To and from gymnasium, under gymnasium's own checker."""

import subprocess
import sys
import warnings

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import StepType, specs
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

import envs
from envs.adapters import (
  from_gymnasium,
  to_dm_env,
  to_gymnasium,
  to_gymnasium_vector,
)
from envs.environment import registry
from envs.gymnasium_entry import register_all
from envs.gymnasium_names import gymnasium_id
from envs.hard.deep_sea import DeepSea
from envs.host.observations import Observed
from envs.probes import probes
from tests.worlds_of_trees import Masked, OneLeafTells

register_all()
NAMES = registry.names()


@pytest.fixture(autouse=True)
def _warnings_are_errors():
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    yield


@pytest.mark.parametrize("name", NAMES)
def test_gymnasiums_checker_passes_without_a_warning(name):
  check_env(gymnasium.make(gymnasium_id(name)).unwrapped)


@pytest.mark.parametrize("name", NAMES)
def test_make_vec_steps_every_registered_environment(name):
  venv = gymnasium.make_vec(gymnasium_id(name), num_envs=2)
  venv.reset(seed=0)
  venv.action_space.seed(0)
  observation, reward, terminated, truncated, info = venv.step(venv.action_space.sample())
  assert observation in venv.observation_space
  assert reward.shape == terminated.shape == truncated.shape == (2,)
  assert terminated.dtype == truncated.dtype == bool
  assert info == {}
  venv.close()


def test_gymnasium_imports_the_package_that_an_id_names():
  code = "import gymnasium; print(gymnasium.make('envs:rarebird/deep_sea-v0').spec.id)"
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
  assert done.stdout.strip() == "rarebird/deep_sea-v0", done.stderr


def test_ids_have_one_slash():
  assert gymnasium_id("probe/memory") == "rarebird/probe-memory-v0"
  assert gymnasium_id("deep_sea") == "rarebird/deep_sea-v0"


def test_make_passes_settings_on():
  env = gymnasium.make("rarebird/deep_sea-v0", size=4)
  assert env.observation_space == spaces.Box(0.0, 1.0, (4, 4), np.float32)
  assert env.action_space == spaces.Discrete(2)
  venv = gymnasium.make_vec("rarebird/deep_sea-v0", num_envs=3, size=4)
  assert venv.observation_space == spaces.Box(0.0, 1.0, (3, 4, 4), np.float32)
  assert venv.single_observation_space == env.observation_space


def test_gymnasiums_own_vectorisation_can_be_asked_for():
  venv = gymnasium.make_vec("rarebird/deep_sea-v0", num_envs=2, vectorization_mode="sync", size=2)
  observation, _ = venv.reset(seed=0)
  assert observation.shape == (2, 2, 2)


def test_registering_again_changes_nothing():
  before = dict(gymnasium.registry)
  register_all()
  assert dict(gymnasium.registry) == before


def episode(env, seed=None):
  observation, _ = env.reset(seed=seed)
  yield observation, None, False, False
  ended = False
  while not ended:
    observation, reward, terminated, truncated, _ = env.step(0)
    yield observation, reward, terminated, truncated
    ended = terminated or truncated


@pytest.mark.parametrize(
  ("probe", "flags"), [("Truncation", (False, True)), ("Termination", (True, False))]
)
def test_truncation_and_termination_are_told_apart(probe, flags):
  steps = list(episode(to_gymnasium(getattr(probes, probe)(3))))
  assert [step[2:] for step in steps] == [(False, False)] * 3 + [flags]


def test_a_seed_fixes_this_episode_and_those_that_follow():
  def cues(seed):
    env = to_gymnasium(probes.ObservationReward())
    return [float(env.reset(seed=seed if i == 0 else None)[0][0]) for i in range(20)]

  assert cues(1) == cues(1)
  assert cues(1) != cues(2)
  assert len(set(cues(1))) == 2


def test_stepping_before_a_reset_or_after_the_end_is_refused():
  env = to_gymnasium(DeepSea(1))
  with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
    env.step(0)
  list(episode(env))
  with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
    env.step(0)


def test_a_wrong_action_is_refused():
  env = to_gymnasium(DeepSea(3))
  env.reset(seed=0)
  with pytest.raises(ValueError, match="action 2 is out of range"):
    env.step(2)


def test_render_gives_the_picture_of_the_state():
  env = gymnasium.make("rarebird/deep_sea-v0", size=3, render_mode="rgb_array")
  env.reset(seed=0)
  deep_sea = DeepSea(3)
  picture = deep_sea.render(deep_sea.reset(jax.random.key(0))[0])
  np.testing.assert_array_equal(env.render(), picture)


def test_render_as_a_list_is_offered_by_gymnasiums_wrapper():
  env = gymnasium.make("rarebird/deep_sea-v0", size=3, render_mode="rgb_array_list")
  env.reset(seed=0)
  env.step(0)
  assert [picture.shape for picture in env.render()] == [(24, 24, 3)] * 2


def test_without_a_render_mode_nothing_is_rendered():
  env = to_gymnasium(DeepSea(3))
  env.reset(seed=0)
  assert env.render() is None


@pytest.mark.parametrize("make", [to_gymnasium, lambda *a: to_gymnasium_vector(a[0], 2, *a[1:])])
def test_a_render_mode_that_is_not_offered_is_refused(make):
  with pytest.raises(ValueError, match="DeepSea cannot render as 'ansi'; expected None or rgb"):
    make(DeepSea(3), "ansi")
  with pytest.raises(ValueError, match="cannot render as 'rgb_array'; expected None, for it has"):
    make(probes.Memory(), "rgb_array")


def test_rendering_before_a_reset_is_refused():
  for env in (
    to_gymnasium(DeepSea(2), "rgb_array"),
    to_gymnasium_vector(DeepSea(2), 2, "rgb_array"),
  ):
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
      env.render()


class Unbounded(probes.Memory):
  def observation_spec(self):
    return specs.Array((2,), np.float32)


class Pixels(envs.Environment):
  def reset(self, key):
    return jnp.int32(0), envs.restart(jnp.zeros((2, 2, 3), jnp.uint8))

  def step(self, state, action):
    return state, envs.transition(jnp.zeros((2, 2, 3), jnp.uint8), 0.0, True)

  def observation_spec(self):
    return specs.Array((2, 2, 3), np.uint8)

  def action_spec(self):
    return specs.DiscreteArray(4)


def test_spaces_of_specs_without_bounds():
  assert to_gymnasium(Pixels()).observation_space == spaces.Box(0, 255, (2, 2, 3), np.uint8)
  assert to_gymnasium(Unbounded()).observation_space == spaces.Box(
    -np.inf, np.inf, (2,), np.float32
  )


class Counter(gymnasium.Env):
  """Counts from 3; overwrites the array that it returned; action 5 adds 1, action 6 ends."""

  observation_space = spaces.Box(0, 255, (1,), np.uint8)
  action_space = spaces.Discrete(3, start=5)

  def __init__(self, limit=4):
    self.buffer, self.limit, self.closed = np.zeros(1, np.uint8), limit, False

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.buffer[0] = 3 + self.np_random.integers(2) * 100
    self.time = 0
    return self.buffer, {}

  def step(self, action):
    assert action in self.action_space
    self.buffer[0] += action == 5
    self.time += 1
    return self.buffer, int(action), action == 6, self.time == self.limit, {}

  def close(self):
    self.closed = True


def test_an_episode_from_gymnasium_and_its_start_over():
  env = from_gymnasium(Counter(), seed=0)
  steps = [env.step(np.int32(0)) for _ in range(6)]
  start = int(steps[0].observation[0])
  assert [t.step_type.name for t in steps] == ["FIRST", "MID", "MID", "MID", "LAST", "FIRST"]
  assert [int(t.observation[0]) - start for t in steps[:5]] == [0, 1, 2, 3, 4]
  assert [t.reward for t in steps] == [None, 5.0, 5.0, 5.0, 5.0, None]
  assert [t.discount for t in steps] == [None, 1.0, 1.0, 1.0, 1.0, None]


def test_termination_from_gymnasium_has_discount_0_even_if_cut_off_too():
  for limit in (4, 1):
    env = from_gymnasium(Counter(limit), seed=0)
    env.reset()
    last = env.step(1)
    assert (last.step_type, last.discount) == (StepType.LAST, 0.0)


def test_a_seed_is_used_once_and_fixes_all_episodes():
  def starts(seed):
    env = from_gymnasium(Counter(), seed)
    return [int(env.reset().observation[0]) for _ in range(20)]

  assert starts(1) == starts(1)
  assert len(set(starts(1))) == 2


def test_specs_from_gymnasium():
  env = from_gymnasium(Counter())
  assert env.observation_spec() == specs.BoundedArray((1,), np.uint8, 0, 255, "observation")
  assert env.action_spec() == specs.DiscreteArray(3, np.int32, "action")


class Pendulum(gymnasium.Env):
  """A Discrete observation that counts from -1 and a Box action."""

  observation_space = spaces.Discrete(3, start=-1)
  action_space = spaces.Box(-2.0, 2.0, (1,), np.float32)

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    return -1, {}

  def step(self, action):
    return 1, float(action[0]), False, False, {}


def test_discrete_observations_and_box_actions():
  env = from_gymnasium(Pendulum())
  first = env.reset()
  env.observation_spec().validate(first.observation)
  assert first.observation == 0
  step = env.step(np.array([0.5], np.float32))
  env.observation_spec().validate(step.observation)
  assert (step.observation, step.reward) == (2, 0.5)
  assert env.action_spec() == specs.BoundedArray((1,), np.float32, -2.0, 2.0, "action")


def test_a_space_of_another_kind_is_refused_with_what_is_expected():
  class Several(Counter):
    observation_space = spaces.Dict({"x": spaces.Sequence(spaces.Discrete(2))})

  with pytest.raises(ValueError, match=r"observation\['x'\] is a Sequence space.*expected Box"):
    from_gymnasium(Several())


class Several(Counter):
  """Observes a dict of a tuple, categories and a switch."""

  observation_space = spaces.Dict(
    {
      "pair": spaces.Tuple((spaces.Box(-1, 1, (2,)), spaces.Discrete(3, start=-1))),
      "kinds": spaces.MultiDiscrete([2, 3]),
      "lit": spaces.MultiBinary(2),
    }
  )

  def reset(self, *, seed=None, options=None):
    shown = {"pair": (np.float64([0.5, -0.5]), -1), "lit": [1, 0], "kinds": np.array([1, 2])}
    return shown, {}


def test_nests_are_dicts_and_tuples_with_categories_one_hot():
  env = from_gymnasium(Several())
  found, declared = env.reset().observation, env.observation_spec()
  assert list(found) == list(declared) == ["kinds", "lit", "pair"]
  np.testing.assert_array_equal(found["kinds"], [0, 1, 0, 0, 1])
  np.testing.assert_array_equal(found["pair"][1], [1, 0, 0])
  for key in ("kinds", "lit"):
    declared[key].validate(found[key])
  for spec, value in zip(declared["pair"], found["pair"], strict=True):
    spec.validate(value)


def test_a_wrong_action_to_gymnasium_is_refused():
  env = from_gymnasium(Counter())
  env.reset()
  with pytest.raises(ValueError, match="action 3 is out of range; expected 0 to 2"):
    env.step(3)


def test_closing_closes_the_gymnasium_environment():
  inner = Counter()
  from_gymnasium(inner).close()
  assert inner.closed


def test_there_and_back_gives_the_same_episode():
  ours, back = to_dm_env(DeepSea(4)), from_gymnasium(to_gymnasium(DeepSea(4)), seed=0)
  assert back.observation_spec() == specs.BoundedArray((4, 4), np.float32, 0, 1, "observation")
  for action in np.random.default_rng(0).integers(0, 2, 12):
    a, b = ours.step(action), back.step(action)
    assert (a.step_type, a.reward, a.discount) == (b.step_type, b.reward, b.discount)
    np.testing.assert_array_equal(a.observation, b.observation)


def test_leaves_are_a_dict_and_come_back_with_their_mask():
  env = to_gymnasium(Masked())
  observation, _ = env.reset(seed=0)
  assert env.observation_space.contains(observation)
  assert set(observation) == {"x", "action_mask"}
  back = from_gymnasium(env, 0)
  observed = Observed(back.observation_spec(), back.action_spec())
  legal = observed(back.reset().observation)["legal"]
  np.testing.assert_array_equal(legal, observation["action_mask"])


def test_leaves_pass_through_dm_env():
  env = to_dm_env(OneLeafTells("vector"))
  observation = env.reset().observation
  for name, spec in env.observation_spec().items():
    spec.validate(observation[name])
