"""Beginning a run from the networks of another: `rarebird train --from`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.runs import experiment as experiments
from experiments.runs.experiment import Experiment
from experiments.settings.errors import UserError


class Source(NamedTuple):
  """What a run begins from.

  Attributes:
    learners: NumPy arrays, the other run's learner states, one for each of this run's, [S, ...].
    about: which run, and of when.
  """

  learners: Any
  about: str


def read(experiment: Experiment) -> Source | None:
  """What a run is told to begin from; None of one that is not, or that has begun.

  Raises:
    UserError: one line, if there is no such run, it lacks a seed, or its networks are of another
      architecture; no file of the new run was touched then.
  """
  config, agent = experiment.config, experiment.agent
  begun = any((Path(config.folder()) / "checkpoints").glob("[0-9]*"))
  if not config.start_from or begun:
    return None
  if agent.adopt is None:
    raise UserError(f"--from: agent {config.agent_name} cannot take the networks of another run.")
  path = Path(config.start_from)
  other, state = experiments.load(path)
  chosen = _lanes(config, other.config)
  learners = jax.device_get(jax.tree.map(lambda x: x[chosen], other.loop.learners(state)))
  try:
    shapes = jax.eval_shape(lambda: experiment.loop.learners(experiment.loop.init()))
    jax.eval_shape(_adopt(experiment), shapes, learners)
  except ValueError as error:
    same = "networks and observations"
    if config.from_heads:
      same += ", with --from-heads the same objective,"
    raise UserError(
      f"--from {path} has another architecture: {error}; give the same {same} or another run."
    ) from error
  heads = " and heads" if config.from_heads else ""
  step = other.steps(other.loop.updates(state))
  return Source(learners, f"begins with the world model{heads} of {path} at step {step:,}")


def begin(experiment: Experiment, state: Any, source: Source) -> Any:
  """The state of a new run with the networks that it begins from."""
  loop = experiment.loop
  return loop.with_learners(
    state, jax.jit(_adopt(experiment))(loop.learners(state), source.learners)
  )


def _adopt(experiment: Experiment) -> Any:
  """(learner states [S, ...], the other run's [S, ...]) -> learner states."""
  assert experiment.agent.adopt is not None
  return jax.vmap(functools.partial(experiment.agent.adopt, heads=experiment.config.from_heads))


def _lanes(config: Any, other: Any) -> np.ndarray:
  """Which of the other run's learners each of this run's begins from: the first of the same seed,
  or the only one."""
  seeds = [lane.seed for lane in other.lanes()]
  if len(seeds) == 1:
    return np.zeros(len(config.lanes()), np.int32)
  for lane in config.lanes():
    if lane.seed not in seeds:
      raise UserError(
        f"--from {config.start_from} has the seeds {min(seeds)} to {max(seeds)}, not {lane.seed};"
        " give --seed and --seeds among them."
      )
  return np.array([seeds.index(lane.seed) for lane in config.lanes()], np.int32)
