"""What runs in the cluster's processes: replay, learner, actors and evaluator, as Ray actors.

Each is a plain class whose methods return at once; what takes long goes on in its threads. The
driver (`cluster_loop`) calls `poll` a few times a second, and `connect` when another node was
replaced. Parameters go through Ray's object store: the learner puts a version there now and then,
and every actor pulls the newest one in the background.
"""

from __future__ import annotations

import collections
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

from agents.trajectory import DataSpec, Trajectory
from envs.errors import RAISED, Failure
from experiments.acting.episodes import EpisodeTotals
from experiments.experience import reverb_server
from experiments.experience.experience import Closed, Inserter, Sample, Unavailable
from experiments.experience.layout import item_signature
from experiments.experience.reverb import ReverbExperience
from experiments.runs import checkpoint
from experiments.runtimes.actor import act_forever
from experiments.runtimes.interval import Interval, Pace
from experiments.runtimes.learner import Learner, place_sample
from experiments.runtimes.prefetch import Prefetch
from experiments.runtimes.scoring import Scorer
from experiments.settings.train import build_agent, build_environment, from_json, local_devices

PULL_SECONDS = 0.1
"""Between two questions of an actor for newer parameters."""
RETRY_SECONDS = 5.0
"""After which a server that did not answer is asked again."""
PUBLISH_SECONDS = 0.1
"""Between two versions of the parameters at least; one costs a copy into the object store."""

T = TypeVar("T")


class About(NamedTuple):
  """Where a node runs: process, host name, and Ray's id of the machine."""

  pid: int
  host: str
  machine: str


class LearnerReport(NamedTuple):
  """What the learner tells the driver.

  Attributes:
    updates: done so far.
    rows: (updates, metrics, steps a second) of the log intervals that ended since the last poll.
    error: why it ended, None while it has not.
  """

  updates: int
  rows: list[tuple[int, dict[str, float], float]]
  error: Failure | None


class ActorReport(NamedTuple):
  """What an actor tells the driver: sums over its episodes, unrolls handed in, why it ended."""

  totals: dict[str, float]
  unrolls: int
  error: Failure | None


class Node:
  """A node: the experiment it belongs to, put together in this process.

  Attributes:
    error: why its work ended, None while it has not.
  """

  def __init__(self, config_json: str):
    self.config = from_json(config_json)
    self.env = build_environment(self.config)
    self.agent = build_agent(self.config, self.env)
    self.signature = item_signature(self.agent, self.env)
    self.error: Failure | None = None

  def about(self) -> About:
    import ray

    machine = ray.get_runtime_context().get_node_id()
    return About(os.getpid(), socket.gethostname(), machine)

  def work(self, function: Callable[[], None], name: str) -> None:
    """Runs a function in a thread; what it raises is kept in `error`."""

    def run() -> None:
      try:
        function()
      except Closed:
        pass
      except BaseException as error:
        self.error = Failure.of(error)

    threading.Thread(target=run, name=name, daemon=True).start()


class Connection(Inserter):
  """A client of the replay server that goes on with the next server when one is gone.

  An unroll during which a server fell silent is sent again whole, so that a part of it may be there
  twice if the server was only slow.

  Attributes:
    inserted: unrolls so far.
  """

  def __init__(self, signature: Trajectory, data: DataSpec):
    """Waits for `connect` before anything else."""
    self._signature, self._data = signature, data
    self._changed = threading.Condition()
    self._address = self._broken = ""
    self._experience: ReverbExperience | None = None
    self._inserter: Inserter | None = None
    self.inserted = 0

  def connect(self, address: str) -> None:
    """Another server took over."""
    with self._changed:
      self._address, self._broken = address, ""
      self._changed.notify_all()

  def insert(self, unroll: Trajectory) -> None:
    """Inserts an unroll, into the next server if this one is gone."""
    self._retry(lambda experience: self._insert(experience, unroll))
    self.inserted += 1

  def sample(self) -> Sample:
    """The next batch, of the next server if this one is gone."""
    return self._retry(lambda experience: experience.sample())

  def update_priorities(self, keys: np.ndarray, priorities: np.ndarray) -> None:
    """Sets the priorities of items; those of a server that is gone went with it."""
    experience = self._experience  # the thread that samples may replace it meanwhile, and close it
    if experience is not None:
      with contextlib.suppress(Unavailable, Closed):
        experience.update_priorities(keys, priorities)

  def _insert(self, experience: ReverbExperience, unroll: Trajectory) -> None:
    if self._inserter is None:
      self._inserter = experience.inserter()
    self._inserter.insert(unroll)

  def _retry(self, call: Callable[[ReverbExperience], T]) -> T:
    while True:
      with self._changed:
        # The same server is asked again after a while: it may only have been slow to answer.
        self._changed.wait_for(
          lambda: self._address and self._address != self._broken, RETRY_SECONDS
        )
        address = self._address
      if not address:
        continue
      try:
        if self._experience is None:
          self._experience = ReverbExperience(address, self._signature, self._data)
        return call(self._experience)
      except Unavailable:
        with self._changed:
          if self._address == address:
            self._broken = address
        if self._experience is not None:
          self._experience.close()
        self._experience = self._inserter = None


class ReplayNode(Node):
  """The Reverb server, on a port drawn at random; replay has a checkpoint folder that stays."""

  def __init__(self, config_json: str, folder: str):
    super().__init__(config_json)
    # A queue is not saved: what was taken from it since would be handed out a second time.
    self._saves = self.agent.data.replay is not None
    self._server = reverb_server.serve(
      self.signature, self.agent.data, checkpoint_folder=Path(folder) if self._saves else None
    )
    self._client = ReverbExperience(self.address(), self.signature, self.agent.data)

  def address(self) -> str:
    """host:port, told inside the cluster alone."""
    import ray

    return f"{ray.util.get_node_ip_address()}:{self._server.port}"

  def checkpoint(self) -> str:
    """Saves the content, from which the next server in this folder starts.

    Returns why it could not, empty if it could.
    """
    try:
      if self._saves:
        self._client.checkpoint()
    except Exception as error:  # told, and tried again at the next checkpoint
      return str(Failure.of(error))
    return ""

  def poll(self) -> None:
    """Answers, as proof of life."""


class LearnerNode(Node):
  """The learner: its batches come from the replay node."""

  def __init__(self, config_json: str):
    super().__init__(config_json)
    self._devices = local_devices(self.config)
    self._learner = Learner(self.agent, self._devices)
    self._asked: collections.deque[Future[list[np.ndarray]]] = collections.deque()
    self._rows: collections.deque[tuple[int, dict[str, float], float]] = collections.deque()
    self._updates = 0
    self._published: tuple[int, list[Any]] = (0, [])
    self._connection = Connection(self.signature, self.agent.data)

  def start(self, address: str, leaves: list[np.ndarray], updates: int) -> None:
    """Starts to learn.

    Args:
      address: of the replay server.
      leaves: of a carry, as `save` returns them.
      updates: to count on from; more than in the carry if a learner was lost since it was saved.
    """
    self._connection.connect(address)  # first, as another address may come meanwhile
    like = self._learner.init(jax.random.key(0))
    structure = jax.tree.structure(checkpoint.to_arrays(like))
    carry = checkpoint.from_arrays(like, jax.tree.unflatten(structure, leaves))
    carry = jax.device_put(carry, jax.tree.map(lambda x: x.sharding, like))
    self._learner.restore(carry._replace(updates=carry.updates * 0 + updates))
    self._updates = updates
    self._publish()
    self.work(self._learn, "learner")

  def connect(self, address: str) -> None:
    self._connection.connect(address)

  def _learn(self) -> None:
    interval = Interval(self.config, self.agent.data)
    # The client fetches a queue's next batch by itself; one more ahead would only grow old.
    depth = 0 if self.agent.data.replay is None else 1
    batches = Prefetch(lambda: place_sample(self._devices, self._connection.sample()), depth)
    pace, published = Pace(self.agent.data, self._updates), 0.0
    while True:
      while self._asked:  # in this thread, as an update donates the state that is saved
        self._asked.popleft().set_result(self._leaves())
      done = self._updates == interval.total
      if done or not batches.wait(PUBLISH_SECONDS):
        if done:
          time.sleep(PUBLISH_SECONDS)
        continue
      priorities = self._learner.step(*next(batches))
      if priorities is not None:
        self._connection.update_priorities(*priorities)
      self._updates += 1
      if time.monotonic() - published > PUBLISH_SECONDS or self._updates == interval.total:
        self._publish()
        published = time.monotonic()
      if interval.ends(self._updates):
        rate, _ = pace.take(self._updates)
        self._rows.append((self._updates, self._learner.take_metrics(), rate))

  def _publish(self) -> None:
    import ray

    leaves = jax.device_get(jax.tree.leaves(self._learner.get_variables([""])[0]))
    self._published = (self._published[0] + 1, [ray.put(leaves)])

  def variables(self, have: int) -> tuple[int, list[Any]] | None:
    """The newest version's number and a reference to its leaves; None if there is none newer."""
    published = self._published
    return published if published[0] > have else None

  def save(self) -> list[np.ndarray]:
    """The leaves of the carry after the update under way, random keys as integers."""
    answer: Future[list[np.ndarray]] = Future()
    self._asked.append(answer)
    return answer.result()

  def _leaves(self) -> list[np.ndarray]:
    return jax.device_get(jax.tree.leaves(checkpoint.to_arrays(self._learner.save())))

  def poll(self) -> LearnerReport:
    rows = [self._rows.popleft() for _ in range(len(self._rows))]
    return LearnerReport(self._updates, rows, self.error)


class ActorNode(Node):
  """An actor: its unrolls go to the replay node, its parameters come from the learner node."""

  def __init__(self, config_json: str, number: int):
    super().__init__(config_json)
    self._number = number
    self._begin = 0
    self._learner: Any = None
    self._totals = EpisodeTotals()
    self._variables: Any = None
    self._ready = threading.Event()
    self._connection = Connection(self.signature, self.agent.data)
    self._structure = jax.tree.structure(
      jax.eval_shape(lambda key: self.agent.variables(self.agent.init(key)), jax.random.key(0))
    )

  def start(self, address: str, learner: Any, begin: int) -> None:
    """Starts to act; `learner` is the learner node's handle, `begin` draws the random streams."""
    self._begin = begin
    self._connection.connect(address)
    self._learner = learner
    self.work(self._pull, "variables")
    self.work(self._act, "actor")

  def connect(self, address: str, learner: Any) -> None:
    """The replay server or the learner was replaced."""
    self._learner = learner
    self._connection.connect(address)

  def _act(self) -> None:
    self._ready.wait()
    act_forever(
      self.config,
      self.env,
      self.agent,
      self._number,
      self._begin,
      lambda: self._variables,
      self._totals,
      self._connection,
    )

  def _pull(self) -> None:
    import ray

    device, asked, have = jax.local_devices()[0], None, 0
    while True:
      if asked is not self._learner:
        asked, have = self._learner, 0
      try:
        newer = ray.get(asked.variables.remote(have))
        if newer is not None:
          have, (reference,) = newer
          variables = jax.tree.unflatten(self._structure, ray.get(reference))
          self._variables = jax.device_put(variables, device)
          self._ready.set()
      except ray.exceptions.RayError:
        pass  # the learner is gone, or its parameters with it; the driver will tell of the next
      time.sleep(PULL_SECONDS)

  def poll(self) -> ActorReport:
    return ActorReport(self._totals.take(), self._connection.inserted, self.error)


class EvaluatorNode(Node):
  """The evaluator: scores a policy at a time."""

  def __init__(self, config_json: str):
    super().__init__(config_json)
    self._scorer = Scorer(self.config, self.env, self.agent)
    self._structure = jax.tree.structure(
      jax.eval_shape(lambda key: self.agent.variables(self.agent.init(key)), jax.random.key(0))
    )

  def poll(self) -> None:
    """Answers, as proof of life."""

  def score(self, step: int, reference: list[Any]) -> dict[str, float] | Failure:
    """Plays the policy whose leaves the reference stands for; returns after the last episode.

    What playing raised is returned as text: Ray would pickle the exception.

    Nothing comes of it if the learner died, as what it put into the object store goes with it.
    """
    import ray

    try:
      leaves = ray.get(reference[0])
    except ray.exceptions.RayError:
      return {}
    try:
      return self._scorer(step, jax.tree.unflatten(self._structure, leaves))
    except RAISED as error:
      return Failure.of(error)
