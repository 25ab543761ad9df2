"""What the oracle and random play score in each task.

Measured by `python -m envs.first_person.hard_eight.measure` on training maps: 1,000 episodes of the
oracle, 20,000 of random play, whose actions are uniform at every step.
"""

from __future__ import annotations

from envs.environment import Reference

ORACLE: dict[str, Reference] = {
  "wall_sensor": Reference(0.998, 0.998, 76.1, 0.476),
}
RANDOM: dict[str, Reference] = {
  "wall_sensor": Reference(0.0001, 0.0001, 400.0, 0.0),
}
