"""The claims by name."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.claims import collapsing, losses
from experiments.claims.claim import Claim

CLAIMS: Mapping[str, Claim] = {**collapsing.CLAIMS, **losses.CLAIMS}
