"""What one finished agent does and is paid for: a replay of fresh episodes with nothing learned.

  trajectory    of one environment: where each transition leads, what it is paid, whether it is
                real, whether it leads to a place for the first time in this episode (which has been
                where it began), and whether noise is seen there
  near noise    share of all steps of all environments
  familiar and  mean bonus of the transitions that lead to a place which the run knew well, and to
  novel         one which it hardly knew: the places that it visited least, never ones first, as
                many as together hold at most `NOVEL_SHARE` of all its visits

Bonuses are what is paid before it is weighted. Transitions that begin a new episode are paid
nothing, are not real, and belong to neither mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from agents.agent import Agent
from envs.auto_reset import AutoReset
from envs.capabilities import Places
from envs.environment import Environment
from experiments.acting import episodes, rollout
from experiments.acting.policy import AgentPolicy
from experiments.runtimes import on_device
from experiments.runtimes.on_device import Carry

STEPS = 500
"""Of the replay, in each environment; rounded up to whole trajectories."""
NOVEL_SHARE = 0.1


class Replay(NamedTuple):
  """T steps of B environments, time-major, as one stretch.

  Attributes:
    bonus: float32 [T, B], paid for the transition t -> t+1, before it is weighted.
    mask: bool [T, B], it lies inside an episode.
    oracle: [T, B], where it led; () of an environment without places.
    beliefs: float32 [T, B, H], on arriving there; () of an agent without.
    start: int32 [B], the place where the first transition began; () without places.
  """

  bonus: jax.Array
  mask: jax.Array
  oracle: Any
  beliefs: Any
  start: Any


def player(env: Environment, agent: Agent) -> Callable[[Carry, jax.Array], Replay]:
  """Returns a jitted (carry of one seed, key) -> Replay, which begins with new episodes."""
  probe = agent.probe
  assert probe is not None
  stream = AutoReset(env)
  batch, length = agent.data.batch_size, agent.data.unroll_length
  count = -(-STEPS // length)

  def window(carry: Carry, key: jax.Array) -> tuple[Carry, Replay]:
    learner = carry.learner
    carry, trajectory, _ = on_device.unroll(stream, agent, agent.variables(learner), carry)
    beliefs = () if probe.beliefs is None else probe.beliefs(learner, trajectory)[1:]
    return carry, Replay(
      probe.intrinsic(learner, trajectory, key),
      trajectory.mask,
      jax.tree.map(lambda x: x[1:], trajectory.oracle),
      beliefs,
      start=(),
    )

  @jax.jit
  def play(carry: Carry, key: jax.Array) -> Replay:
    env_key, act_key, key = jax.random.split(key, 3)
    acting = rollout.start(stream, AgentPolicy(agent), batch, env_key)
    fresh = carry._replace(**acting._asdict(), stats=episodes.init(batch), key=act_key)
    start = rollout.oracle(stream, acting)
    _, windows = jax.lax.scan(window, fresh, jax.random.split(key, count))
    whole = jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), windows)
    return whole._replace(start=start.place if start else ())

  return play


def novel_places(visits: np.ndarray, places: Places) -> np.ndarray:
  """bool [P]: the least visited reachable places that hold at most NOVEL_SHARE of all visits."""
  order = np.argsort(np.where(places.reachable, visits, np.iinfo(np.int64).max), kind="stable")
  held = np.cumsum(np.where(places.reachable, visits, 0)[order])
  novel = np.zeros(len(visits), bool)
  novel[order] = held <= NOVEL_SHARE * held[-1]
  return novel & places.reachable


def firsts(start: int, place: np.ndarray, mask: np.ndarray) -> list[bool]:
  """Which transitions lead to a place where their episode has not been; T of them.

  Args:
    start: the place where the first one began.
    place: [T], where each led.
    mask: bool [T]; one that is not leads to where a new episode begins.
  """
  seen = {start}
  found = []
  for where, inside in zip(place.tolist(), mask.tolist(), strict=True):
    if not inside:
      seen = {where}
    found.append(where not in seen)
    seen.add(where)
  return found


def measure(replay: Replay, visits: np.ndarray | None, places: Places | None) -> dict[str, Any]:
  """A row of instruments.jsonl, less the discovery loss, from a replay as NumPy arrays.

  Args:
    replay: what was played.
    visits: of each place in the run, [P].
    places: of the environment; without, there are the bonuses of the trajectory alone.
  """
  bonus, mask = np.asarray(replay.bonus, np.float64), np.asarray(replay.mask)
  trajectory = {"bonus": bonus[:, 0].tolist(), "real": mask[:, 0].tolist()}
  if places is None or visits is None:
    return {"trajectory": trajectory, "bonus_familiar": None, "bonus_novel": None}
  place, near = np.asarray(replay.oracle.place), np.asarray(replay.oracle.near_noise)
  trajectory |= {
    "place": place[:, 0].tolist(),
    "first": firsts(int(replay.start[0]), place[:, 0], mask[:, 0]),
    "near_noise": near[:, 0].tolist(),
  }
  novel = novel_places(visits, places)[place]
  return {
    "trajectory": trajectory,
    "near_noise": float(near.mean()),
    "bonus_familiar": _mean(bonus[~novel & mask]),
    "bonus_novel": _mean(bonus[novel & mask]),
  }


def _mean(values: np.ndarray) -> float | None:
  return float(values.mean()) if values.size else None
