"""The contract's own pieces: steps, automatic resets, action checks, and make."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

import envs
from envs.action_specs import ActionReader
from envs.capabilities import HasRender
from envs.hard.deep_sea import DeepSea
from envs.probes import probes


def test_a_first_step_has_reward_0_and_discount_1_in_explicit_dtypes():
  timestep = envs.restart(jnp.zeros(2))
  assert int(timestep.step_type) == envs.FIRST
  assert (float(timestep.reward), float(timestep.discount)) == (0.0, 1.0)
  dtypes = [x.dtype for x in (timestep.step_type, timestep.reward, timestep.discount)]
  assert dtypes == [jnp.int32, jnp.float32, jnp.float32]
  assert not timestep.reward.weak_type


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
@pytest.mark.parametrize(
  ("terminated", "truncated", "step_type", "discount"),
  [
    (False, False, envs.MID, 1.0),
    (True, False, envs.LAST, 0.0),
    (False, True, envs.LAST, 1.0),
    (True, True, envs.LAST, 0.0),
  ],
)
def test_transition_tells_termination_from_truncation(
  wrap, terminated, truncated, step_type, discount
):
  timestep = wrap(envs.transition)(jnp.zeros(2), 3, terminated, truncated)
  assert int(timestep.step_type) == step_type
  assert float(timestep.discount) == discount
  assert float(timestep.reward) == 3.0
  assert (timestep.reward.dtype, timestep.reward.weak_type) == (jnp.float32, False)


def test_auto_reset_starts_a_new_episode_after_a_last_and_ignores_the_action():
  env = envs.AutoReset(probes.Memory(delay=1))

  def play(key, actions):
    state, first = env.reset(key)
    _, rest = jax.lax.scan(env.step, state, actions)
    return jax.tree.map(lambda a, b: jnp.append(a[None], b, axis=0), first, rest)

  actions = jnp.array([0, 0, 1, 0, 0, 1], jnp.int32)
  timesteps = jax.jit(play)(jax.random.key(0), actions)
  assert timesteps.step_type.tolist() == [0, 1, 2, 0, 1, 2, 0]
  assert timesteps.reward[3] == timesteps.reward[6] == 0.0
  assert timesteps.discount.tolist() == [1, 1, 0, 1, 1, 0, 1]
  np.testing.assert_array_equal(timesteps.observation[2], [0, 0])  # no last observation is lost


def test_auto_reset_draws_a_new_key_for_every_episode():
  env = envs.AutoReset(probes.ObservationReward())
  state, _ = env.reset(jax.random.key(0))
  _, rest = jax.lax.scan(env.step, state, jnp.zeros(40, jnp.int32))
  cues = np.asarray(rest.observation)[np.asarray(rest.step_type) == envs.FIRST]
  assert set(np.unique(cues)) == {-1.0, 1.0}


def test_auto_reset_is_the_same_with_and_without_observe():
  class Unobserved(probes.Memory):
    observe = None

    def reset(self, key):
      state, _ = super_env.reset(key)
      return state, envs.restart(super_env.observe(state))

    def step(self, state, action):
      return super_env.step(state, action)

  super_env = probes.Memory()
  with_observe, without = envs.AutoReset(super_env), envs.AutoReset(Unobserved())
  (state_a, _), (state_b, _) = (e.reset(jax.random.key(3)) for e in (with_observe, without))
  for action in [0, 1, 0, 1, 1, 0]:
    state_a, a = with_observe.step(state_a, jnp.int32(action))
    state_b, b = without.step(state_b, jnp.int32(action))
    np.testing.assert_array_equal(a.observation, b.observation)


def test_auto_reset_keeps_what_the_environment_says_of_itself():
  env = DeepSea(3)
  auto = envs.AutoReset(env)
  assert auto.max_episode_steps == 3
  assert auto.success_return == env.success_return
  assert auto.observation_spec() == env.observation_spec()
  state, _ = auto.reset(jax.random.key(0))
  assert auto.render(state).shape == (24, 24, 3)


@pytest.mark.parametrize(
  ("action", "message"),
  [
    (3, "action 3 is out of range; expected 0 to 2"),
    (-1, "action -1 is out of range"),
    (1.0, "action has dtype float64; expected an integer"),
    ([1], r"action has shape \(1,\); expected \(\)"),
  ],
)
def test_an_action_is_refused_in_one_line(action, message):
  with pytest.raises(ValueError, match=message):
    ActionReader(specs.DiscreteArray(3))(action)


def test_an_action_reader_takes_a_batch():
  checked = ActionReader(specs.DiscreteArray(3))([0, 2], batch=(2,))
  np.testing.assert_array_equal(checked, np.array([0, 2], np.int32))
  with pytest.raises(ValueError, match=r"action \[0 3\] is out of range"):
    ActionReader(specs.DiscreteArray(3))([0, 3], batch=(2,))
  with pytest.raises(ValueError, match=r"action has shape \(\); expected \(2,\)"):
    ActionReader(specs.DiscreteArray(3))(0, batch=(2,))


def test_an_action_reader_returns_the_dtype_of_the_spec():
  checked = ActionReader(specs.DiscreteArray(3))(np.int64(2))
  assert (checked.dtype, checked) == (np.int32, 2)


def test_make_passes_settings_on():
  assert envs.make("deep_sea", size=7).size == 7


def test_make_names_a_setting_that_does_not_exist():
  with pytest.raises(ValueError, match=r"environment 'deep_sea' with .*'sise'"):
    envs.make("deep_sea", sise=7)


def test_make_names_a_value_of_another_type():
  with pytest.raises(ValueError, match=r"environment 'deep_sea' with {'size': 'abc'}: "):
    envs.make("deep_sea", size="abc")


def test_make_refuses_what_cannot_be_called():
  with pytest.raises(ValueError, match="environment 'math:pi' is a float, not a class"):
    envs.make("math:pi")


def test_make_refuses_what_is_no_environment():
  with pytest.raises(ValueError, match="built a OrderedDict, not an Environment"):
    envs.make("collections:OrderedDict")


def test_an_environment_without_a_picture_says_so():
  assert not isinstance(probes.ConstantReward(), HasRender)
