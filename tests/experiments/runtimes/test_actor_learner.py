"""The actor_learner runtime: what its threads, checkpoints and ends promise."""

import dataclasses
import re
import signal
import subprocess
import sys
import textwrap
import threading

import jax
import numpy as np
import pytest

from experiments.acting.policy import AgentPolicy, jitted_act
from experiments.runs import experiment as train
from experiments.runs import run_folder
from experiments.runtimes import actor as actor_module
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig
from tests.experiments.command_line import (
  ENVIRONMENT,
  last_checkpoint,
  rarebird,
  start,
  wait_for_rows,
)

FLAGS = """
  --runtime actor_learner --env deep_sea --env-args size=4 --log-updates 2 --eval-rows 3
  --eval-episodes 8 --torso linear --batch-size 8 --unroll-length 5 --latent-size 8 --core-size 8
  --head-hidden 8 --bonus none --core lru --core.layers 1 --checkpoint-rows 2 --out run
""".split()  # noqa: SIM905 - reads like a command line
ROW_STEPS = 2 * 8 * 5


def config(small_agent, **changes):
  asked = {
    "env": "deep_sea",
    "env_args": ("size=4",),
    "runtime": "actor_learner",
    "steps": 3 * ROW_STEPS,
    "log_updates": 2,
    "eval_episodes": 4,
    "agent": small_agent,
  }
  return TrainConfig(**asked | changes)


def run(experiment, stopping=lambda: False):
  return list(experiment.loop.train(experiment.loop.init(), stopping))


def runtime_threads():
  return [t for t in threading.enumerate() if re.match("actor|prefetch|evaluator", t.name)]


def test_rows_come_every_log_interval(small_agent):
  progress = run(train.build(config(small_agent)))
  assert [p.updates for p in progress] == [1, 2, 3, 4, 5, 6]
  assert [row["step"] for p in progress for row in p.rows] == [80, 160, 240]
  assert "eval/train/success" in progress[-1].rows[0]


@pytest.mark.parametrize("actors", [1, 3])
def test_no_thread_outlives_the_run(small_agent, actors):
  run(train.build(config(small_agent, actors=actors, envs_per_actor=2)))
  assert runtime_threads() == []


def test_stopping_yields_the_state_and_ends(small_agent):
  experiment = train.build(config(small_agent, steps=10**9))
  asked = []
  progress = run(experiment, stopping=lambda: len(asked) > 3 or asked.append(0))
  assert progress[-1].rows == []
  assert experiment.loop.updates(progress[-1].state()) == progress[-1].updates
  assert runtime_threads() == []


def test_one_program_serves_all_updates_and_all_actors(small_agent):
  # An agent that no other test has.
  agent = dataclasses.replace(small_agent, head_hidden=7)
  experiment = train.build(config(agent, actors=2))
  run(experiment)
  assert experiment.loop.learner.update._cache_size() == 1
  assert jitted_act(AgentPolicy(experiment.agent))._cache_size() == 1


def test_acting_policy_follows_the_learner(small_agent):
  """What the actors were given last is the learner's own, not a donated or an old copy."""
  experiment = train.build(config(small_agent))
  progress = run(experiment)
  state = progress[-1].state()
  ours = experiment.loop.learner.get_variables(["policy"])[0]
  jax.tree.map(np.testing.assert_array_equal, ours, experiment.agent.variables(state.learner))


def test_an_environment_that_raises_ends_the_run_in_one_line(small_agent, monkeypatch):
  experiment = train.build(config(small_agent, steps=10**6))

  def failing(*args, **kwargs):
    raise RuntimeError("the dynamite was wet")

  monkeypatch.setattr(actor_module, "vector", failing)
  with pytest.raises(UserError, match="RuntimeError: the dynamite was wet"):
    run(experiment)
  assert runtime_threads() == []


LISTENING = """
import os, sys
from experiments.runs import experiment
from tests.experiments.runs_of_everything import plain

def sockets():
  inodes = set()
  for fd in os.listdir("/proc/self/fd"):
    try:
      target = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
      continue
    if target.startswith("socket:"):
      inodes.add(target[8:-1])
  listening = []
  for kind in ("tcp", "tcp6", "udp", "udp6"):
    for line in open(f"/proc/self/net/{kind}").readlines()[1:]:
      fields = line.split()
      if fields[9] in inodes:
        listening.append(line)
  return listening

for runtime in ("on_device", "actor_learner"):
  loop = experiment.build(plain("vtrace", runtime)).loop
  seen = []
  for progress in loop.train(loop.init(), lambda: False):
    seen += sockets()
  servers = [name for name in ("tensorflow", "reverb", "ray") if name in sys.modules]
  print(runtime, progress.updates, seen, servers)
"""


def test_embedded_runtimes_open_no_port_and_import_no_server():
  done = subprocess.run(
    [sys.executable, "-c", LISTENING], env=ENVIRONMENT, capture_output=True, text=True
  )
  expected = ["on_device 4 [] []", "actor_learner 4 [] []"]
  assert done.stdout.splitlines() == expected, done.stderr


def test_the_batch_is_shared_by_eight_devices():
  code = """
    import jax, numpy as np
    from experiments.runtimes.learner import Learner, place
    import envs
    from agents.byol_explore import ByolExploreConfig, build
    from agents.world_model.world_model import WorldModelConfig
    from experiments.experience.layout import item_signature
    env = envs.make("deep_sea", size=4)
    from agents.torsos import torso as torsos
    model = WorldModelConfig(
      torso=torsos.registry.choice("linear"), latent_size=8, core_size=8, predictor_hidden=8,
      horizon=2)
    config = ByolExploreConfig(
      batch_size=8, unroll_length=6, head_hidden=8, world_model=model)
    agent = build(config, env)
    rng = np.random.default_rng(0)
    signature = item_signature(agent, env)
    def random(x, lead):
      shape = lead(x.shape)
      if np.issubdtype(x.dtype, np.integer):
        return rng.integers(0, 2, shape).astype(x.dtype)
      return rng.random(shape).astype(x.dtype)
    batch = jax.tree.map(lambda x: random(x, lambda s: (s[0], 8, *s[1:])),
                         signature._replace(memory=None))
    batch = batch._replace(memory=jax.tree.map(
      lambda x: random(x, lambda s: (8, *s)), signature.memory))
    results = []
    for count in (1, 8):
      devices = jax.devices()[:count]
      learner = Learner(agent, devices)
      learner.restore(learner.init(jax.random.key(0)))
      for _ in range(2):
        learner.step(place(devices, batch))
      results.append(learner.take_metrics())
    assert len(place(jax.devices(), batch).action.sharding.device_set) == 8
    for name in results[0]:
      np.testing.assert_allclose(results[0][name], results[1][name], rtol=2e-3, atol=2e-4,
                                 err_msg=name)
    print("same")
  """
  flags = ENVIRONMENT["XLA_FLAGS"] + " --xla_force_host_platform_device_count=8"
  done = subprocess.run(
    [sys.executable, "-c", textwrap.dedent(code)],
    env=ENVIRONMENT | {"XLA_FLAGS": flags},
    capture_output=True,
    text=True,
  )
  assert done.stdout.strip() == "same", done.stderr


def test_killed_and_resumed_goes_on_counting(tmp_path):
  running = start("train", *FLAGS, "--steps", "1000000", cwd=tmp_path, stdout=subprocess.DEVNULL)
  wait_for_rows(tmp_path, 5)
  running.send_signal(signal.SIGKILL)
  running.wait()
  before = run_folder.read_rows(tmp_path / "run")
  saved, _ = last_checkpoint(tmp_path)
  assert saved >= 2 * (len(before) - 2)  # at most one checkpoint interval behind the log
  steps = str((len(before) + 2) * ROW_STEPS)
  resumed = rarebird("train", *FLAGS, "--steps", steps, cwd=tmp_path)
  assert resumed.returncode == 0, resumed.stderr
  after = run_folder.read_rows(tmp_path / "run")
  assert after[: len(before)] == before
  assert [row["step"] for row in after] == [ROW_STEPS * n for n in range(1, len(before) + 3)]


def test_ctrl_c_saves_in_the_middle_of_an_interval(tmp_path):
  # As many steps as above, for the same programs.
  flags = [*FLAGS, "--steps", "1000000"]
  flags[flags.index("--log-updates") + 1] = "100"
  running = start("train", *flags, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
  wait_for_rows(tmp_path, 1)
  running.send_signal(signal.SIGINT)
  output, _ = running.communicate(timeout=60)
  assert running.returncode == 130
  assert "the same command resumes" in output
  assert last_checkpoint(tmp_path)[0] >= 100


def test_several_seeds_in_one_run_are_refused(small_agent):
  with pytest.raises(UserError, match="--seeds must be 1"):
    train.build(config(small_agent, seeds=2))


def test_a_stalled_actor_does_not_stall_the_others(small_agent, monkeypatch):
  go_on, plain, made = threading.Event(), actor_module.vector, []

  def stall_the_first(*arguments):
    env = plain(*arguments)
    if not made:
      made.append(env)
      step = env.step
      env.step = lambda action: (go_on.wait(), step(action))[1]
    return env

  monkeypatch.setattr(actor_module, "vector", stall_the_first)
  experiment = train.build(config(small_agent, actors=2, envs_per_actor=4, steps=10**9))
  loop = experiment.loop.train(experiment.loop.init(), lambda: False)
  for progress in loop:
    if progress.updates == 5:
      break
  go_on.set()
  loop.close()
  assert runtime_threads() == []
