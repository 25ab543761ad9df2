"""Links of chains, against a world in which the chain alone decides how far an episode comes."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from envs.capabilities import HasLinks
from envs.environment import Environment, restart, transition
from envs.wrapper import Wrapper
from experiments.compare import results
from experiments.evaluation import links
from experiments.settings.train import TrainConfig


class Chained(Environment):
  """Chain 0 comes to its first link at step 1, chain 1 to its first two at the last step, 2."""

  max_episode_steps = 2

  def reset(self, key):
    state = jax.random.randint(key, (), 0, 2), jnp.int32(0)
    return state, restart(self.observe(state))

  def step(self, state, action):
    state = state[0], state[1] + 1
    return state, transition(self.observe(state), jnp.float32(0), state[1] > state[0])

  def observe(self, state):
    return jnp.stack(state).astype(jnp.float32)

  def observation_spec(self):
    return specs.Array((2,), np.float32)

  def action_spec(self):
    return specs.DiscreteArray(2)

  def chains(self):
    return {"short": ("begun", "done"), "long": ("begun", "half", "done")}

  def links(self, state):
    chain, time = state
    first = time > chain
    return chain, jnp.stack([first, first & (chain == 1), jnp.bool_(False)])


def experiment(env):
  """A run of an agent that always takes action 0."""

  def act(variables, memory, timestep, key, explore):
    return jnp.zeros(timestep.step_type.shape, jnp.int32), (), ()

  agent = types.SimpleNamespace(
    act=act,
    initial_memory=lambda batch: (),
    on_task=lambda x: x,
    stored=lambda x: x,
    with_state=None,
  )
  return types.SimpleNamespace(env=env, config=TrainConfig(seeds=2), agent=agent)


@pytest.fixture(scope="module")
def measured():
  return links.measure(experiment(Chained()), {"w": jnp.zeros((2,))}, episodes=20)


def test_the_links_at_the_end_of_an_episode_are_told_by_chain_and_seed(measured):
  assert {name: list(chain) for name, chain in measured.items()} == {
    "short": ["begun", "done"],
    "long": ["begun", "half", "done"],
  }
  assert measured["short"]["begun"] == {"agent": [1.0, 1.0], "random": 1.0}
  assert measured["long"]["half"] == {"agent": [1.0, 1.0], "random": 1.0}
  assert measured["long"]["done"] == {"agent": [0.0, 0.0], "random": 0.0}


def test_a_person_reads_a_line_for_each_chain(measured):
  assert links.lines(measured)[0] == "short: begun 100.0% (100.0%), done 0.0% (0.0%)"


def test_a_comparisons_rows_keep_the_links_of_each_seed(measured):
  rows = [{"seed": 0}, {"seed": 1}]
  kept = results.with_links(rows, measured)
  assert [row["links"]["long"] for row in kept] == [{"begun": 1.0, "half": 1.0, "done": 0.0}] * 2
  assert results.with_links(rows, None) == rows


class Around(Wrapper):
  def reset(self, key):
    return self.env.reset(key)

  def step(self, state, action):
    return self.env.step(state, action)


def test_a_wrapper_has_the_links_of_what_is_within():
  assert isinstance(Around(Chained()), HasLinks)
  assert Around(Chained()).chains() == Chained().chains()


def test_no_links_no_measure():
  none = types.SimpleNamespace(env=object(), config=TrainConfig())
  assert links.measure(none, {}) is None
