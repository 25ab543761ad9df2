"""Which form of experience a run has."""

from __future__ import annotations

from typing import Any

from agents.agent import Agent
from experiments.config import TrainConfig
from experiments.errors import UserError
from experiments.experience.experience import Experience
from experiments.experience.layout import item_signature
from experiments.experience.queue import Queue

QUEUE_BATCHES = 1
"""Batches that wait in a queue at most: what waits is acted out by a policy that grows old."""


def local(config: TrainConfig, agent: Agent, observation: Any) -> Experience:
  """The experience of a run in one process; `observation` is the spec of one."""
  signature, data = item_signature(agent, observation), agent.data
  if config.experience == "embedded":
    return Queue(signature, data, QUEUE_BATCHES * data.batch_size)
  raise UserError("--experience reverb is not there yet.")
