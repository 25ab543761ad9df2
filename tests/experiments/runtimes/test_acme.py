"""Our actor and learner behind Acme's interfaces."""

import dataclasses
import importlib.util
import itertools

import dm_env
import jax
import numpy as np
import pytest

if importlib.util.find_spec("acme") is None:
  pytest.skip("needs Acme", allow_module_level=True)

# isort: off
from experiments.runtimes import acme as acme_interface  # first, as it stands in for Launchpad

import acme
from acme import core
from acme.utils import counting
# isort: on

import envs
from agents import objectives
from agents.byol_explore import build
from envs.environment import LAST
from experiments.experience.layout import item_signature
from experiments.experience.queue import Queue
from experiments.runtimes.learner import Learner, place
from tests.worlds_of_trees import Masked


class Source(core.VariableSource):
  """Hands out the variables of an agent that has learned nothing."""

  def __init__(self, agent):
    self.variables = agent.variables(agent.init(jax.random.key(0)))
    self.asked = 0

  def get_variables(self, names):
    self.asked += 1
    return [self.variables for _ in names]


@pytest.fixture
def agent(small_agent):
  return build(small_agent, envs.make("deep_sea", size=4))


@pytest.mark.parametrize("explore", [True, False])
def test_the_actor_runs_in_acmes_environment_loop(agent, explore):
  source = Source(agent)
  actor = acme_interface.AcmeActor(agent, source, seed=0, explore=explore)
  env = envs.adapters.to_dm_env(envs.make("deep_sea", size=4))
  counter = counting.Counter()
  loop = acme.EnvironmentLoop(env, actor, counter=counter, logger=None, should_update=True)
  loop.run(num_episodes=3)
  assert counter.get_counts()["episodes"] == 3
  assert counter.get_counts()["steps"] == 12
  assert source.asked == 13  # once at the start, once a step


def test_the_actor_runs_in_an_environment_of_the_host(agent, small_agent):
  env = envs.make("gym:CartPole-v1")
  agent = build(small_agent, env)
  actor = acme_interface.AcmeActor(agent, Source(agent), seed=0)
  result = acme.EnvironmentLoop(env.make(0), actor, logger=None).run_episode()
  assert result["episode_length"] == result["episode_return"]


def test_the_actor_acts_as_the_agent_does(agent):
  """Step by step the same actions as `Agent.act` with the same keys and memory."""
  source = Source(agent)
  actor = acme_interface.AcmeActor(agent, source, seed=3)
  env = envs.adapters.to_dm_env(envs.make("deep_sea", size=4), seed=1)
  key, memory = jax.random.key(3), agent.initial_memory(1)
  timestep = env.reset()
  actor.observe_first(timestep)
  while not timestep.last():
    key, act_key = jax.random.split(key)
    batch = timestep._replace(
      step_type=np.array([timestep.step_type], np.int32),
      reward=np.float32([timestep.reward or 0]),
      discount=np.float32([1.0]),
      observation=timestep.observation[None],
    )
    expected, _, memory = agent.act(source.variables, memory, batch, act_key, True)
    action = actor.select_action(timestep.observation)
    assert int(action) == int(expected[0])
    timestep = env.step(action)
    actor.observe(action, timestep)


def test_the_learner_is_acmes(agent):
  env = envs.make("deep_sea", size=4)
  signature = item_signature(agent, env)

  def batch(x, axis):
    return np.zeros((*x.shape[:axis], agent.data.batch_size, *x.shape[axis:]), x.dtype)

  zeros = jax.tree.map(lambda x: batch(x, 1), signature._replace(memory=None))
  zeros = zeros._replace(memory=jax.tree.map(lambda x: batch(x, 0), signature.memory))
  devices = jax.local_devices()[:1]
  inner = Learner(agent, devices)
  learner = acme_interface.AcmeLearner(inner, itertools.repeat(place(devices, zeros)))
  assert isinstance(learner, core.Learner)
  learner.restore(inner.init(jax.random.key(0)))
  learner.run(num_steps=2)
  assert int(learner.save().updates) == 2
  jax.tree.map(
    np.testing.assert_array_equal,
    learner.get_variables(["policy"])[0],
    agent.variables(learner.save().learner),
  )


def test_dicts_with_masks_go_through_acme_in_both_directions(small_agent):
  """From its loop into an experience of ours, as the agent acted, and into its learner."""
  env, soft_q = Masked(), objectives.registry.choice("soft_q")
  agent = build(dataclasses.replace(small_agent, objective=soft_q), env)
  signature, batch = item_signature(agent, env), agent.data.batch_size
  queue, source = Queue(signature, agent.data, 2 * batch), Source(agent)
  adder = acme_interface.TrajectoryAdder(signature, queue.inserter())
  actor = acme_interface.AcmeActor(agent, source, seed=0, adder=adder)
  loop = acme.EnvironmentLoop(envs.adapters.to_dm_env(env), actor, logger=None)
  while queue.size() < batch:
    assert loop.run_episode()["episode_return"] == 0  # an action that is not allowed costs 1

  unrolls = queue.sample().trajectory
  assert unrolls.observation["legal"].shape == (6, batch, 3)
  np.testing.assert_array_equal(unrolls.observation["x"], unrolls.observation["legal"])
  np.testing.assert_array_equal(unrolls.observation["x"][-1, :-1], unrolls.observation["x"][0, 1:])
  act = jax.jit(agent.act, static_argnums=4)
  for number in range(3):
    one = jax.tree.map(lambda x, number=number: x[None], unrolls.item(number)._replace(memory=()))
    memory = jax.tree.map(lambda x, number=number: x[[number]], unrolls.memory)
    for t in range(5):
      now = jax.tree.map(lambda x, t=t, one=one: x[:, t], one)
      if now.step_type[0] == LAST:
        continue
      step = dm_env.TimeStep(now.step_type, now.reward, now.discount, now.observation)
      _, extras, memory = act(source.variables, memory, step, jax.random.key(0), True)
      np.testing.assert_allclose(extras["policy"], now.extras["policy"], rtol=1e-4, atol=1e-5)
      memory = memory._replace(action=now.action)  # which was drawn with another key

  devices = jax.local_devices()[:1]
  inner = Learner(agent, devices)
  learner = acme_interface.AcmeLearner(inner, itertools.repeat(place(devices, unrolls)))
  learner.restore(inner.init(jax.random.key(0)))
  learner.step()
  assert int(learner.save().updates) == 1


def test_an_adder_refuses_what_acmes_loop_cannot_tell(agent):
  signature = item_signature(agent, envs.make("deep_sea", size=4))
  signature = signature._replace(oracle=signature.reward)
  with pytest.raises(
    ValueError, match="tells where it is, which Acme's loop passes on to no adder"
  ):
    acme_interface.TrajectoryAdder(signature, None)
