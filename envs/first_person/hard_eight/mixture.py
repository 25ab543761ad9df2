"""All tasks as one environment: each episode is of one of them, and one network plays all."""

from __future__ import annotations

from envs.environment import Environment, registry
from envs.first_person.hard_eight.environment import HardEight
from envs.first_person.hard_eight.tasks import every


@registry.register("hard_eight/all", summary="One of the hard eight each episode, all alike.")
def build(split: str = "train", discrete: bool = False, panel: bool = False) -> Environment:
  """All tasks; see `HardEight` for the settings."""
  return HardEight(every(), split, discrete, panel)
