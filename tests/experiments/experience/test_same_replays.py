"""The three replays, on_device's, the embedded one and Reverb's, are the same to an agent."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import envs
from agents.replay import ReplayConfig
from agents.soft_q import SoftQConfig, build
from agents.torsos import torso as torsos
from agents.trajectory import DataSpec, ReplaySpec
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.experience import priorities as trees
from experiments.experience.layout import item_signature
from experiments.experience.replay import Replay
from experiments.experience.reverb import ReverbExperience
from experiments.experience.reverb_server import serve
from experiments.runtimes import on_device, on_device_replay
from experiments.runtimes.learner import Learner, LearnerCarry, place_sample
from tests.experiments.experience.conftest import needs_flashbax, needs_reverb
from tests.experiments.experience.items import LENGTH, SIGNATURE, numbers, unroll

pytestmark = needs_flashbax
FORMS = ["on_device", "embedded", pytest.param("reverb", marks=needs_reverb)]
EXPONENT = 0.7


class OnDevice:
  """on_device's replay with the methods of an `Experience`; nobody waits."""

  def __init__(self, signature, data):
    capacity = data.replay.capacity
    items = jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), signature)
    self.replay = on_device_replay.Replay(items, trees.init(capacity))
    self.count = 0
    self._draws = 0
    self._exponent = data.replay.priority_exponent
    self._sample = jax.jit(functools.partial(on_device_replay.sample, batch_size=data.batch_size))

  def insert(self, unroll):
    self.replay = on_device_replay.insert(self.replay, unroll, jnp.int32(self.count))
    self.count += unroll.reward.shape[1]

  def draw(self):
    """A batch with its probabilities, and the keys of its items."""
    self._draws += 1
    key = jax.random.key(self._draws)
    return self._sample(self.replay, key=key, inserted=jnp.int32(self.count))

  def update_priorities(self, keys, priorities):
    self.replay = on_device_replay.update_priorities(
      self.replay, jnp.asarray(keys), jnp.asarray(priorities, jnp.float32), self._exponent
    )


class OnHost:
  """A form of `Experience` with the same methods."""

  def __init__(self, experience):
    self._experience = experience
    self._inserter = experience.inserter()
    self.update_priorities = experience.update_priorities

  def insert(self, unroll):
    self._inserter.insert(jax.tree.map(np.asarray, unroll))

  def draw(self):
    sample = self._experience.sample()
    return place_sample(jax.local_devices()[:1], sample)


@pytest.fixture
def make():
  """(form, signature, data) -> a replay; closed after the test."""
  ends = []

  def make(form, signature, data):
    if form == "on_device":
      return OnDevice(signature, data)
    if form == "embedded":
      experience = Replay(signature, data)
    else:
      server = serve(signature, data)
      ends.append(server.stop)  # first, as Reverb lets a learner wait for it
      experience = ReverbExperience(f"localhost:{server.port}", signature, data)
    ends.append(experience.close)
    return OnHost(experience)

  yield make
  for end in ends:
    end()


def keys_of(replay, items):
  """The keys of items, by drawing until each was seen."""
  keys = {}
  while not keys.keys() >= set(items):
    trajectory, drawn = replay.draw()
    keys.update(zip(numbers(trajectory), np.asarray(drawn).tolist(), strict=True))
  return [keys[n] for n in items]


def settled(replay, chance):
  """Draws until what was drawn before the last change of priorities is used up."""
  for _ in range(10):
    trajectory, _ = replay.draw()
    if np.allclose(trajectory.probability, [chance.get(n, -1) for n in numbers(trajectory)]):
      return
  raise AssertionError(f"{numbers(trajectory)} came with {trajectory.probability}, not {chance}")


@pytest.mark.parametrize("form", FORMS)
def test_the_same_items_and_priorities_give_the_same_draws(make, form):
  """Of seven items the oldest is gone, and with it its priority; others have 1, 0, or more."""
  data = DataSpec(LENGTH, 50, ReplaySpec(6, 6, 8000.0, EXPONENT))
  replay = make(form, SIGNATURE, data)
  replay.insert(unroll(0, 1, 2))
  replay.insert(unroll(3, 4, 5))
  priorities = {0: 7.0, 3: 0.2, 4: 0.0, 5: 5.0}
  replay.update_priorities(
    np.array(keys_of(replay, priorities), np.uint64), np.array(list(priorities.values()))
  )
  replay.insert(unroll(6))
  weight = {n: p**EXPONENT for n, p in priorities.items() if n and p} | {1: 1, 2: 1, 6: 1}
  chance = {n: w / sum(weight.values()) for n, w in weight.items()}
  settled(replay, chance)
  counts = dict.fromkeys(chance, 0)
  for _ in range(40):
    trajectory, _ = replay.draw()
    drawn = numbers(trajectory)
    np.testing.assert_allclose(trajectory.probability, [chance[n] for n in drawn], rtol=1e-5)
    for n in drawn:
      counts[n] += 1
  expected = np.array(list(chance.values())) * 40 * 50
  assert stats.chisquare(list(counts.values()), expected).pvalue > 1e-6


AGENT = SoftQConfig(
  batch_size=24,
  unroll_length=4,
  head_hidden=8,
  auxiliary=(),
  world_model=WorldModelConfig(
torso=torsos.registry.choice("linear"), latent_size=8, core_size=8, predictor_hidden=8, horizon=2,
),
  replay=ReplayConfig(
    replay_capacity=6, replay_min_size=6, samples_per_insert=4.0, priority_exponent=EXPONENT,
    burn_in=1,
  ),
)  # fmt: skip


@pytest.fixture(scope="module")
def acted():
  """Agent, environment, a learner state and the unroll of six environments, its items unlike."""
  env = envs.make("deep_sea", size=4)
  agent = build(AGENT, env)
  runtime = on_device.build(env, agent, 1)
  carry, _ = runtime.run(runtime.init(jax.random.key(0)[None]))
  one = jax.tree.map(lambda x: x[0], carry)
  act = jax.jit(lambda c: on_device.unroll(AutoReset(env), agent, agent.variables(c.learner), c)[1])
  trajectory = jax.device_get(act(one))
  # Rewards make the items' errors differ, and the first, which teaches nothing, tells them apart.
  number = np.arange(6, dtype=np.float32)
  reward = trajectory.reward + number
  reward[0] = number
  return agent, env, trajectory._replace(reward=reward)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_items_get_the_same_new_priorities_from_learning(make, acted, form):
  """Against the agent's own `learn` on the six items at once, and so do the chances after it."""
  agent, env, trajectory = acted
  state, key = agent.init(jax.random.key(1)), jax.random.key(2)
  alone = trajectory._replace(probability=np.full(6, 1 / 6, np.float32))
  expected = np.asarray(jax.jit(agent.learn)(state, alone, key).priorities)
  assert len(np.unique(expected.round(4))) == 6
  plenty = agent.data._replace(replay=agent.data.replay._replace(samples_per_insert=8000.0))
  replay = make(form, item_signature(agent, env), plenty)
  replay.insert(trajectory)
  if form == "on_device":
    learn = jax.jit(functools.partial(on_device_replay.learn, agent))
    _, nodes, _ = learn(state, replay.replay, key, jnp.int32(6))
    replay.replay = replay.replay._replace(nodes=nodes)
  else:
    # What a host learner does, from the same state each time, until each item was drawn.
    learner, seen = Learner(agent, jax.local_devices()[:1]), set()
    while len(seen) < 6:
      # Copies, because a step gives its carry away.
      learner.restore(LearnerCarry(*jax.tree.map(jnp.copy, (state, key)), jnp.int32(0)))
      batch = replay.draw()
      learner.step(*batch)
      replay.update_priorities(*learner.step(*batch))
      seen |= set(numbers(batch.trajectory))
  chance = expected**EXPONENT / (expected**EXPONENT).sum()
  settled(replay, dict(enumerate(chance)))
