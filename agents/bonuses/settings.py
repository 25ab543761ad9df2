"""The settings of all bonuses, each under its name."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class BonusSettings:
  """Settings that single bonuses have; a field's name is the bonus's."""
