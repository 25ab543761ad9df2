"""The gradients of soft_q and soft_pg compared: the measurement, and what the command shows."""

import dataclasses
import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from PIL import Image
from rich.console import Console

import envs
from agents import objectives
from agents.soft_q import SoftQConfig
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from envs.auto_reset import AutoReset
from experiments import cli
from experiments.commands import equivalence as equivalence_command
from experiments.evaluation import equivalence
from experiments.evaluation.equivalence import Agreement, EquivalenceConfig
from experiments.runs import run_folder
from experiments.runtimes import on_device
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig

BATCH, ACTIONS = 32, 2
PCL = objectives.registry.choice("pcl")
AGENT = SoftQConfig(
  objective=objectives.registry.choice("soft_q", temperature=0.03),
  batch_size=8,
  unroll_length=5,
  head_hidden=8,
  world_model=WorldModelConfig(
    torso=torsos.registry.choice("linear"),
    latent_size=8,
    core_size=8,
    predictor_hidden=8,
    horizon=2,
  ),
)
CONFIG = TrainConfig(
  env="deep_sea", env_args=("size=4",), agent_name="soft_q", agent=AGENT,
  steps=80, log_updates=1, eval_episodes=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def env():
  return envs.make("deep_sea", size=4)


@pytest.fixture(scope="module")
def twins(env):
  return equivalence.twins(CONFIG, env, BATCH)


@pytest.fixture(scope="module")
def state(twins):
  """The policy is far from uniform, about 84% to 16% everywhere."""
  params = jax.jit(twins.soft_q.init)(jax.random.key(0)).params
  q = params.heads["heads/q"] | {"b": jnp.array([0.05, 0.0])}
  return equivalence.learner_state(twins, params._replace(heads=params.heads | {"heads/q": q}))


def collect(env, twins, state, share, draws=8):
  numbers = jnp.float32(4.0), jnp.float32(share)
  return equivalence.collect(env, twins, draws, state, *numbers, jax.random.key(1))


@pytest.fixture(scope="module")
def on_policy(env, twins, state):
  return collect(env, twins, state, 0.0)


@pytest.fixture(scope="module")
def off_policy(env, twins, state):
  return collect(env, twins, state, 0.5)


@pytest.fixture(scope="module")
def trajectory(env, twins, state):
  """What `collect` draws first."""

  def first():
    carry = on_device.build(env, twins.soft_q, 1).init(jax.random.key(1)[None])
    carry = jax.tree.map(lambda x: x[0], carry)
    actor = equivalence.off_policy(twins.soft_q, 0.0)
    return on_device.unroll(AutoReset(env), actor, actor.variables(state), carry)[1]

  return jax.jit(first)()._replace(oracle=())


def gradient(agent, state, trajectory):
  found = jax.jit(agent.probe.gradient)(state, trajectory, jax.random.key(0))
  return ravel_pytree((found.world_model, found.policy_model, found.heads))[0]


def test_agreement_against_its_definition():
  one, other = np.random.default_rng(0).normal(size=(2, 3, 5))
  found = equivalence.agree(jnp.asarray(one), jnp.asarray(other))
  for i, (a, b) in enumerate(zip(one, other, strict=True)):
    norms = np.linalg.norm(a), np.linalg.norm(b)
    expected = 1 - a @ b / np.prod(norms), np.log(norms[1] / norms[0]), (b - a) @ (b - a), a @ a
    np.testing.assert_allclose([x[i] for x in found], expected, rtol=1e-4)


def test_agreement_of_nearly_equal_gradients_is_not_rounding():
  one = np.random.default_rng(0).normal(size=(1, 1000)).astype(np.float32)
  aside = np.roll(one, 1, axis=1)
  aside -= one * (aside @ one.T) / (one @ one.T)
  other = one + 1e-4 * aside * np.linalg.norm(one) / np.linalg.norm(aside)
  assert equivalence.agree(one, other).distance == pytest.approx(0.5e-8, rel=1e-2)


@pytest.mark.parametrize("name", equivalence.OBJECTIVES)
def test_a_batch_has_the_mean_gradient_of_its_transitions(twins, state, trajectory, name):
  agent = getattr(twins, name)
  parts = jax.jit(equivalence.trajectory_gradients, static_argnums=0)(
    agent, state, trajectory, jax.random.key(0)
  )
  transitions = np.sum(trajectory.mask)
  assert transitions < trajectory.mask.size  # episodes end, so that means are not of equal counts
  expected = gradient(agent, state, trajectory)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(np.sum(parts, axis=0) / transitions, expected, atol=1e-5 * scale)


def test_the_largest_batch_is_all_that_was_drawn(on_policy, twins, state, trajectory):
  one, other = (gradient(agent, state, trajectory)[None] for agent in twins)
  expected = equivalence.agree(one, other)
  found = jax.tree.map(lambda x: x[0], on_policy.agreement[-1])
  np.testing.assert_allclose(found.distance, expected.distance, rtol=1e-2)
  np.testing.assert_allclose(found.log_ratio, expected.log_ratio, atol=1e-5)


def test_there_are_batches_of_every_power_of_two(on_policy):
  assert [x.distance.shape for x in on_policy.agreement] == [(8, BATCH // 2**k) for k in range(6)]


def test_on_policy_the_squared_difference_falls_as_one_over_the_batch(on_policy):
  curve = equivalence.curve(on_policy.agreement)
  assert equivalence.slopes(curve)["difference"] == pytest.approx(-1.0, abs=0.25)
  # The cosine of single transitions is far from its limit, so it falls by less than 32.
  assert curve[-1]["distance"] < 0.3 * curve[0]["distance"]


def test_off_policy_and_at_another_temperature_a_difference_lasts(on_policy, off_policy):
  noise = equivalence.curve(on_policy.agreement)[-1]
  for lasting in (off_policy.agreement, on_policy.mismatched):
    curve = equivalence.curve(lasting)
    assert curve[-1]["difference"] > 5.0 * noise["difference"]
    assert curve[-1]["difference"] > 0.75 * curve[-2]["difference"]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_off_policy_acting_leaves_the_chances_of_the_mixture(env, twins, state, share):
  """Many environments at one belief: the share of each action is its chance."""
  batch = 4096
  agent, key = twins.soft_q, jax.random.key(2)
  timestep = jax.vmap(env.reset)(jax.random.split(key, batch))[1]
  variables, memory = agent.variables(state), agent.initial_memory(batch)
  mixed = equivalence.off_policy(agent, share)
  _, own, _ = agent.act(variables, memory, timestep, key, True)
  action, extras, new = mixed.act(variables, memory, timestep, key, True)
  expected = (1 - share) * np.exp(own["policy"][0]) + share / ACTIONS
  np.testing.assert_allclose(np.exp(extras["policy"][0]), expected, rtol=1e-5)
  np.testing.assert_allclose(np.bincount(action, minlength=ACTIONS) / batch, expected, atol=0.03)
  np.testing.assert_array_equal(new.action, action)


def random_policies(seed, *shape):
  return np.random.default_rng(seed).dirichlet(np.ones(ACTIONS + 1), shape)


def variational(p, seed=0, tau=0.3):
  """At ten beliefs, with the action values and the reference that it was read with."""
  q = np.random.default_rng(seed).normal(size=(10, ACTIONS + 1))
  reference = random_policies(seed + 1)
  return equivalence.variational(q, np.log(p), np.log(reference), tau), q, reference


def test_the_gap_is_the_divergence_and_obeys_pinsker():
  found, _, _ = variational(random_policies(3, 10))
  np.testing.assert_allclose(found.gap, found.divergence, rtol=0, atol=1e-14)
  assert (found.divergence > found.pinsker).all()


def test_the_gap_is_what_the_best_policy_gains():
  """The best of a fine grid of policies, with three actions, comes near pi_Q from below."""
  side = np.linspace(1e-6, 1.0, 300)
  grid = np.array([(a, b, 1 - a - b) for a in side for b in side if a + b < 1 - 1e-9])
  p, tau = random_policies(3, 10), 0.3
  found, q, reference = variational(p, tau=tau)

  def gain(p, q):
    return p @ q - tau * np.sum(p * np.log(p / reference), axis=-1)

  for i in range(10):
    best = np.max(gain(grid, q[i])) - gain(p[i], q[i])
    assert best <= found.gap[i] + 1e-12
    assert best == pytest.approx(found.gap[i], abs=1e-3)


def test_on_policy_there_is_no_gap(on_policy, state):
  duals = state.params.duals
  tau = float(np.exp(duals.log_temperature))
  found = equivalence.variational(on_policy.q, on_policy.log_policy, duals.reference, tau)
  np.testing.assert_allclose(found, 0.0, atol=1e-9)


def test_a_curve_leaves_out_batches_without_a_gradient():
  distance = np.array([[0.1, np.nan], [0.3, 0.2]])
  log_ratio = np.array([[np.log(2), np.nan], [np.log(8), np.inf]])
  level = Agreement(distance, log_ratio, np.ones((2, 2)), np.full((2, 2), 4.0))
  (row,) = equivalence.curve((level,))
  assert row["distance"] == pytest.approx(0.2)
  assert row["error"] == pytest.approx(0.1)
  assert row["norm_ratio"] == pytest.approx(4.0)
  assert row["difference"] == pytest.approx(0.25)


def test_gradients_that_are_equal_to_the_bit_have_a_slope():
  rows = [{"batch_size": n, "distance": 0.0, "difference": 0.0} for n in (1, 2, 4)]
  assert equivalence.slopes(rows) == pytest.approx({"distance": 0.0, "difference": 0.0})


def test_a_slope_is_the_exponent():
  sizes = (1, 2, 4, 8)
  rows = [{"batch_size": n, "distance": 3.0 * n**-1.5, "difference": 2.0 / n} for n in sizes]
  assert equivalence.slopes(rows) == pytest.approx({"distance": -1.5, "difference": -1.0})


# The command


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
  """A training and its comparison: the run folder, and what was printed at 80 columns."""
  path = tmp_path_factory.mktemp("equivalence") / "run"
  output = io.StringIO()
  config = EquivalenceConfig(max_batch=4, draws=2, train=dataclasses.replace(CONFIG, out=str(path)))
  assert equivalence_command.run(config, Console(file=output, width=80)) == 0
  return path, output.getvalue()


def test_the_tables_fit_80_columns(shown):
  lines = shown[1].splitlines()
  tables = [line for line in lines if line and line[0] in "┏┃┡│└"]
  assert max(map(len, tables)) <= 80
  for words in ("30% uniform", "tau x 2", "slope, diff.", "tau KL(p || pi_Q)"):
    assert words in shown[1]


def test_the_data_are_saved_as_rows(shown):
  rows = [json.loads(line) for line in (shown[0] / "equivalence.jsonl").read_text().splitlines()]
  names = ["on policy", "30% uniform", "tau x 2"]
  sizes = [(r["case"], r["batch_size"]) for r in rows if r["kind"] == "agreement"]
  assert sizes == [(name, size) for name in names for size in (1, 2, 4)]
  assert [r["case"] for r in rows if r["kind"] == "case"] == names
  assert {r["case"] for r in rows if r["kind"] == "belief"} == set(names)


def test_the_picture_is_a_png_1600_pixels_wide(shown):
  with Image.open(shown[0] / "equivalence.png") as image:
    image.load()
    assert image.width == 1600


def test_a_run_folder_gives_the_same_numbers_as_json(shown, capsys):
  config = EquivalenceConfig(run=shown[0], max_batch=4, draws=2, json=True)
  before = (shown[0] / "equivalence.jsonl").read_text().splitlines()
  assert equivalence_command.run(config, Console(file=io.StringIO())) == 0
  found = json.loads(capsys.readouterr().out)
  assert found == [row for row in map(json.loads, before) if row["kind"] != "belief"]


@pytest.mark.parametrize(
  ("changes", "words"),
  [
    ({"agent_name": "byol_explore"}, "objective is vmpo"),
    (
      {"agent": dataclasses.replace(AGENT, objective=PCL)},
      "objective is pcl",
    ),
    ({"env": "gym:CartPole-v1", "env_args": ()}, "runs on the host"),
  ],
)
def test_runs_without_a_twin_are_refused(tmp_path, changes, words):
  config = dataclasses.replace(CONFIG, **changes)
  if "agent_name" in changes:
    config = dataclasses.replace(config, agent=TrainConfig.of(config.agent_name).agent)
  folder = run_folder.RunFolder(dataclasses.replace(config, out=str(tmp_path / "run")))
  folder.close()
  with pytest.raises(UserError, match=words) as refused:
    equivalence_command.run(EquivalenceConfig(run=tmp_path / "run"), Console())
  assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
  ("flags", "words"),
  [
    ("--off-policy 1.5", "--off-policy is 1.5"),
    ("--mismatch 0", "--mismatch is 0"),
    ("--max-batch 48", "give a power of 2"),
    ("--max-batch 2", "at least 4"),
    ("--draws 1", "give at least 2"),
    ("--agent byol_explore", "objective is vmpo"),
    ("--env pendulum", "need discrete actions"),
    ("nowhere", "nowhere holds no run"),
    ("nowhere --steps 5", "nowhere is trained already"),
  ],
)
def test_bad_flags(monkeypatch, capsys, tmp_path, flags, words):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr("sys.argv", ["rarebird", "equivalence", *flags.split()])
  with pytest.raises(SystemExit) as ended:
    cli.main()
  told = capsys.readouterr().err
  assert ended.value.code == 2
  assert told.count("\n") == 1
  assert words in told
  assert not list(tmp_path.iterdir())
