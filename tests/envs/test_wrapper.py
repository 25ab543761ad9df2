"""Wrappers pass on what the environment within can do, and nothing else."""

import jax
import pytest

from envs.action_repeat import ActionRepeat
from envs.auto_reset import AutoReset
from envs.capabilities import HasGoals, HasObserve, HasPlaces, HasRender
from envs.goals.layouts import u_maze
from envs.goals.point_maze import PointMaze
from envs.hard.deep_sea import DeepSea
from envs.probes.probes import ConstantReward

CAPABILITIES = (HasPlaces, HasGoals, HasObserve, HasRender)


class Costly(ConstantReward):
  costly_reset = True
  costly_step = True


@pytest.mark.parametrize("env", [PointMaze(u_maze()), DeepSea(4), ConstantReward(), Costly()])
@pytest.mark.parametrize("wrap", [AutoReset, lambda env: ActionRepeat(env, 2)])
def test_a_wrapper_can_do_what_is_within(env, wrap):
  wrapped = wrap(env)
  for capability in CAPABILITIES:
    assert isinstance(wrapped, capability) == isinstance(env, capability)
  assert wrapped.success_return == env.success_return
  assert wrapped.costly_reset == env.costly_reset
  assert wrapped.costly_step == env.costly_step


def test_a_wrapper_reads_the_state_within():
  env = AutoReset(ActionRepeat(DeepSea(4), 2))
  state, timestep = env.reset(jax.random.key(0))
  assert int(env.oracle(state).place) == 0
  assert (env.observe(state) == timestep.observation).all()
