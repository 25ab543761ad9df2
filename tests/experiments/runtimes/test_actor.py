"""An actor's unrolls: what is recorded is what happened, and consecutive unrolls fit together."""

from types import SimpleNamespace

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from agents.agent import Agent
from agents.trajectory import DataSpec
from envs.environment import FIRST, LAST, MID
from envs.host.environment import VectorEnvironment
from experiments.acting.episodes import EpisodeTotals
from experiments.experience.layout import item_signature
from experiments.runtimes.actor import Actor

OBSERVATION = specs.Array((2,), np.float32)


class Counter(VectorEnvironment):
  """Environment i ends episodes after 3 + i steps; observes (steps taken, last action given)."""

  def __init__(self, num_envs=2):
    self.num_envs = num_envs
    self.t = np.zeros(num_envs, np.int32)
    # One array for all steps, as the contract allows.
    self.observation = np.zeros((num_envs, 2), np.float32)

  def _timestep(self, action):
    self.observation[:, 0] = self.t
    self.observation[:, 1] = action
    last = self.t == 3 + np.arange(self.num_envs)
    step_type = np.where(self.t == 0, FIRST, np.where(last, LAST, MID)).astype(np.int32)
    return dm_env.TimeStep(
      step_type,
      (self.t * 1.0).astype(np.float32),
      np.where(last, 0, 1).astype(np.float32),
      self.observation,
    )

  def reset(self):
    return self._timestep(-1)

  def step(self, action):
    self.t = np.where(self.t == 3 + np.arange(self.num_envs), 0, self.t + 1)
    return self._timestep(action)


def parrot(unroll_length=5):
  """An agent that does what the variables say; its memory counts calls, its extras show it."""

  def act(variables, memory, timestep, key, explore):
    action = jnp.full(timestep.reward.shape, variables, jnp.int32)
    return action, {"count": memory}, memory + 1

  return Agent(
    init=lambda key: jnp.int32(0),
    initial_memory=lambda batch: jnp.zeros((batch,), jnp.int32),
    act=act,
    learn=lambda state, trajectory, key: (state, {}),
    variables=lambda state: state,
    data=DataSpec(unroll_length, 2),
  )


def make(env, variables=lambda: np.int32(7), agent=None, success=6.0):
  agent = agent or parrot()
  totals = EpisodeTotals()
  signature = item_signature(agent, SimpleNamespace(observation_spec=lambda: OBSERVATION))
  return Actor(agent, env, jax.random.key(0), variables, signature, success, totals)


def test_an_unroll_records_what_happened():
  unroll = make(Counter()).unroll()
  np.testing.assert_array_equal(unroll.observation[:, 0, 0], [0, 1, 2, 3, 0, 1])
  np.testing.assert_array_equal(unroll.observation[:, 1, 0], [0, 1, 2, 3, 4, 0])
  np.testing.assert_array_equal(unroll.step_type[:, 0], [FIRST, MID, MID, LAST, FIRST, MID])
  np.testing.assert_array_equal(unroll.discount[:, 0], [1, 1, 1, 0, 1, 1])
  np.testing.assert_array_equal(unroll.extras["count"][:, 0], [0, 1, 2, 3, 4, 0])


def test_the_action_beside_an_observation_is_the_one_taken_there():
  seen = iter(range(1, 100))
  unroll = make(Counter(), variables=lambda: np.int32(next(seen))).unroll()
  np.testing.assert_array_equal(unroll.action[:-1, 0], unroll.observation[1:, 0, 1])


def test_consecutive_unrolls_overlap_by_one_entry():
  actor = make(Counter())
  first = actor.unroll()
  end = [np.array(x[-1]) for x in (first.observation, first.reward, first.step_type)]
  second = actor.unroll()
  for a, b in zip(end, (second.observation, second.reward, second.step_type), strict=True):
    np.testing.assert_array_equal(a, b[0])


def test_the_memory_is_the_one_before_the_first_entry():
  actor = make(Counter())
  assert actor.unroll().memory.tolist() == [0, 0]
  assert actor.unroll().memory.tolist() == [5, 5]


def test_variables_are_asked_for_once_an_unroll():
  asked = []
  actor = make(Counter(), variables=lambda: asked.append(0) or np.int32(len(asked)))
  assert set(actor.unroll().action[:-1].ravel()) == {1}
  assert set(actor.unroll().action[:-1].ravel()) == {2}


def test_episodes_are_counted_with_return_length_and_success():
  actor = make(Counter(), success=7.0)
  actor.unroll()  # environment 0 ended with return 1 + 2 + 3, environment 1 with 10
  assert actor.totals.take() == {
    "episodes": 2,
    "return_sum": 16,
    "length_sum": 7,
    "success_sum": 1,
    "success_known": 2,
  }
  assert actor.totals.take()["episodes"] == 0
