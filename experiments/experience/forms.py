"""Which form of experience a run in one process has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from agents.agent import Agent
from envs.environment import Environment
from envs.host.environment import HostEnvironment
from experiments.experience.experience import Experience
from experiments.experience.layout import item_signature
from experiments.experience.queue import Queue
from experiments.experience.replay import Replay
from experiments.settings.train import TrainConfig


@contextlib.contextmanager
def local(
  config: TrainConfig,
  agent: Agent,
  env: Environment | HostEnvironment,
  folder: Path | None = None,
) -> Iterator[Experience]:
  """The experience of a run in one process, closed at the end.

  A queue holds one batch: what waits in it was acted out by a policy that grows old. A replay
  begins with what was saved in `folder`, if that is given and something was.
  """
  signature, data = item_signature(agent, env), agent.data
  with contextlib.ExitStack() as stack:
    experience: Experience
    if config.experience == "reverb":
      from experiments.experience import reverb, reverb_server

      server = reverb_server.serve(signature, data, checkpoint_folder=folder)
      stack.callback(server.stop)
      experience = reverb.ReverbExperience(f"localhost:{server.port}", signature, data)
    elif data.replay is None:
      experience = Queue(signature, data, data.batch_size)
    else:
      experience = Replay(signature, data, config.seed)
      if folder is not None:
        experience.restore(folder)
    with contextlib.closing(experience):
      yield experience
