"""Where the agent is, of environments that tell it: against what they show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.zipf import maps


def play(env, seed, length):
  """A random episode of at most `length` steps, as lists of states and timesteps."""
  step = jax.jit(env.step)
  state, timestep = jax.jit(env.reset)(jax.random.key(seed))
  trace = [(state, timestep)]
  for action in np.random.default_rng(seed).integers(0, env.action_spec().num_values, length):
    if timestep.last():
      break
    state, timestep = step(state, jnp.int32(action))
    trace.append((state, timestep))
  return trace


def test_the_diver_is_where_it_is_seen_and_then_back_at_the_start():
  env = envs.make("deep_sea", size=5)
  places = env.places()
  seen = set()
  for seed in range(12):
    *before, (last, _) = play(env, seed, 5)
    for state, timestep in before:
      place = int(env.oracle(state).place)
      np.testing.assert_array_equal(np.flatnonzero(timestep.observation), [place])
      assert places.reachable[place]
      seen.add(place)
    assert int(env.oracle(last).place) == 0
  assert places.reachable.sum() == 15
  assert len(seen) > 8


def test_zipf_the_agent_walks_through_nine_rooms_and_their_doors():
  env = envs.make("zipf/gridworld-symbolic", split="uniform")
  places, walls = env.places(), maps.load().walls
  for seed in range(8):
    for state, _ in play(env, seed, 100):
      place = int(env.oracle(state).place)
      assert places.reachable[place]
      assert not walls[int(state.map_index), place]
  assert np.bincount(places.rooms[places.rooms >= 0]).tolist() == [9] * 9
  start = maps.load().start
  assert (places.rooms[start] >= 0).all()


@pytest.mark.parametrize(("name", "rows", "columns"), [("classic", 64, 64), ("full", 432, 48)])
def test_craftax_the_floors_lie_one_below_the_other(name, rows, columns):
  pytest.importorskip("craftax")
  env = envs.make(f"craftax/{name}")
  places = env.places()
  assert (places.rows, places.columns, places.reachable.size) == (rows, columns, rows * columns)
  state = jax.eval_shape(env.reset, jax.random.key(0))[0]
  deep = {"player_level": jnp.int32(2)} if name == "full" else {}
  world = state.world.replace(player_position=jnp.array([3, 5], jnp.int32), **deep)
  oracle = env.oracle(state._replace(world=world))
  assert divmod(int(oracle.place), columns) == ((2 * 48 if deep else 0) + 3, 5)
  assert (oracle.place.dtype, oracle.objects.shape, bool(oracle.near_noise)) == (
    jnp.int32,
    (0,),
    False,
  )
