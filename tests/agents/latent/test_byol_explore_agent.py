"""Agent byol_explore: acting and learning agree, what moves moves right, every ablation runs."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from agents import auxiliaries, bonuses, objectives
from agents.agent import registry
from agents.bonuses.payment import PaymentConfig
from agents.byol_explore import ByolExploreConfig, build
from agents.cores import core as cores
from agents.objectives.objective import Loss
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments.runtimes import on_device

TINY = WorldModelConfig(latent_size=8, core_size=8, predictor_hidden=8, horizon=3)
CONFIG = ByolExploreConfig(
  head_hidden=8, unroll_length=7, batch_size=4, learning_rate=1e-2, world_model=TINY
)
# Programs that run but once or twice are not worth optimising.
QUICK = {"xla_backend_optimization_level": 0}
jit = functools.partial(jax.jit, compiler_options=QUICK)
KEY = jax.random.key(9)
ENV = envs.make("probe/memory", delay=2)  # episodes of 3 steps, so every chunk holds some ends


NONE = bonuses.registry.choice("none")


def with_model(**settings):
  return dataclasses.replace(CONFIG, world_model=dataclasses.replace(TINY, **settings))


def decided(params):
  """The same with a policy far from uniform, where a wrong belief shows in the logits."""
  heads = dict(params.heads)
  heads["heads/policy"] = jax.tree.map(lambda x: 300.0 * x, heads["heads/policy"])
  return params._replace(heads=heads)


@functools.cache
def start(config=CONFIG):
  """The agent, its first state, and three chunks in a row played with the first parameters."""
  agent = build(config, ENV)
  keys = jax.random.key(0)[None]
  carry = on_device.build(ENV, agent, 1).init.lower(keys).compile(QUICK)(keys)
  carry = jax.tree.map(lambda x: x[0], carry)
  learner = carry.learner
  learner = learner._replace(params=decided(learner.params), behaviour=decided(learner.behaviour))
  play = jit(lambda carry: on_device.unroll(AutoReset(ENV), agent, agent.variables(learner), carry))
  chunks = []
  for _ in range(3):
    carry, trajectory, _ = play(carry)
    chunks.append(trajectory)
  return agent, learner, chunks


def reset():
  return jax.vmap(AutoReset(ENV).reset)(jax.random.split(jax.random.key(1), 4))[1]


def spied(config, monkeypatch):
  """The agent with an objective that only tells, as metrics, what it is given."""

  def loss(duals, online, trajectory, targets, weights, key):
    return Loss(jnp.float32(0.0), {"policy": online.out.policy} | targets)

  def prepare(duals, online, target, trajectory, streams, key):
    return {"rewards": streams[0].reward}

  vmpo = objectives.registry.get("vmpo")

  def build_spy(*settings):
    return vmpo(*settings)._replace(prepare=prepare, loss=loss)

  with monkeypatch.context() as patch:
    patch.setattr(objectives.registry, "get", lambda name: build_spy)
    return build(config, ENV)


@pytest.mark.parametrize("core", ["gru", "lstm", "transformer"])
def test_learning_sees_the_logits_that_acting_used(core, monkeypatch):
  config = with_model(core=cores.registry.choice(core))
  _, learner, chunks = start(config)
  agent = spied(config, monkeypatch)
  learn = jit(agent.learn)
  ends = 0
  for n, trajectory in enumerate(chunks):  # the later ones begin inside episodes, with a memory
    _, metrics, _ = learn(learner, trajectory, KEY)
    acted = np.asarray(trajectory.extras["policy"][:-1])
    assert acted.std() > 0.3
    np.testing.assert_allclose(metrics["policy"][:-1], acted, rtol=1e-3, atol=1e-4)
    ends += int(trajectory.first[1:-1].sum())
    inside = ~np.asarray(trajectory.first[0])
    assert inside.any() == (n > 0)
    _, lost, _ = learn(learner, trajectory._replace(memory=agent.initial_memory(4)), KEY)
    forgotten = np.max(np.abs(lost["policy"][0] - acted[0]), axis=-1) > 1e-2
    np.testing.assert_array_equal(forgotten, inside)
  assert ends > 10


def test_the_bonus_is_paid_before_the_advantages(monkeypatch):
  # A bug seen in public code adds it after, where it never reaches the update.
  _, learner, (trajectory, *_) = start()
  agent = spied(CONFIG, monkeypatch)
  learner = agent.turn(learner, {"bonus_weight": 2.0})
  _, metrics, _ = jit(agent.learn)(learner, trajectory, KEY)
  intrinsic = (np.asarray(metrics["rewards"]) - np.asarray(trajectory.reward[1:])) / 2.0
  mean = intrinsic.sum() / np.asarray(trajectory.mask).sum()
  np.testing.assert_allclose(mean, metrics["bonus"], rtol=1e-5)
  assert intrinsic.max() > 0.5
  np.testing.assert_array_equal(intrinsic[~np.asarray(trajectory.mask)], 0.0)


def test_the_mode_is_played_when_not_exploring():
  agent, learner, _ = start()
  memory = agent.initial_memory(4)
  act = jit(agent.act, static_argnums=4)
  action, extras, memory = act(agent.variables(learner), memory, reset(), jax.random.key(2), False)
  np.testing.assert_array_equal(action, np.argmax(extras["policy"], axis=-1))
  np.testing.assert_array_equal(memory.action, action)
  other, *_ = act(
    agent.variables(learner), agent.initial_memory(4), reset(), jax.random.key(3), False
  )
  np.testing.assert_array_equal(action, other)


def test_actions_are_drawn_from_the_policy():
  agent, learner, _ = start()
  act = jit(jax.vmap(lambda key: agent.act(
    agent.variables(learner), agent.initial_memory(4), reset(), key, True)[:2]))  # fmt: skip
  action, extras = act(jax.random.split(jax.random.key(5), 2000))
  chance = np.asarray(jax.nn.softmax(extras["policy"][0]))[:, 1]
  np.testing.assert_allclose(np.mean(action, axis=0), chance, atol=0.05)


@pytest.mark.parametrize("decay", [0.9, 1.0])
def test_the_target_encoder_moves_by_its_average(decay):
  _, learner, (trajectory, *_) = start()
  agent = build(with_model(target_decay=decay), ENV)
  new, *_ = jit(agent.learn)(learner, trajectory, KEY)
  for module, old in learner.target_encoder.items():
    online = new.params.world_model[module]
    for name in old:
      assert np.any(np.asarray(online[name]) != np.asarray(old[name]))
      expected = decay * old[name] + (1.0 - decay) * online[name]
      np.testing.assert_allclose(new.target_encoder[module][name], expected, rtol=1e-6, atol=1e-8)
      if decay == 1.0:
        np.testing.assert_array_equal(new.target_encoder[module][name], expected)


def test_the_behaviour_is_copied_every_period():
  _, learner, chunks = start()
  agent = build(
    dataclasses.replace(CONFIG, objective=objectives.registry.choice("vmpo", behaviour_period=3)),
    ENV,
  )
  learn, first = jit(agent.learn), learner.behaviour
  for update in (1, 2, 3):
    learner, *_ = learn(learner, chunks[update - 1], KEY)
    expected = learner.params if update == 3 else first
    jax.tree.map(np.testing.assert_array_equal, learner.behaviour, expected)
  assert int(learner.updates) == 3


def test_the_plain_agent_computes_no_table():
  _, learner, (trajectory, *_) = start()
  agent = build(dataclasses.replace(CONFIG, bonus=bonuses.registry.choice("none")), ENV)
  new, metrics, _ = jit(agent.learn)(learner, trajectory, KEY)
  assert "byol_loss" not in metrics
  assert float(metrics["bonus"]) == 0.0
  for module, old in learner.params.world_model.items():
    trained = any(np.any(old[n] != new.params.world_model[module][n]) for n in old)
    # What only the table reads gets no gradient.
    assert trained == (not module.startswith(("open_loop", "predictor"))), module


@pytest.mark.parametrize(
  "changes",
  [
    {"bonus": NONE, "auxiliary": (auxiliaries.registry.choice("byol"),)},
    {"payment": PaymentConfig(clip_at_mean=False), "world_model": {"horizon": 1}},
    {"world_model": {"predictor_hidden": 0, "core": cores.registry.choice("lstm")}},
    {"world_model": {"stop_gradient": False, "core": cores.registry.choice("feedforward")}},
    {"world_model": {"target_decay": 1.0}, "head_hidden": 0},
  ],
  ids=str,
)
def test_every_ablation_learns(changes):
  fields = {
    name: dataclasses.replace(getattr(CONFIG, name), **value) if isinstance(value, dict) else value
    for name, value in changes.items()
  }
  config = dataclasses.replace(CONFIG, **fields)
  agent = build(config, ENV)
  learner = jit(agent.init)(jax.random.key(0))
  _, _, chunks = start()
  trajectory = chunks[0]._replace(memory=agent.initial_memory(4))
  learn = jit(agent.learn)
  history = []
  for _ in range(15):
    learner, metrics, _ = learn(learner, trajectory, KEY)
    assert all(np.all(np.isfinite(value)) for value in metrics.values())
    history.append(metrics)
  assert history[-1]["byol_loss"] < 0.9 * history[0]["byol_loss"]
  assert (history[0]["bonus"] > 0.0) == (config.bonus != NONE)
  # A latent that is the same everywhere lowers the loss too. This world shows four things at most,
  # so its rank is small whatever is learned; test_collapse.py has a larger one.
  assert agent.diagnose(learner, trajectory)["cosine"] < 0.9


def test_learn_compiles_once_and_repeats_its_bits():
  agent, learner, chunks = start()
  learn = jit(agent.learn)
  once = learn(learn(learner, chunks[0], KEY)[0], chunks[1], KEY)
  again = learn(learn(learner, chunks[0], KEY)[0], chunks[1], KEY)
  assert learn._cache_size() == 1
  jax.tree.map(np.testing.assert_array_equal, once, again)


def test_the_same_key_gives_the_same_parameters_and_another_others():
  agent, _, _ = start()
  same, other = (jit(agent.init)(jax.random.key(n)) for n in (7, 8))
  jax.tree.map(np.testing.assert_array_equal, same, jit(agent.init)(jax.random.key(7)))
  weights = [state.params.heads["heads/value"]["w"] for state in (same, other)]
  assert np.all(np.asarray(weights[0]) != np.asarray(weights[1]))


def test_at_first_the_target_and_the_behaviour_are_copies():
  agent, _, _ = start()
  learner = agent.init(jax.random.key(0))
  jax.tree.map(np.testing.assert_array_equal, learner.params, learner.behaviour)
  for module, values in learner.target_encoder.items():
    jax.tree.map(np.testing.assert_array_equal, values, learner.params.world_model[module])
  pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(learner)]
  assert len(set(pointers)) == len(pointers)  # a donated state may hold no buffer twice


def test_the_first_policy_is_close_to_uniform():
  agent, _, _ = start()
  learner = agent.init(jax.random.key(4))
  _, extras, _ = agent.act(
    agent.variables(learner), agent.initial_memory(4), reset(), jax.random.key(0), True
  )
  np.testing.assert_allclose(jax.nn.softmax(extras["policy"]), 0.5, atol=0.05)


def test_a_policy_that_shares_nothing_has_an_encoder_and_a_core_alone():
  config = dataclasses.replace(CONFIG, share_encoder=False)
  agent, learner, (trajectory, *_) = start(config)
  assert {name.split("/")[0] for name in learner.params.policy_model} == {"encoder", "closed_loop"}
  after = jit(agent.learn)(learner, trajectory, KEY).state
  moved = jax.tree.map(lambda a, b: np.any(a != b), learner.params, after.params)
  assert all(jax.tree.leaves(moved.policy_model))
  # What acted is what learning reads: the policy's own beliefs, not the world model's.
  read = jit(agent.probe.heads)(learner, trajectory).policy[:-1]
  np.testing.assert_allclose(read, trajectory.extras["policy"][:-1], rtol=1e-3, atol=1e-4)


def test_diagnose_describes_the_target_encoder():
  agent, learner, (trajectory, *_) = start()
  found = jit(agent.probe.diagnose)(learner, trajectory)
  assert {"effective_rank", "cosine", "collapsed"} <= set(found)
  dead = jax.tree.map(jnp.zeros_like, learner.target_encoder)
  assert (
    float(agent.probe.diagnose(learner._replace(target_encoder=dead), trajectory)["collapsed"])
    == 1.0
  )


def test_the_registry_knows_the_agent():
  kind = registry.get("byol_explore")
  assert (kind.config, kind.build) == (ByolExploreConfig, build)


@pytest.mark.parametrize(
  ("name", "value"),
  [("unroll_length", 0), ("batch_size", 0)],
)
def test_settings_that_cannot_be_are_refused(name, value):
  with pytest.raises(ValueError, match=f"{name} is {value}"):
    ByolExploreConfig(**{name: value})
