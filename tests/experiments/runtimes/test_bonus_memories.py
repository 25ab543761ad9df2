"""What is remembered and paid is the same wherever the agent acts: on_device and in an actor."""

import dm_env
import jax
import numpy as np
import pytest

import envs
from agents import bonuses
from agents.byol_explore import ByolExploreConfig, build
from agents.cores import core as cores
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from envs.host.environment import VectorEnvironment
from experiments.acting.episodes import EpisodeTotals
from experiments.experience.layout import item_signature
from experiments.runtimes import on_device
from experiments.runtimes.actor import Actor

BATCH, LENGTH, UNROLLS = 3, 7, 3
SETTINGS = {
  "e3b": {"size": 4},
  "etd": {"size": 4, "capacity": 4},
  "ngu": {"size": 4, "neighbours": 2, "capacity": 4},
  "ride": {"capacity": 4},
}


class Playback(VectorEnvironment):
  """Shows recorded steps, whatever is done."""

  def __init__(self, trajectories):
    self.num_envs = BATCH
    # The last entry of a trajectory is the first of the next.
    bare = [trajectory._replace(memory=()) for trajectory in trajectories]
    parts = [jax.tree.map(lambda x: x[:-1], trajectory) for trajectory in bare]
    last = jax.tree.map(lambda x: x[-1:], bare[-1])
    self.steps = jax.tree.map(lambda *x: np.concatenate(x), *parts, last)
    self.time = 0

  def reset(self):
    return self.show()

  def step(self, action):
    self.time += 1
    return self.show()

  def oracle(self):
    return jax.tree.map(lambda x: x[self.time], self.steps.oracle)

  def show(self):
    s, t = self.steps, self.time
    return dm_env.TimeStep(s.step_type[t], s.reward[t], s.discount[t], s.observation[t])


# Those that look at observations and places; what reads actions or beliefs is not played back, as
# an actor draws its own.
@pytest.mark.parametrize(
  "bonus",
  ["counts", "e3b", "etd", "ngu", "oracle_counts", "re3", "recode", "ride", "rnd"],
)
def test_an_actor_remembers_and_is_paid_as_on_device(bonus):
  env = envs.make("deep_sea", size=4)
  core = cores.registry.choice("feedforward")
  model = WorldModelConfig(core=core, latent_size=4, core_size=4, predictor_hidden=4, horizon=2)
  config = ByolExploreConfig(
    bonus=bonuses.registry.choice(bonus, **SETTINGS.get(bonus, {})),
    batch_size=BATCH,
    unroll_length=LENGTH,
    head_hidden=4,
    world_model=model,
  )
  agent = build(config, env)
  runtime = on_device.build(env, agent, updates_per_call=1)
  carry = jax.tree.map(lambda x: x[0], runtime.init(jax.random.key(0)[None]))
  variables = agent.variables(carry.learner)
  stream = AutoReset(env)
  unroll = jax.jit(lambda carry: on_device.unroll(stream, agent, variables, carry))
  compiled = []
  for _ in range(UNROLLS):
    carry, trajectory, _ = unroll(carry)
    compiled.append(trajectory)

  signature = item_signature(agent, env)
  actor = Actor(
    agent,
    Playback(compiled),
    jax.random.key(1),
    lambda: variables,
    signature,
    env.success_return,
    EpisodeTotals(),
  )
  pay = jax.jit(agent.probe.intrinsic)
  for trajectory in compiled:
    acted = actor.unroll()
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6),
      acted.memory.bonus,
      trajectory.memory.bonus,
    )
    paid, expected = (pay(carry.learner, x, jax.random.key(2)) for x in (acted, trajectory))
    np.testing.assert_allclose(paid, expected, rtol=1e-4, atol=1e-6)
    assert np.asarray(expected).any()
  assert (compiled[-1].step_type == 0).any()  # episodes began on the way
