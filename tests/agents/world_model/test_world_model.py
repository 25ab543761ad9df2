"""The world model against a slow NumPy one that applies its parameters a step at a time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents.cores import core as cores
from agents.world_model import table, world_model
from agents.world_model.world_model import WorldModelConfig

SPEC = specs.BoundedArray((3,), np.float32, -1.0, 1.0, "observation")
ACTIONS = 3
LATENT, CORE = 4, 5


@functools.cache
def build(**settings):
  sizes = {"latent_size": LATENT, "core_size": CORE, "predictor_hidden": 6, "horizon": 3}
  if "core" in settings:
    settings["core"] = cores.registry.choice(settings["core"])
  config = WorldModelConfig(**(sizes | settings))
  model = world_model.build(config, SPEC, specs.DiscreteArray(ACTIONS))
  params = model.init(jax.random.key(0))
  # Biases are zero at first; a test that is to see them needs others.
  leaves, tree = jax.tree.flatten(params)
  rng = np.random.default_rng(0)
  leaves = [x + 0.2 * rng.normal(size=x.shape).astype(np.float32) for x in leaves]
  return model, jax.tree.unflatten(tree, leaves)


def sigmoid(x):
  return 1.0 / (1.0 + np.exp(-x))


class Slow:
  """One example and one step at a time, from the formulae and the parameters alone."""

  def __init__(self, params, core):
    self.params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    self.core = core

  def linear(self, name, x):
    return x @ self.params[name]["w"] + self.params[name]["b"]

  def zero(self):
    return np.zeros(CORE), np.zeros(CORE)  # belief, and the LSTM's cell

  def encode(self, observation):
    x = np.maximum(self.linear("encoder/~features/mlp/~/linear_0", observation), 0)
    x = np.maximum(self.linear("encoder/~features/mlp/~/linear_1", x), 0)
    return self.linear("encoder/latent", x)

  def step(self, name, inputs, state):
    h, c = state
    projected, w = self.linear(f"{name}/~project/inputs", inputs), self.params[name]
    if self.core == "gru":
      z, r = np.split(sigmoid(projected[: 2 * CORE] + h @ w["w_gates"]), 2)
      candidate = np.tanh(projected[2 * CORE :] + (r * h) @ w["w_candidate"])
      return (1 - z) * h + z * candidate, c
    i, g, f, o = np.split(projected + h @ w["w_hidden"], 4)
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c

  def closed(self, latent, previous, state):
    return self.step("closed_loop", np.concatenate([latent, previous]), state)

  def predict(self, belief):
    x = np.maximum(self.linear("predictor/~/linear_0", belief), 0)
    return self.linear("predictor/~/linear_1", x)

  def states(self, observations, actions, first):
    """[T+1] lists of [B] states; a FIRST knows neither a state nor a previous action."""
    states = []
    for t in range(len(observations)):
      row = []
      for b in range(observations.shape[1]):
        fresh = t == 0 or first[t, b]
        state = self.zero() if fresh else states[t - 1][b]
        previous = np.zeros(ACTIONS) if fresh else np.eye(ACTIONS)[actions[t - 1, b]]
        row.append(self.closed(self.encode(observations[t, b]), previous, state))
      states.append(row)
    return states

  def error(self, states, actions, targets, p, q, b):
    state = states[p][b]
    for k in range(1, q + 1):
      state = self.step("open_loop", np.eye(ACTIONS)[actions[p + k - 1, b]], state)
    x, y = self.predict(state[0]), np.asarray(targets[p + q, b], np.float64)
    return np.sum((x / np.linalg.norm(x) - y / np.linalg.norm(y)) ** 2)


def forward(model, params, trajectory, targets):
  first = trajectory.first.at[0].set(True)  # so that the chunk needs no memory
  previous = jnp.concatenate([trajectory.action[:1], trajectory.action[:-1]])
  latents = model.encode(params, trajectory.observation)
  states, _ = model.observe(params, latents, previous, first, model.initial_state(first.shape[1]))
  return (
    latents,
    states,
    model.errors(params, model.imagine(params, states, trajectory.action), targets),
  )


@pytest.mark.parametrize(
  ("core", "horizon", "jitted", "seed"),
  [("gru", 3, True, 0), ("gru", 1, False, 1), ("lstm", 4, True, 2), ("gru", 9, True, 3)],
)
def test_beliefs_and_table_equal_a_slow_loop(
  make_trajectory, quick_jit, core, horizon, jitted, seed
):
  model, params = build(core=core, horizon=horizon)
  rng = np.random.default_rng(seed)
  trajectory = make_trajectory(rng, 6, 3, actions=ACTIONS)
  targets = rng.normal(size=(7, 3, LATENT)).astype(np.float32)
  run = quick_jit(forward, static_argnums=0) if jitted else forward
  latents, states, errors = run(model, params, trajectory, targets)

  slow = Slow(params, core)
  actions, first = np.asarray(trajectory.action), np.asarray(trajectory.first)
  observations = np.asarray(trajectory.observation, np.float64)
  expected = slow.states(observations, actions, first)
  for t in range(7):
    for b in range(3):
      np.testing.assert_allclose(latents[t, b], slow.encode(observations[t, b]), atol=1e-4)
      np.testing.assert_allclose(model.belief(states)[t, b], expected[t][b][0], atol=1e-5)
  checked = 0
  for p in range(6):
    for q in range(1, horizon + 1):
      for b in range(3):
        if p + q <= 6:
          value = slow.error(expected, actions, targets, p, q, b)
          np.testing.assert_allclose(errors[p, q - 1, b], value, atol=1e-4)
          checked += 1
  assert checked == 3 * sum(min(horizon, 6 - p) for p in range(6))


@pytest.mark.parametrize("core", ["gru", "lstm", "feedforward"])
def test_steps_of_the_open_loop_are_its_forecasts(make_trajectory, core):
  sizes = {"latent_size": 5} if core == "feedforward" else {}
  model, params = build(core=core, **sizes)
  trajectory = make_trajectory(np.random.default_rng(0), 6, 3, actions=ACTIONS)
  first = trajectory.first.at[0].set(True)
  previous = jnp.concatenate([trajectory.action[:1], trajectory.action[:-1]])
  latents = model.encode(params, trajectory.observation)
  states, _ = model.observe(params, latents, previous, first, model.initial_state(3))
  imagined = model.imagine(params, states, trajectory.action)
  state = jax.tree.map(lambda x: x[1], states)
  for k in range(3):
    state = model.imagine_step(params, state, trajectory.action[1 + k])
    np.testing.assert_allclose(model.belief(state), imagined[1, k], atol=1e-6)


@pytest.mark.parametrize("core", ["gru", "lstm"])
def test_one_step_is_observe_of_one_step(make_trajectory, core):
  model, params = build(core=core)
  trajectory = make_trajectory(np.random.default_rng(4), 5, 3, actions=ACTIONS)
  first = trajectory.first
  latents = model.encode(params, trajectory.observation)
  start = jax.tree.map(lambda x: x + 0.3, model.initial_state(3))
  together, last = model.observe(params, latents, trajectory.action, first, start)
  state = start
  for t in range(6):
    begin, state = model.step(params, latents[t], trajectory.action[t], first[t], state)
    jax.tree.map(lambda a, b, t=t: np.testing.assert_allclose(a[t], b, atol=1e-6), together, begin)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), last, state)


def test_nothing_before_a_first_reaches_beyond_it(make_trajectory, quick_jit):
  model, params = build(horizon=5)
  rng = np.random.default_rng(5)
  trajectory = make_trajectory(rng, 8, 2, actions=ACTIONS)
  types = jnp.asarray([[1, 1, 1, 2, 0, 1, 1, 1, 1]] * 2).T  # a FIRST at step 4
  trajectory = trajectory._replace(step_type=types)
  targets = jnp.asarray(rng.normal(size=(9, 2, LATENT)), jnp.float32)
  run = quick_jit(forward, static_argnums=0)

  def readings(trajectory, targets):
    _, states, errors = run(model, params, trajectory, targets)
    valid = table.valid_pairs(trajectory.first, 5)
    return states, errors, table.uncertainty(errors, valid), valid

  before = readings(trajectory, targets)
  other = make_trajectory(rng, 8, 2, actions=ACTIONS)
  changed = trajectory._replace(
    observation=trajectory.observation.at[:4].set(other.observation[:4]),
    action=trajectory.action.at[:4].set((trajectory.action[:4] + 1) % ACTIONS),
  )
  after = readings(changed, targets.at[:4].multiply(-1.0))
  for a, b in zip(before, after, strict=True):
    np.testing.assert_array_equal(a[4:], b[4:])
  assert np.all(np.any(np.asarray(before[0][:4] != after[0][:4]), axis=-1))
  assert np.all(np.asarray(before[2][:3] != after[2][:3]))
  # Nor the other way round: what follows cannot change what was foreseen within the episode.
  changed = trajectory._replace(observation=trajectory.observation.at[4:].multiply(-1.0))
  after = readings(changed, targets.at[4:].multiply(-1.0))
  np.testing.assert_array_equal(before[0][:4], after[0][:4])
  np.testing.assert_array_equal(before[2][:4], after[2][:4])
  valid = np.asarray(before[3][:4])
  np.testing.assert_array_equal(np.asarray(before[1][:4])[valid], np.asarray(after[1][:4])[valid])


def test_an_action_changes_the_forecasts_that_run_through_it_only(make_trajectory, quick_jit):
  model, params = build(horizon=3)
  rng = np.random.default_rng(6)
  trajectory = make_trajectory(rng, 6, 1, actions=ACTIONS)
  targets = jnp.asarray(rng.normal(size=(7, 1, LATENT)), jnp.float32)
  _, states, errors = quick_jit(forward, static_argnums=0)(model, params, trajectory, targets)
  actions = trajectory.action.at[3].add(1) % ACTIONS
  difference = np.abs(
    model.errors(params, model.imagine(params, states, actions), targets) - errors
  )
  changed = np.asarray(difference > 1e-5)[:, :, 0]
  for p in range(6):
    for q in range(1, 4):
      if p + q <= 6:
        assert changed[p, q - 1] == (p <= 3 < p + q), (p, q)


def test_gradients_stop_at_the_targets_unless_the_ablation_says_no(make_trajectory, quick_jit):
  trajectory = make_trajectory(np.random.default_rng(7), 4, 2, actions=ACTIONS)
  targets = jnp.asarray(np.random.default_rng(8).normal(size=(5, 2, LATENT)), jnp.float32)
  for stop in (True, False):
    model, params = build(stop_gradient=stop)

    def total(params, targets, model=model):
      return jnp.sum(forward(model, params, trajectory, targets)[2])

    by_params, by_targets = quick_jit(jax.grad(total, argnums=(0, 1)))(params, targets)
    assert bool(jnp.any(by_targets != 0.0)) != stop
    for leaf in jax.tree.leaves(by_params):  # encoder, both loops and predictor all learn from it
      assert bool(jnp.any(leaf != 0.0))


def test_the_encoder_subset_is_what_encode_reads():
  model, params = build()
  encoder = model.encoder(params)
  assert {name.split("/")[0] for name in encoder} == {"encoder"}
  assert {name for name in params if name not in encoder} == {
    "closed_loop", "closed_loop/~project/inputs", "open_loop", "open_loop/~project/inputs",
    "predictor/~/linear_0", "predictor/~/linear_1",
  }  # fmt: skip
  observation = jnp.ones((2, 3, *SPEC.shape))
  np.testing.assert_array_equal(
    model.encode(encoder, observation), model.encode(params, observation)
  )


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_encode_takes_any_leading_axes(lead):
  model, params = build()
  assert model.encode(params, jnp.ones((*lead, 3))).shape == (*lead, LATENT)


def test_without_a_predictor_the_open_loop_is_the_forecast(make_trajectory, quick_jit):
  model, params = build(predictor_hidden=0, core_size=LATENT)
  assert not any(name.startswith("predictor") for name in params)
  trajectory = make_trajectory(np.random.default_rng(9), 3, 1, actions=ACTIONS)
  _, states, _ = quick_jit(forward, static_argnums=0)(
    model, params, trajectory, jnp.zeros((4, 1, LATENT))
  )
  # The target of step 1 is what one step of the open loop yields, so its error is 0.
  slow = Slow(params, "gru")
  w = slow.params["open_loop"]
  projected = slow.linear("open_loop/~project/inputs", np.eye(ACTIONS)[trajectory.action[0, 0]])
  h = np.asarray(states[0, 0], np.float64)
  z, r = np.split(sigmoid(projected[: 2 * LATENT] + h @ w["w_gates"]), 2)
  h = (1 - z) * h + z * np.tanh(projected[2 * LATENT :] + (r * h) @ w["w_candidate"])
  targets = jnp.asarray(np.tile(h, (4, 1, 1)), jnp.float32)
  errors = model.errors(params, model.imagine(params, states, trajectory.action), targets)
  np.testing.assert_allclose(errors[0, 0, 0], 0.0, atol=1e-6)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"horizon": 0}, "horizon is 0"),
    ({"predictor_hidden": 0, "core_size": 8, "latent_size": 4}, "must then be equal"),
    ({"target_decay": 1.5}, "target_decay is 1.5"),
  ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    WorldModelConfig(**settings)
