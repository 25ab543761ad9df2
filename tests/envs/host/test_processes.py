"""Worker processes: what happens when one gets stuck, dies, raises, or loses its parent."""

import glob
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import envs
from envs.environment import FIRST, LAST, MID
from envs.errors import EnvironmentFailed
from envs.host import processes
from envs.host.processes import ProcessVector

COUNT, HANG, DIE, RAISE = range(4)
ENDS_IN = 10.0
"""Seconds within which a process must have ended."""


def vector(num_envs=4, timeout=60.0, num_workers=2, **settings):
  env = envs.make("worlds_of_a_test:Counter", **settings)
  return ProcessVector(env, num_envs, 0, timeout, num_workers)


def copied(timestep):
  return type(timestep)(*(np.array(x) for x in timestep))


def wait_for_the_end_of(pids):
  for pid in pids:
    try:
      ended = os.pidfd_open(pid)
    except ProcessLookupError:
      continue
    assert select.select([ended], [], [], ENDS_IN)[0], f"process {pid} lives on"
    os.close(ended)


@pytest.mark.parametrize(
  ("action", "timeout", "says"),
  [(HANG, 1.0, "environments 2 to 3 took more than 1 s"), (DIE, 60.0, "2 to 3 died")],
)
def test_a_stuck_or_dead_worker_is_replaced_and_its_episodes_cut_off(worlds, action, timeout, says):
  with vector(timeout=timeout) as env:
    env.reset()
    before = copied(env.step(np.full(4, COUNT)))
    with pytest.warns(RuntimeWarning, match=says):
      now = copied(env.step(np.array([COUNT, COUNT, action, COUNT])))
    np.testing.assert_array_equal(now.step_type, [MID, MID, LAST, LAST])
    np.testing.assert_array_equal(now.reward, [0.5, 0.5, 0, 0])
    np.testing.assert_array_equal(now.discount, 1)
    np.testing.assert_array_equal(now.observation[2:], before.observation[2:])
    np.testing.assert_array_equal(now.observation[:2, 1], 2)
    after = copied(env.step(np.full(4, COUNT)))
    np.testing.assert_array_equal(after.step_type, [MID, MID, FIRST, FIRST])
    # Another stream: with the same one the environment would meet the same end again.
    assert (after.observation[2:, 0] != before.observation[2:, 0]).all()


def test_a_worker_killed_between_episodes_owes_a_first_not_a_second_last(worlds):
  with vector() as env:
    env.reset()
    for _ in range(4):
      now = env.step(np.full(4, COUNT))
    assert (now.step_type == LAST).all()
    os.kill(env._workers[0].process.pid, signal.SIGKILL)
    with pytest.warns(RuntimeWarning, match="environments 0 to 1 died"):
      now = env.step(np.full(4, COUNT))
    assert (now.step_type == FIRST).all()
    assert (now.discount == 1).all()


def test_what_an_environment_raises_is_raised_with_its_traceback(worlds):
  with vector() as env:
    env.reset()
    with pytest.raises(RuntimeError, match=r"worlds_of_a_test:Counter(.|\n)*the lost key"):
      env.step(np.full(4, RAISE))


def test_close_ends_all_workers_and_may_be_called_twice(worlds):
  env = vector()
  env.reset()
  pids = [each.process.pid for each in env._workers]
  env.close()
  env.close()
  wait_for_the_end_of(pids)


PARENT = """
import sys
import numpy as np
import envs
from envs.host.processes import ProcessVector

v = ProcessVector(envs.make("worlds_of_a_test:Counter"), 2, 0, 60.0)
v.reset()
print(*(each.process.pid for each in v._workers), flush=True)
v.step(np.ones(2, int))  # hangs
"""


def test_workers_die_with_a_parent_that_is_killed(worlds):
  # A script without a guarded main part, and with workers stuck in a step.
  root = Path(envs.__file__).parents[1]
  environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{worlds}"}
  (worlds / "parent.py").write_text(PARENT)
  parent = subprocess.Popen(
    [sys.executable, "parent.py"], cwd=worlds, env=environment, stdout=subprocess.PIPE, text=True
  )
  with parent:
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
  assert pids
  wait_for_the_end_of(pids)
  assert not glob.glob(f"/dev/shm/pym-{parent.pid}-*")


def test_a_worker_that_cannot_start_is_an_error_that_says_why(worlds, monkeypatch):
  env = envs.make("worlds_of_a_test:Counter")
  env.observation_spec()
  env.settings = {"length": "x", "wrong": 1}
  with pytest.raises(RuntimeError, match=r"cannot start in a worker(.|\n)*wrong"):
    ProcessVector(env, 2, 0, 60.0)


@pytest.mark.filterwarnings("ignore::envs.errors.EnvironmentWarning")
def test_a_worker_that_dies_without_a_whole_step_between_is_given_up(worlds):
  with vector(num_envs=1) as env:
    env.reset()
    for _ in range(2):
      env.step(np.array([DIE]))
      env.step(np.array([COUNT]))  # an episode begins
    with pytest.raises(EnvironmentFailed, match=r"died \(SIGKILL\), for the 3rd time in a row"):
      env.step(np.array([DIE]))
  assert env._env.failures == 3


@pytest.mark.filterwarnings("ignore::envs.errors.EnvironmentWarning")
def test_a_worker_that_dies_now_and_then_is_always_replaced(worlds):
  with vector(num_envs=1) as env:
    env.reset()
    for _ in range(4):
      assert env.step(np.array([DIE])).step_type == LAST
      assert env.step(np.array([COUNT])).step_type == FIRST
      assert env.step(np.array([COUNT])).step_type == MID


def test_an_environment_may_start_processes_of_its_own_which_end_with_it(worlds, monkeypatch):
  monkeypatch.setattr(processes, "CLOSE_TIMEOUT", 0.1)  # it waits for its child, which never ends
  env = ProcessVector(envs.make("worlds_of_a_test:Parent"), 1, 0, 60.0, 1)
  env.reset()
  child = int(env.step(np.array([0])).observation[0, 0])
  env.close()
  wait_for_the_end_of([child])
