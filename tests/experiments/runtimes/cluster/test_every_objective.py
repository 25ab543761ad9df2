"""Every objective learns from a Reverb server, between the nodes of a cluster.

The nodes are real, and speak through Reverb and Ray's object store; but all of a run lie in one of
Ray's processes, which stays for the next: that each starts one is shown by test_cluster.py.
"""

import dataclasses
import importlib.util
import math
import time

import pytest

pytest.importorskip("ray")
if importlib.util.find_spec("reverb") is None:  # importing it would take seconds
  pytest.skip("needs Reverb", allow_module_level=True)

import ray

from agents import planners
from experiments.runtimes.cluster import session
from experiments.settings import train as configs
from tests.experiments.runs_of_everything import (
  OBJECTIVES,
  ON_POLICY,
  UPDATES,
  plain,
  small,
  with_auxiliaries,
  with_core,
  with_two_values,
)


class Call:
  """A method of a node here, called as if it were far away."""

  def __init__(self, method):
    self.remote = lambda *arguments: ray.put(method(*arguments))


class Handle:
  """A node here, as another one sees it."""

  def __init__(self, node):
    self.variables = Call(node.variables)


class Host:
  """A process of Ray's that holds the nodes of one run after another."""

  def run(self, config_json, folder, scored=False):
    """The rows of a run: (updates, metrics, steps a second), and the scores of its policy, which
    take a while to compile, if they are asked for."""
    import jax

    from experiments.runs import checkpoint
    from experiments.runtimes.cluster import nodes
    from experiments.runtimes.learner import Learner

    replay = nodes.ReplayNode(config_json, folder)
    learner, actor = nodes.LearnerNode(config_json), nodes.ActorNode(config_json, 0)
    carry = Learner(learner.agent, jax.local_devices()).init(jax.random.key(0))
    leaves = jax.device_get(jax.tree.leaves(checkpoint.to_arrays(carry)))
    learner.start(replay.address(), leaves, int(carry.updates))
    actor.start(replay.address(), Handle(learner), 0)
    rows = []
    while len(rows) < UPDATES:
      report = learner.poll()
      assert not report.error, report.error
      assert not actor.poll().error, actor.poll().error
      rows += report.rows
      time.sleep(0.05)  # as the driver does: questions without end would keep the nodes from work
    scores = {}
    if scored:
      _, reference = learner.variables(0)
      scores = nodes.EvaluatorNode(config_json).score(0, reference)
    # Its threads end, and leave the processor to the next run.
    for node in (actor, learner):
      node._connection._experience.close()
    return rows, scores


@pytest.fixture(scope="module")
def host():
  with session.start(cpus=2):
    actor = ray.remote(Host).options(runtime_env={"env_vars": {"JAX_PLATFORMS": "cpu"}})
    yield actor.remote()


@pytest.mark.parametrize(
  ("objective", "planner"),
  [*((name, "none") for name in OBJECTIVES if name != "none"), ("vmpo", "lookahead")],
)
def test_learns_between_the_nodes_of_a_cluster(host, tmp_path, objective, planner):
  replay, plans = objective not in ON_POLICY, planner != "none"
  config = plain(objective, "cluster", replay)
  # Without a replay the learner's program is that of ../test_every_objective.py, compiled once.
  config = with_two_values(config) if replay else config
  if plans:
    agent = dataclasses.replace(config.agent, planner=planners.registry.choice(planner))
    config = dataclasses.replace(config, agent=agent)
  rows, scores = ray.get(host.run.remote(configs.to_json(config), str(tmp_path), plans))
  assert all(math.isfinite(metrics["loss"]) for _, metrics, _ in rows)
  assert ("eval/train/return" in scores) == plans


# All at once, by the same learner: ../test_every_objective.py.
def test_auxiliary_losses_with_labels_and_state_learn_between_the_nodes(host, tmp_path):
  config = with_auxiliaries("cluster", replay=True, names=("classify", "infomin", "swav"))
  rows, _ = ray.get(host.run.remote(configs.to_json(config), str(tmp_path)))
  assert all(math.isfinite(metrics["loss"]) for _, metrics, _ in rows)


def test_dicts_with_masks_go_between_the_nodes_of_a_cluster(host, tmp_path):
  world = {"env": "tests.worlds_of_trees:Masked", "env_args": ()}
  config = small("byol_explore", "soft_q", "cluster", replay=True, **world)
  config = with_core(config, "transformer")  # whose state is of many arrays, of any rank
  rows, scores = ray.get(host.run.remote(configs.to_json(config), str(tmp_path), True))
  assert all(math.isfinite(metrics["loss"]) for _, metrics, _ in rows)
  assert scores["eval/train/return"] == 0  # an action that is not allowed costs 1
