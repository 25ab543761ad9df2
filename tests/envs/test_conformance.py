"""Each fault that the conformance test exists for, injected into an environment that is sound."""

from typing import NamedTuple

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from envs import action_specs
from envs.action_specs import ActionReader
from envs.conformance import ConformanceError, check
from envs.environment import Environment, restart, transition
from envs.hard.deep_sea import DeepSea


class WalkState(NamedTuple):
  time: jax.Array
  place: jax.Array
  key: jax.Array


class Walk(Environment):
  """A noisy walk of at most 6 steps that also ends, by truncation, 2 places from its start."""

  max_episode_steps = 6

  def reset(self, key):
    state = WalkState(jnp.int32(0), jnp.float32(0.0), key)
    return state, restart(self.observe(state))

  def step(self, state, action):
    key, noise_key = jax.random.split(state.key)
    noise = jax.random.uniform(noise_key, (), jnp.float32)
    place = state.place + jnp.where(action == 1, 1.0, -1.0) * noise
    state = WalkState(state.time + 1, place, key)
    far = jnp.abs(place) > 2.0
    return state, transition(self.observe(state), place, state.time == 6, far)

  def observe(self, state):
    return jnp.stack([state.place, state.time.astype(jnp.float32)])

  def observation_spec(self):
    return specs.BoundedArray((2,), np.float32, -6.0, 6.0)

  def action_spec(self):
    return specs.DiscreteArray(2)


def edit(change, **also):
  """A Walk whose every (state, timestep) pair goes through `change`."""

  def reset(self, key):
    return change(*Walk.reset(self, key))

  def step(self, state, action):
    return change(*Walk.step(self, state, action))

  return type("Broken", (Walk,), {"reset": reset, "step": step, **also})()


def edit_step(change, **also):
  """A Walk whose pairs of step() alone go through `change`."""

  def step(self, state, action):
    return change(*Walk.step(self, state, action))

  return type("Broken", (Walk,), {"step": step, **also})()


def edit_reset(change):
  """A Walk whose pairs of reset() alone go through `change`."""

  def reset(self, key):
    return change(*Walk.reset(self, key))

  return type("Broken", (Walk,), {"reset": reset})()


def override(**attributes):
  return type("Broken", (Walk,), attributes)()


def at(state, time, broken, sound):
  return jnp.where(state.time == time, broken, sound).astype(jnp.asarray(sound).dtype)


def spec(value):
  return lambda self: value


class Impure(Walk):
  """Counts its steps in itself, outside its state."""

  steps_taken = 0

  def step(self, state, action):
    self.steps_taken += 1
    state, timestep = super().step(state, action)
    return state, timestep._replace(reward=timestep.reward + self.steps_taken)


class SeesTracing(Walk):
  """Behaves differently when it is traced."""

  def step(self, state, action):
    state, timestep = super().step(state, action)
    traced = isinstance(action, jax.core.Tracer)
    return state, timestep._replace(reward=timestep.reward + float(traced))


@jax.custom_batching.custom_vmap
def _batched_differently(x):
  return x


@_batched_differently.def_vmap
def _add_one(axis_size, in_batched, x):
  return x + 1.0, in_batched[0]


@jax.custom_batching.custom_vmap
def _unbatchable(x):
  return x


@_unbatchable.def_vmap
def _refuse(axis_size, in_batched, x):
  raise NotImplementedError("no batching rule")


def _other_split(self):
  return {"train": self, "rare": DeepSea(3)}


FAULTS = {
  "observation shape": (
    edit(lambda s, t: (s, t._replace(observation=t.observation[:1]))),
    r"reset\(\) returned observation float32\[1\]; expected float32\[2\] by observation_spec",
  ),
  "observation dtype": (
    edit_step(lambda s, t: (s, t._replace(observation=t.observation.astype(jnp.int32)))),
    r"step\(\) returned observation int32\[2\]; expected float32\[2\]",
  ),
  "observation not an array": (
    edit(lambda s, t: (s, t._replace(observation={"x": t.observation}))),
    r"reset\(\) returned observation .*; expected an array",
  ),
  "observation out of bounds": (
    override(observation_spec=spec(specs.BoundedArray((2,), np.float32, -3.0, 3.0))),
    r"the observation, within .*, leaves the bounds of observation_spec\(\), \[-3.0, 3.0\]",
  ),
  "observation NaN": (
    edit_step(lambda s, t: (s, t._replace(observation=at(s, 2, jnp.nan, t.observation)))),
    r"the observation is not finite at step 2 of episode 0",
  ),
  "reward NaN": (
    edit_step(lambda s, t: (s, t._replace(reward=at(s, 2, jnp.nan, t.reward)))),
    r"the reward is nan at step 2 of episode 0",
  ),
  "reward dtype": (
    edit_step(lambda s, t: (s, t._replace(reward=jnp.int32(1)))),
    r"step\(\) returned reward int32\[\]; expected float32\[\]",
  ),
  "reward weakly typed": (
    edit_step(lambda s, t: (s, t._replace(reward=1.0 + 0.0 * jnp.asarray(1.0)))),
    r"step\(\) returned reward float32\[\] \(weakly typed",
  ),
  "reward shape": (
    edit_step(lambda s, t: (s, t._replace(reward=t.reward[None]))),
    r"step\(\) returned reward float32\[1\]; expected float32\[\]",
  ),
  "reward None at FIRST": (
    edit_reset(lambda s, t: (s, t._replace(reward=None))),
    r"reset\(\) returned reward None; expected an array",
  ),
  "discount dtype": (
    edit(lambda s, t: (s, t._replace(discount=t.discount > 0))),
    r"reset\(\) returned discount bool\[\]; expected float32\[\]",
  ),
  "discount shape": (
    edit_step(lambda s, t: (s, t._replace(discount=t.discount[None]))),
    r"step\(\) returned discount float32\[1\]",
  ),
  "step_type dtype": (
    edit(lambda s, t: (s, t._replace(step_type=t.step_type.astype(jnp.uint8)))),
    r"reset\(\) returned step_type uint8\[\]; expected int32\[\]",
  ),
  "first step_type": (
    edit_reset(lambda s, t: (s, t._replace(step_type=jnp.int32(1)))),
    r"step_type is 1 at the first step of episode 0; expected 0",
  ),
  "first reward": (
    edit_reset(lambda s, t: (s, t._replace(reward=jnp.float32(1.0)))),
    r"reward is 1.0 at the first step of episode 0; expected 0",
  ),
  "first discount": (
    edit_reset(lambda s, t: (s, t._replace(discount=jnp.float32(0.0)))),
    r"discount is 0.0 at the first step of episode 0; expected 1",
  ),
  "FIRST within an episode": (
    edit_step(lambda s, t: (s, t._replace(step_type=at(s, 2, 0, t.step_type)))),
    r"step_type is 0 at step 2 of episode 0; expected 1 or 2",
  ),
  "discount 0 at a MID": (
    edit_step(lambda s, t: (s, t._replace(discount=at(s, 1, 0.0, t.discount)))),
    r"the discount is 0.0 at step 1 of episode 0, a MID",
  ),
  "discount .5 at a LAST": (
    edit_step(
      lambda s, t: (s, t._replace(discount=jnp.where(t.step_type == 2, 0.5, 1.0).astype("float32")))
    ),
    r"the discount is 0.5 at step \d of episode 0, a LAST; expected 0 \(termination\) or 1",
  ),
  "episode too long": (
    override(max_episode_steps=3),
    r"episode \d did not end within max_episode_steps = 3",
  ),
  "not a pair": (
    edit(lambda s, t: t),
    r"reset\(\) returned TimeStep; expected \(state, dm_env.TimeStep\)",
  ),
  "state dtype": (
    edit_step(lambda s, t: (s._replace(place=s.place.astype(jnp.float16)), t)),
    r"state.place is float32\[\] after reset\(\) but float16\[\] after step\(\)",
  ),
  "state weakly typed": (
    edit_reset(lambda s, t: (s._replace(place=jnp.asarray(0.0)), t)),
    r"state.place is float32\[\] \(weakly typed.* after reset\(\) but float32\[\] after step\(\)",
  ),
  "state shape": (
    edit_step(lambda s, t: (s._replace(place=s.place[None]), t)),
    r"state.place is float32\[\] after reset\(\) but float32\[1\] after step\(\)",
  ),
  "state structure": (
    edit_step(lambda s, t: (tuple(s), t)),
    r"step\(\) returned a state of another structure than reset\(\)",
  ),
  "untraceable step": (
    edit_step(lambda s, t: (s, t if s.place > 0 else t._replace(reward=t.reward + 1))),
    r"tracing step \(as jax.jit does\) failed with TracerBoolConversionError",
  ),
  "impure": (Impure(), r"the same key gave two different episodes: timestep.reward at step 1"),
  "jit": (SeesTracing(), r"jitted and not jitted differ: timestep.reward at step 1"),
  "vmap": (
    edit_step(lambda s, t: (s, t._replace(reward=_batched_differently(t.reward)))),
    r"under jax.vmap and without it differ: timestep",
  ),
  "no vmap": (
    edit_step(lambda s, t: (s, t._replace(reward=_unbatchable(t.reward)))),
    r"a scan of AutoReset under jax.vmap failed with NotImplementedError: no batching rule",
  ),
  "observe": (
    override(
      observe=lambda self, state: Walk.observe(self, state) + at(state, 2, 1.0, jnp.float32(0.0)),
      step=lambda self, state, action: (
        lambda s, t: (s, t._replace(observation=Walk.observe(self, s)))
      )(*Walk.step(self, state, action)),
    ),
    r"observe\(state\) differs from the observation at step 2 of episode 0",
  ),
  "splits not a mapping": (override(splits=spec(["train"])), r"splits\(\) is \['train'\]"),
  "splits empty": (override(splits=spec({})), r"splits\(\) is \{\}"),
  "split not an environment": (override(splits=spec({"rare": 3})), r"splits\(\) has 'rare': 3"),
  "split of other observations": (
    override(splits=_other_split),
    r"split 'rare' has observation_spec\(\)",
  ),
  "too many values to observe": (
    override(observation_spec=spec(specs.DiscreteArray(10**9))),
    r"observation_spec\(\) is a choice of more than 1,048,576 values",
  ),
  "channels first": (
    override(observation_spec=spec(specs.BoundedArray((3, 64, 64), np.uint8, 0, 255))),
    r"observation_spec\(\) is uint8 \(3, 64, 64\); expected pictures with their channels last",
  ),
  "observation spec": (override(observation_spec=spec((2,))), r"observation_spec\(\) is \(2,\)"),
  "action spec": (
    override(action_spec=spec(specs.BoundedArray((2,), np.int32, -1, 1))),
    r"action_spec\(\) is BoundedArray.*; expected a DiscreteArray, a BoundedArray of integers",
  ),
  "action dtype": (
    override(action_spec=spec(specs.BoundedArray((2,), np.int64, 0, 1))),
    r"action_spec\(\) is BoundedArray.*, in int32 or float32",
  ),
  "action bounds": (
    override(action_spec=spec(specs.BoundedArray((2,), np.float32, 1, 1))),
    r"action_spec\(\) is BoundedArray.*each maximum above its minimum",
  ),
  "max_episode_steps": (override(max_episode_steps=0), r"max_episode_steps is 0"),
  "success_return": (override(success_return=None), r"success_return is None"),
  "optimal": (override(optimal=spec(1.0)), r"optimal\(\) is 1.0; expected a Reference or None"),
  "no places": (
    override(places=spec(None), oracle=lambda self, state: None),
    r"places\(\) is None; expected Places",
  ),
  "render": (
    override(render=lambda self, state: jnp.zeros((4, 4), jnp.uint8)),
    r"render\(\) returned uint8\[4,4\]; expected uint8\[H,W,3\]",
  ),
}


def test_a_sound_environment_passes():
  check(Walk(), steps=50)


class Push(Walk):
  """A Walk that goes as far as its action says; fails outside the bounds."""

  def step(self, state, action):
    place = state.place + jnp.where(jnp.all(jnp.abs(action) <= 0.7), action[0], jnp.nan)
    state = WalkState(state.time + 1, place, state.key)
    return state, transition(self.observe(state), place, state.time == 6)

  def action_spec(self):
    return specs.BoundedArray((2,), np.float32, -0.7, [0.5, 0.7])


def test_a_sound_environment_of_continuous_actions_passes():
  check(Push(), steps=50)


class Reach(Walk):
  """A Walk whose actions are of a kind given; fails outside their bounds."""

  def __init__(self, actions):
    self.actions = actions

  def step(self, state, action):
    low, high = action_specs.bounds(self.actions)
    inside = jnp.all((action >= low) & (action <= high))
    place = state.place + jnp.where(inside, jnp.tanh(action.reshape(-1)[0]), jnp.nan)
    state = WalkState(state.time + 1, place.astype(jnp.float32), state.key)
    return state, transition(self.observe(state), place, state.time == 6)

  def action_spec(self):
    return self.actions


@pytest.mark.parametrize(
  "actions",
  [
    specs.BoundedArray((2, 2), np.int32, 0, [[2, 0], [3, 1]]),
    specs.Array((2,), np.float32),
    specs.BoundedArray((2,), np.float32, [-np.inf, 3.0], [-1.0, np.inf]),
  ],
)
def test_sound_environments_of_several_integers_and_of_no_bounds_pass(actions):
  check(Reach(actions), steps=50)


def test_an_action_of_several_integers_is_checked_entry_by_entry():
  spec = specs.BoundedArray((2,), np.int32, 0, [2, 1])
  found = ActionReader(spec)(np.int64([[2, 1], [0, 0]]), batch=(2,))
  np.testing.assert_array_equal(found, [[2, 1], [0, 0]])
  assert found.dtype == np.int32
  with pytest.raises(ValueError, match=r"\[1 2\] is out of range; expected \[0 0\] to \[2 1\]"):
    ActionReader(spec)([1, 2])
  with pytest.raises(ValueError, match="expected an integer"):
    ActionReader(spec)([1.0, 0.0])


def test_an_action_without_bounds_must_be_finite():
  spec = specs.Array((2,), np.float32)
  np.testing.assert_array_equal(ActionReader(spec)([-1e9, 3.0]), np.float32([-1e9, 3.0]))
  with pytest.raises(ValueError, match="is out of range"):
    ActionReader(spec)([np.inf, 0.0])


def test_an_action_of_floats_is_checked_by_its_bounds():
  actions = Push().action_spec()
  np.testing.assert_array_equal(
    ActionReader(actions)([[-0.7, 0.7]], batch=(1,)), np.array([[-0.7, 0.7]], np.float32)
  )
  for action in ([0.6, 0.0], [np.nan, 0.0]):
    with pytest.raises(ValueError, match="is out of range"):
      ActionReader(actions)(action)
  with pytest.raises(ValueError, match="dtype int64; expected a float"):
    ActionReader(actions)([0, 0])


def test_a_sound_environment_with_legacy_keys_passes():
  check(Walk(), key=jax.random.PRNGKey(1), steps=50)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_in_one_line(fault):
  env, message = FAULTS[fault]
  with pytest.raises(ConformanceError, match=message) as caught:
    check(env, steps=50)
  assert "\n" not in str(caught.value)
  assert str(caught.value).startswith(f"{type(env).__name__}: ")


def test_what_is_no_environment_is_told():
  with pytest.raises(ConformanceError, match=r"is not a subclass of envs\.Environment"):
    check(dm_env)
