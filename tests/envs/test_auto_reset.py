"""Resets of environments whose reset is dear: the same stream, for fewer resets."""

import os
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

import envs

DEVICES = 8


class Wander(NamedTuple):
  place: jax.Array
  odds: jax.Array
  key: jax.Array


class Restless(envs.Environment[Wander]):
  """Episodes end at random, by termination and truncation; a reset draws from its key."""

  def reset(self, key):
    place = jax.random.normal(key, (3,)).cumsum()
    state = Wander(place, jax.random.uniform(key, maxval=0.5), key)
    return state, envs.restart(state.place)

  def step(self, state, action):
    key, one, two = jax.random.split(state.key, 3)
    state = Wander(state.place + action, state.odds, key)
    ends = (jax.random.bernoulli(x, state.odds) for x in (one, two))
    return state, envs.transition(state.place, state.place.sum(), *ends)

  def observation_spec(self):
    return specs.Array((3,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2, np.int32)


class Dear(Restless):
  costly_reset = True


class Observed(Restless):
  def observe(self, state):
    return state.place * 2


class DearObserved(Observed):
  costly_reset = True


def play(env, keys, length=30):
  """A scan over `length` steps of environments under as many vmaps as `keys` has axes."""
  stream = envs.AutoReset(env)
  reset, step = stream.reset, stream.step
  for _ in keys.shape:
    reset, step = jax.vmap(reset), jax.vmap(step)
  start, first = reset(keys)
  actions = jax.random.randint(jax.random.key(1), (length, *keys.shape), 0, 2, jnp.int32)
  end, rest = jax.lax.scan(step, start, actions)
  return first, rest, end._replace(key=None, inner=end.inner._replace(key=None))


def assert_same(left, right):
  for x, y in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
    np.testing.assert_array_equal(x, y)
    assert x.dtype == y.dtype


@pytest.mark.parametrize(
  ("shape", "wrap"), [((), jax.jit), ((5,), jax.jit), ((3, 4), jax.jit), ((3, 4), lambda f: f)]
)
@pytest.mark.parametrize(("plain", "dear"), [(Restless, Dear), (Observed, DearObserved)])
def test_the_stream_is_bit_by_bit_that_of_plain_resets(plain, dear, shape, wrap):
  keys = jax.random.split(jax.random.key(7), shape)
  streams = [wrap(lambda keys, env=env: play(env(), keys))(keys) for env in (plain, dear)]
  assert_same(*streams)
  types = np.asarray(streams[1][1].step_type)
  assert {envs.FIRST, envs.MID, envs.LAST} == set(np.unique(types))


def test_many_are_reset_several_at_once():
  keys = jax.random.split(jax.random.key(3), 200)
  assert_same(play(Restless(), keys, 5), play(Dear(), keys, 5))


def test_seeds_outside_the_loop_over_steps():
  """As the on_device runtime does it: environments within the scan, seeds around it."""
  keys = jax.random.split(jax.random.key(5), (2, 6))
  plain, dear = (jax.jit(jax.vmap(lambda k, e=e: play(e(), k)))(keys) for e in (Restless, Dear))
  assert_same(plain, dear)


def test_only_as_many_resets_are_computed_as_episodes_ended():
  computed = []

  class Counted(Dear):
    def reset(self, key):
      jax.debug.callback(lambda _: computed.append(1), jax.random.key_data(key))
      return super().reset(key)

  keys = jax.random.split(jax.random.key(0), 16)
  _, rest, _ = jax.block_until_ready(play(Counted(), keys))
  jax.effects_barrier()
  starts = int((np.asarray(rest.step_type) == envs.FIRST).sum())
  assert 0 < starts < rest.step_type.size / 4
  assert len(computed) == len(keys) + starts


def in_devices():
  from jax.sharding import Mesh, NamedSharding, PartitionSpec

  assert jax.device_count() == DEVICES
  keys = jax.random.split(jax.random.key(5), (2, 16))
  mesh = Mesh(jax.devices(), ("environments",))
  shared = NamedSharding(mesh, PartitionSpec(None, "environments"))
  programs = [
    jax.jit(lambda keys, e=e: jax.vmap(lambda k: play(e(), k))(keys)) for e in (Restless, Dear)
  ]
  plain = programs[0](keys)
  assert_same(plain, programs[1](jax.device_put(keys, shared)))


def test_environments_shared_by_eight_devices():
  flags = f"--xla_backend_optimization_level=0 --xla_force_host_platform_device_count={DEVICES}"
  subprocess.run(
    [sys.executable, __file__], env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": "."}, check=True
  )


if __name__ == "__main__":
  in_devices()
