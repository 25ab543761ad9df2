"""pmsn: `msn` whose prototypes are to be used by a power law, as what is seen is.

Formula: agents/auxiliaries/msn.py's, with pi_k = k^-tau over their sum in KL(p- || pi). Sinkhorn is
off, as even codes work against pi; where it is on, its marginal is pi.
Source: prior matching for siamese networks (Assran et al. 2023, arXiv 2210.07277), section 4,
recalled; the direction of the divergence by which tau = 0 is `msn`.
"""

from __future__ import annotations

import dataclasses

from agents.auxiliaries import msn
from agents.auxiliaries.auxiliary import Auxiliary, Context, registry


@dataclasses.dataclass(frozen=True)
class PMSNConfig(msn.MSNConfig):
  """Masked siamese networks with a prior."""

  prior_exponent: float = 0.25
  """tau of pi_k, k^-tau (lightly's code: .25, which is nearly even)."""
  even: float = 5.0
  """lambda (lightly's code: 1; ours, as without Sinkhorn half of the prototypes are lost by 1)."""
  sinkhorn_iterations: int = 0
  """Iterations by which codes get the marginal pi (lightly's code: none)."""


@registry.register("pmsn", PMSNConfig, summary="msn, with prototypes used by a power law")
def build(settings: PMSNConfig, context: Context) -> Auxiliary:
  return msn.named("pmsn", settings, context)
