"""Which part keeps each method from collapsing: the whole form beside one without that part.

Chance plays in zipf/gridworld-symbolic, and the loss alone trains a small encoder. What is told is
what the log of a run tells, of the last update: of the moving average of the encoder, which by then
has forgotten where it began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from experiments.claims import lab
from experiments.claims.claim import Claim, Row
from experiments.evaluation import collapse

SETTINGS = (
  f"{lab.WORLD} {lab.RANDOM_PLAY} --learning-rate 1e-3 --target-decay 0.995 --latent-size 32"
  " --core-size 32 --predictor-hidden 32 --head-hidden 32 --horizon 4 --batch-size 16"
  " --torso patch --torso.hidden 32 --torso.cell-features 4"
)
UPDATES = 600
TOLD = ("effective_rank", "std", "cosine", "collapsed")


def _arm(name: str, words: str) -> Callable[[Sequence[int]], list[Row]]:
  def run(seeds: Sequence[int]) -> list[Row]:
    done = lab.trained(
      f"{SETTINGS} --auxiliary {name} {words}", seeds, UPDATES, lab.world(lab.WORLD)
    )
    rows: list[Row] = lab.with_metrics([{} for _ in seeds], done, TOLD)
    for i, (seed, row) in enumerate(zip(seeds, rows, strict=True)):
      logged = {key: float(values[i]) for key, values in done.metrics.items() if values.ndim == 1}
      row["said"] = collapse.warning([logged | {"seed": float(seed)}], (name,))
      row["warned"] = float(bool(row["said"]))
    return rows

  return run


PARTS: Mapping[tuple[str, str], str] = {
  ("byol", "whole"): "",
  ("byol", "no stop-gradient"): "--no-stop-gradient",
  ("byol", "no moving average"): "--target-decay 0",
  ("byol", "no predictor"): "--predictor-hidden 0",
  ("byol", "neither"): "--predictor-hidden 0 --target-decay 0",
  ("byol_image", "whole"): "",
  ("byol_image", "no uniformity"): "--auxiliary.byol_image.uniform 0",
  ("byol_image", "nor normalisation"): (
    "--auxiliary.byol_image.uniform 0 --auxiliary.byol_image.groups 0"
  ),
  ("byol_image", "nor moving averages"): (
    "--auxiliary.byol_image.uniform 0 --auxiliary.byol_image.decay 0 --target-decay 0"
  ),
  ("brave", "whole"): "",
  ("brave", "no uniformity"): "--auxiliary.brave.uniform 0",
  ("align_uniform", "whole"): "",
  ("align_uniform", "no uniformity"): "--auxiliary.align_uniform.uniform 0",
  ("vicreg", "whole"): "",
  ("vicreg", "no variance"): "--auxiliary.vicreg.variance 0",
  ("swav", "whole"): "",
  ("swav", "no Sinkhorn"): "--auxiliary.swav.sinkhorn-iterations 0",
  ("msn", "whole"): "",
  ("msn", "no entropy"): "--auxiliary.msn.even 0",
  ("msn", "nor Sinkhorn"): "--auxiliary.msn.even 0 --auxiliary.msn.sinkhorn-iterations 0",
  ("pmsn", "whole"): "",
  ("pmsn", "no prior"): "--auxiliary.pmsn.even 0",
}
"""Flags beside the method's own defaults, by method and by what is left out."""

CLAIMS: Mapping[str, Claim] = {
  "collapse": Claim(
    "each method collapses without the part that its paper names, and the log says so",
    {f"{name}, {part}": _arm(name, words) for (name, part), words in PARTS.items()},
    {"effective_rank": "{:.1f}", "std": "{:.2f}", "cosine": "{:.3f}", "warned": "{:.0%}"},
  )
}
