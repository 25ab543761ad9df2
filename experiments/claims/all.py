"""The claims by name."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.claims import collapsing, curvature, distilling, losses, sequences
from experiments.claims.claim import Claim

CLAIMS: Mapping[str, Claim] = {
  **collapsing.CLAIMS,
  **curvature.CLAIMS,
  **distilling.CLAIMS,
  **losses.CLAIMS,
  **sequences.CLAIMS,
}
