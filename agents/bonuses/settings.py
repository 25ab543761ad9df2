"""The settings of all bonuses, each under its name."""

from __future__ import annotations

import dataclasses

from agents.bonuses.byol_hindsight import BYOLHindsightConfig
from agents.bonuses.counts import CountsConfig
from agents.bonuses.disagreement import DisagreementConfig
from agents.bonuses.e3b import E3BConfig
from agents.bonuses.icm import ICMConfig
from agents.bonuses.ndigo import NDIGOConfig
from agents.bonuses.ngu import NGUConfig
from agents.bonuses.re3 import RE3Config
from agents.bonuses.recode import RECODEConfig
from agents.bonuses.rnd import RNDConfig


@dataclasses.dataclass(frozen=True)
class BonusSettings:
  """Settings that single bonuses have; a field's name is the bonus's."""

  byol_hindsight: BYOLHindsightConfig = dataclasses.field(default_factory=BYOLHindsightConfig)
  disagreement: DisagreementConfig = dataclasses.field(default_factory=DisagreementConfig)
  icm: ICMConfig = dataclasses.field(default_factory=ICMConfig)
  ndigo: NDIGOConfig = dataclasses.field(default_factory=NDIGOConfig)
  rnd: RNDConfig = dataclasses.field(default_factory=RNDConfig)
  counts: CountsConfig = dataclasses.field(default_factory=CountsConfig)
  e3b: E3BConfig = dataclasses.field(default_factory=E3BConfig)
  ngu: NGUConfig = dataclasses.field(default_factory=NGUConfig)
  re3: RE3Config = dataclasses.field(default_factory=RE3Config)
  recode: RECODEConfig = dataclasses.field(default_factory=RECODEConfig)
