"""What play scores in the playroom: the oracle's and random play's, by task."""

from __future__ import annotations

from envs.environment import Reference

ORACLE = {
  "lift": Reference(1.0, 1.0, 40.3, 0.690),
  "put": Reference(1.0, 1.0, 82.0, 0.482),
  "find": Reference(1.0, 1.0, 43.8, 0.667),
}
