"""Starts the nodes of a run, watches them, and replaces those that die."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

from envs.errors import Failure
from experiments.settings.errors import Failed, UserError

EARLY_SECONDS = 60.0
MOST_EARLY_DEATHS = 5
"""A node that dies so often in a row, each time so soon after its start, ends the run."""


@dataclasses.dataclass
class Watched:
  """One node.

  Attributes:
    name: as shown.
    create: makes its Ray actor.
    begin: sends it to work, once it is made.
    handle: of its Ray actor.
    pending: the answer to `poll` that is awaited.
    restarts: how often it was replaced.
    lost_at: when its process was found dead; 0 while it is well.
    recovered_seconds: how long the last replacement took, from then to its first answer.
    since: when it answered first.
    early_deaths: in a row.
    about: where it runs; None until it answered.
  """

  name: str
  create: Callable[[], Any]
  begin: Callable[[Watched], None]
  handle: Any = None
  pending: Any = None
  restarts: int = 0
  lost_at: float = 0.0
  recovered_seconds: float = 0.0
  since: float = 0.0
  early_deaths: int = 0
  about: Any = None

  def row(self) -> dict[str, Any]:
    """What `rarebird status` shows."""
    return {
      "name": self.name,
      "state": "running" if self.about else ("restarting" if self.restarts else "starting"),
      "pid": self.about.pid if self.about else None,
      "host": self.about.host if self.about else None,
      "machine": self.about.machine if self.about else None,
      "restarts": self.restarts,
      "recovered_seconds": round(self.recovered_seconds, 1),
    }


class Supervisor:
  """Keeps a set of nodes alive."""

  def __init__(self, event: Callable[[str], None]):
    """`event` is told in one line what happened to a node."""
    self._event = event
    self.nodes: list[Watched] = []

  def add(self, name: str, create: Callable[[], Any], begin: Callable[[Watched], None]) -> Watched:
    """Starts one more node."""
    node = Watched(name, create, begin)
    self.nodes.append(node)
    self._start(node)
    return node

  def _start(self, node: Watched) -> None:
    node.about, node.handle = None, node.create()
    node.pending = node.handle.about.remote()
    node.begin(node)

  def poll(self, seconds: float) -> list[tuple[Watched, Any]]:
    """Takes `seconds`, in which every node is asked once; returns the answers that came, by node.

    A node that is slow to answer holds nobody up: it is asked again once it has answered.

    Raises:
      UserError: if a node cannot be started.
    """
    import ray

    end = time.monotonic() + seconds
    waiting = {node.pending: node for node in self.nodes}
    ready, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=seconds)
    answers = []
    for reference in ready:
      node = waiting[reference]
      try:
        answer = ray.get(reference)
      except ray.exceptions.RayTaskError as error:
        raise failed(node.name, error) from error
      except ray.exceptions.RayError as error:  # its process or its machine is gone
        self._replace(node, error)
        continue
      if node.about is None:
        self._answered(node, answer)
      else:
        answers.append((node, answer))
      node.pending = node.handle.poll.remote()
    time.sleep(max(end - time.monotonic(), 0.0))
    return answers

  def _answered(self, node: Watched, about: Any) -> None:
    node.about, node.since = about, time.monotonic()
    if node.lost_at:
      node.recovered_seconds, node.lost_at = time.monotonic() - node.lost_at, 0.0
      self._event(f"{node.name} is back after {node.recovered_seconds:.1f} s (pid {about.pid})")

  def _replace(self, node: Watched, error: Exception) -> None:
    import ray

    if node.about is None and "creation task" in str(error):
      # Its constructor raised; Ray gives the traceback as text, and the exception in its last line.
      last = str(error).strip().splitlines()[-1]
      for ours in (UserError, Failed):
        last = last.removeprefix(f"{ours.__module__}.{ours.__name__}: ")
      raise Failed(f"{node.name} cannot start: {last}", str(error)) from error
    lived = time.monotonic() - node.since if node.about else 0.0
    node.early_deaths = node.early_deaths + 1 if lived < EARLY_SECONDS else 0
    if node.early_deaths >= MOST_EARLY_DEATHS:
      raise Failed(
        f"{node.name} died {node.early_deaths} times in a row within {EARLY_SECONDS:.0f} s of its"
        " start; is there memory enough for it?"
      ) from error
    if node.about:
      self._event(f"{node.name} died (pid {node.about.pid} on {node.about.host}); replacing it")
    with contextlib.suppress(Exception):  # lest a twin be left that was only cut off for a while
      ray.kill(node.handle)
    node.lost_at = node.lost_at or time.monotonic()
    node.restarts += 1
    self._start(node)

  def kill(self) -> None:
    """Ends all nodes at once."""
    import ray

    for node in self.nodes:
      with contextlib.suppress(Exception):  # it is dead already, or Ray is
        ray.kill(node.handle)


def failed(name: str, error: Any) -> Failed:
  """The `Failed` of a node whose method raised, from Ray's RayTaskError."""
  return Failed(f"{name}: {Failure.of(error.cause)}", str(error))


def driver_node() -> str:
  """Ray's id of the machine that this process runs on."""
  import ray

  return ray.get_runtime_context().get_node_id()


def require_resources(needed: dict[str, dict[str, float]]) -> None:
  """Raises UserError if some node's needs, by its name, fit no machine of the cluster."""
  import ray

  machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
  for name, asked in needed.items():
    if not any(all(m.get(r, 0.0) >= amount for r, amount in asked.items()) for m in machines):
      needs = ", ".join(f"{r}={amount:g}" for r, amount in asked.items())
      raise UserError(
        f"no machine of the cluster has what the {name} needs ({needs}); see `ray status`."
      )
  for resource in {r for asked in needed.values() for r in asked}:
    total = sum(m.get(resource, 0.0) for m in machines)
    needed_in_all = sum(asked.get(resource, 0.0) for asked in needed.values())
    if needed_in_all > total:
      raise UserError(
        f"the nodes need {resource}={needed_in_all:g} in all, the cluster has {total:g}; give fewer"
        " --actors or ask for less."
      )
