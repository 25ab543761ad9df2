"""The claims by name."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.claims import (
  collapsing,
  contriever,
  curvature,
  distilling,
  few_shot,
  labelled,
  losses,
  sequences,
  students,
)
from experiments.claims.claim import Claim

CLAIMS: Mapping[str, Claim] = {
  **collapsing.CLAIMS,
  **losses.CLAIMS,
  **labelled.CLAIMS,
  **students.CLAIMS,
  **few_shot.CLAIMS,
  **contriever.CLAIMS,
  **curvature.CLAIMS,
  **sequences.CLAIMS,
  **distilling.CLAIMS,
}
