"""The actor_learner runtime: actors in threads beside the learner, in one process.

Each actor steps its own environments with one batched call of the policy a step and hands its
unrolls to the experience, from which a prefetching thread makes the learner's batches. The learner
is the calling thread. With the embedded experience no port is opened and no server started.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import jax

from agents.agent import Agent
from envs.environment import Environment
from envs.errors import Failure
from envs.host.environment import HostEnvironment
from experiments.acting.episodes import EpisodeTotals
from experiments.experience import forms
from experiments.experience.experience import Closed, Experience
from experiments.runtimes import loop
from experiments.runtimes.actor import act_forever
from experiments.runtimes.interval import Interval, Pace
from experiments.runtimes.learner import Learner, LearnerCarry, place_sample
from experiments.runtimes.loop import Progress
from experiments.runtimes.prefetch import Prefetch
from experiments.runtimes.scoring import Evaluator, Scorer
from experiments.settings.errors import Failed, UserError
from experiments.settings.train import TrainConfig, steps

POLL_SECONDS = 0.1
"""How long the learner waits for data before it looks whether it should stop."""


class Actors:
  """Actor threads that fill an experience until it is closed.

  Attributes:
    totals: the episodes that ended.
    error: which actor failed, and what it raised, if one did; the experience is then closed.
  """

  def __init__(
    self,
    config: TrainConfig,
    env: Environment | HostEnvironment,
    agent: Agent,
    experience: Experience,
    begin: int,
    variables: Callable[[], Any],
  ):
    """Starts the threads, which make their environments themselves; see `act_forever`."""
    self.totals = EpisodeTotals()
    self.error: tuple[str, BaseException] | None = None
    self._config, self._env, self._agent = config, env, agent
    self._experience, self._begin, self._variables = experience, begin, variables
    self._threads = [
      threading.Thread(target=self._run, args=(i,), name=f"actor {i}", daemon=True)
      for i in range(config.actors)
    ]
    for thread in self._threads:
      thread.start()

  def _run(self, number: int) -> None:
    try:
      inserter = self._experience.inserter()
      act_forever(
        self._config,
        self._env,
        self._agent,
        number,
        self._begin,
        self._variables,
        self.totals,
        inserter,
      )
    except Closed:
      pass
    except BaseException as error:
      self.error = f"actor {number}", error
      self._experience.close()

  def check(self) -> None:
    """Raises `Failed` if an actor failed."""
    if self.error is not None:
      who, error = self.error
      raise Failed.by(who, Failure.of(error)) from error

  def join(self) -> None:
    """Waits for the threads; the experience must have been closed."""
    for thread in self._threads:
      thread.join()


class ActorLearnerLoop(loop.Loop):
  """The state is the learner's carry, and a replay is saved in the run folder with it.

  Environments and what actors remember start anew, and so does a replay of another form of
  experience than before: its warm-up is then not counted again.
  """

  def __init__(
    self,
    config: TrainConfig,
    env: Environment | HostEnvironment,
    agent: Agent,
    devices: list[jax.Device],
  ):
    """Raises UserError for a config that this runtime cannot carry out."""
    if config.sweep:
      raise UserError("--sweep needs one compiled program: --runtime on_device.")
    if config.seeds != 1:
      raise UserError("--seeds must be 1 in this runtime; give each seed a run of its own.")
    if agent.data.batch_size % len(devices):
      raise UserError(
        f"--batch-size is {agent.data.batch_size}; it must be a multiple of the {len(devices)}"
        " devices that share it."
      )
    self._config, self._env, self._agent, self._devices = config, env, agent, devices
    self.learner = Learner(agent, devices)

  def init(self) -> LearnerCarry:
    return self.learner.init(jax.random.key(self._config.seed))

  def updates(self, state: LearnerCarry) -> int:
    return int(state.updates)

  def variables(self, state: LearnerCarry) -> Any:
    return jax.tree.map(lambda x: x[None], self._agent.variables(state.learner))

  def learners(self, state: LearnerCarry) -> Any:
    return jax.tree.map(lambda x: x[None], state.learner)

  def with_learners(self, state: LearnerCarry, learners: Any) -> LearnerCarry:
    one = jax.tree.map(lambda x: x[0], learners)
    return state._replace(learner=loop.placed(one, state.learner))

  def train(self, state: LearnerCarry, stopping: Callable[[], bool]) -> Generator[Progress]:
    config, agent, learner = self._config, self._agent, self.learner
    learner.restore(state)
    interval, done = Interval(config, agent.data), self.updates(state)
    kept = None
    if agent.data.replay is not None:
      kept = Path(config.folder()).absolute() / "replay" / config.experience
    if done >= interval.total:
      return
    evaluator = Evaluator(Scorer(config, self._env, agent), stopping)
    current = [learner.get_variables([""])[0]]
    with contextlib.ExitStack() as stack:
      stack.callback(evaluator.close)
      experience = stack.enter_context(forms.local(config, agent, self._env, kept))
      actors = Actors(config, self._env, agent, experience, done, lambda: current[0])
      stack.callback(actors.join)
      # A queue has its batch ready, or fetches it by itself; to take it before its time would let
      # the actors run further ahead of the learner.
      depth = 0 if agent.data.replay is None else 1
      batches = Prefetch(lambda: place_sample(self._devices, experience.sample()), depth)
      stack.callback(batches.close)
      stack.callback(experience.close)  # first of all, as the others wait on it

      def save() -> LearnerCarry:
        if kept is not None:
          experience.save(kept)
        return learner.save()

      pace, waited = Pace(agent.data, done), 0.0
      while done < interval.total:
        asked = time.monotonic()
        while not batches.wait(POLL_SECONDS) and not stopping():
          actors.check()
        waited += time.monotonic() - asked
        if stopping():
          yield Progress(done, [], save)
          return
        try:
          priorities = learner.step(*next(batches))
          if priorities is not None:
            experience.update_priorities(*priorities)
        except Closed:
          actors.check()
          raise
        current[0] = learner.get_variables([""])[0]
        done += 1
        rows = []
        if interval.ends(done):
          metrics = learner.take_metrics() | actors.totals.take()
          rate, seconds = pace.take(done)
          metrics["learner_waited"], waited = waited / seconds, 0.0
          row = interval.row(metrics, done, rate)
          final = done == interval.total
          if interval.scores(done):
            evaluator.submit(steps(agent.data, done), current[0], wait=final)
          # A compiled environment is scored faster than a thread beside the learner could.
          rows = [row | evaluator.take(wait=final or isinstance(self._env, Environment))]
        yield Progress(done, rows, save)
