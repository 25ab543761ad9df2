"""The buffer that the policy learns from: filled anew every few updates, by number."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from agents.offline import relabel
from agents.offline.learner import GoalLearner, Transitions
from agents.reachability import reward
from envs import action_specs
from envs.observation import GOAL, VIEW
from experiments.datasets.dataset import Dataset
from experiments.offline.discovery import CHUNK, Discovery, in_chunks
from experiments.offline.stage_files import Result

DRAWN = 2048
"""Steps that are drawn and relabelled at a time."""
DRAWN_HINDSIGHT = 32
"""The same where each brings along its episode."""


class Buffer(NamedTuple):
  """N transitions towards goals.

  Attributes:
    before: the row of the observation that a step leads from; to the row after it, int64 [N].
    goal: the row of what is to be seen, int64 [N].
    action: [N, *A].
    reward: float32 [N].
    discount: float32 [N], 0 where it ends.
  """

  before: np.ndarray
  goal: np.ndarray
  action: np.ndarray
  reward: np.ndarray
  discount: np.ndarray


class Filler:
  """Fills buffers for one algorithm.

  Attributes:
    unreachable: goals drawn so far to which no way was known; these were left out.
    drawn: steps drawn so far, each with a goal.
  """

  def __init__(
    self,
    discovery: Discovery,
    learner: GoalLearner,
    nodes: Result | None,
    graph: Result | None,
  ):
    """`nodes` and `graph` are results of their stages, where the algorithm has them."""
    self.discovery, self.dataset = discovery, discovery.dataset
    self.config, self.learner = discovery.config, learner
    self.unreachable = self.drawn = 0
    if nodes and graph:
      self._memory = discovery.memory(nodes)
      self._rows = nodes.arrays["rows"]
      self._edges, self._ways = discovery.graph(graph)

    @jax.jit
    def shaped(logits: jax.Array, distance: jax.Array, temperature: jax.Array) -> jax.Array:
      own = self.config.buffer
      return reward.shaped(logits, distance, temperature, own.edge_cost, own.closeness_weight)

    self._shaped = shaped

  def fill(self, state: Any, rng: np.random.Generator, key: jax.Array) -> Buffer:
    """A buffer made anew; the learner's `state` is asked by `actionable` alone.

    It holds less than asked for only if no goal that is drawn can be reached.
    """
    wanted, algorithm = self.config.buffer.fill_entries, self.config.algorithm
    if algorithm == "reachability":
      steps, goals = self._draw(rng, wanted)
      return self._paid(relabel.Entries(steps, goals, np.zeros(wanted, np.float32)))
    if algorithm != "fresh":
      return self._sparse(state, rng, key)
    found, count = [], 0
    while count < wanted:
      entries = self._along_paths(rng)
      if not len(entries.step):
        break
      found.append(entries)
      count += len(entries.step)
    whole = [np.concatenate(x)[:wanted] for x in zip(*found, strict=True)]
    return self._paid(relabel.Entries(*whole) if whole else entries)

  def _draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and rows of goals, evenly from all that is stored."""
    self.drawn += count
    steps = rng.integers(self.dataset.steps, size=count)
    return steps, rng.integers(len(self.dataset.observation), size=count)

  def _along_paths(self, rng: np.random.Generator) -> relabel.Entries:
    steps, goals = self._draw(rng, DRAWN)
    entries, unreachable = relabel.along_paths(
      rng,
      steps,
      goals,
      self.discovery.nearest(self._memory, self.discovery.before(steps) + 1, "out_of"),
      self.discovery.nearest(self._memory, goals, "into"),
      self._rows,
      self._edges,
      self._ways,
    )
    self.unreachable += unreachable
    return entries

  def _paid(self, entries: relabel.Entries) -> Buffer:
    """Entries with the shaped reward, which never ends."""
    before = self.discovery.before(entries.step)
    pay = np.zeros(len(before), np.float32)
    if len(before):
      logits = self.discovery.logits(
        self.discovery.features(before + 1), self.discovery.features(entries.goal)
      )
      pay = np.asarray(self._shaped(logits, entries.distance, self.discovery.temperature))
    return Buffer(before, entries.goal, self.dataset.action[entries.step], pay, np.ones_like(pay))

  def _sparse(self, state: Any, rng: np.random.Generator, key: jax.Array) -> Buffer:
    """Hindsight, with what an algorithm does of its own about goals and actions of no avail."""
    wanted, algorithm = self.config.buffer.fill_entries, self.config.algorithm
    found, count = [], 0
    while count < wanted:
      steps, goals = self._draw(rng, DRAWN_HINDSIGHT)
      before = self.discovery.before(steps)
      begins = self.dataset.starts[before - steps]
      found.append(
        relabel.in_hindsight(steps, goals, begins, before + 1, negatives=algorithm != "her")
      )
      count += len(found[-1].step)
    entries = relabel.Sparse(*(np.concatenate(x)[:wanted] for x in zip(*found, strict=True)))
    before = self.discovery.before(entries.step)
    buffer = Buffer(
      before, entries.goal, self.dataset.action[entries.step], entries.reward, entries.discount
    )
    chosen = np.flatnonzero(entries.negative)
    if algorithm == "her_uniform":
      low, high = action_specs.bounds(self.dataset.action_spec())
      buffer.action[chosen] = rng.uniform(low, high, (len(chosen), *low.shape))
    elif algorithm == "actionable":
      asked = np.flatnonzero(entries.random)
      if asked.size:
        pairs = self._pairs(before[asked], entries.goal[asked])
        value = functools.partial(self.learner.value, state)
        buffer.reward[asked] = in_chunks(value, CHUNK, pairs, buffer.action[asked])
      if chosen.size:
        pairs = self._pairs(before[chosen], entries.goal[chosen])
        keys = jax.random.split(key, -(-len(chosen) // CHUNK))
        act = functools.partial(self.learner.act, state)
        drawn = iter(keys)
        buffer.action[chosen] = in_chunks(lambda x: act(x, next(drawn)), CHUNK, pairs)
    return buffer

  def _pairs(self, view: np.ndarray, goal: np.ndarray) -> dict[str, np.ndarray]:
    """Observations [N, *O] of views and goals by their rows."""
    return {VIEW: self.dataset.observation[view], GOAL: self.dataset.observation[goal]}


def batches(dataset: Dataset, buffer: Buffer, picked: np.ndarray) -> Transitions:
  """The entries `picked` [U, B] of a buffer, with what is seen there."""
  views, before = dataset.observation, buffer.before[picked]
  goal = views[buffer.goal[picked]]
  observation = {
    VIEW: np.stack([views[before], views[before + 1]], axis=2),
    GOAL: np.stack([goal, goal], axis=2),
  }
  return Transitions(
    observation, buffer.action[picked], buffer.reward[picked], buffer.discount[picked]
  )
