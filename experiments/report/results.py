"""What a comparison amounts to: aggregates over environments, and costs."""

from __future__ import annotations

import dataclasses

import numpy as np

from experiments.report import statistics
from experiments.report.data import Comparison
from experiments.report.statistics import Estimate
from experiments.report.styles import BASELINE


@dataclasses.dataclass(frozen=True)
class Results:
  """Aggregates of B bonuses, over environments in which each of them has every seed.

  Attributes:
    bonuses, envs: aggregated, in order.
    score, area: interquartile means of final score, and of the area under the curve; [B]. Area is
      None where some run lacks it.
    rank: mean rank; [B].
    improvement: probability of improvement of one over another; [B, B].
  """

  bonuses: list[str]
  envs: list[str]
  score: Estimate
  area: Estimate | None
  rank: Estimate
  improvement: Estimate

  def order(self) -> list[int]:
    """Bonuses from the highest interquartile mean to the lowest."""
    return [int(i) for i in np.argsort(-self.score.value, kind="stable")]

  def baseline(self) -> int | None:
    """Where among the bonuses the baseline is."""
    return self.bonuses.index(BASELINE) if BASELINE in self.bonuses else None


def aggregate(comparison: Comparison) -> Results | None:
  """Aggregates a comparison; None where no cell is complete."""
  cells = {
    (bonus, env)
    for bonus in comparison.bonuses
    for env in comparison.envs
    if comparison.is_complete((bonus, env))
  }
  if not cells:
    return None
  chosen, common = statistics.largest_rectangle(cells)
  bonuses = [bonus for bonus in comparison.bonuses if bonus in chosen]
  envs = [env for env in comparison.envs if env in common]

  def table(name: str) -> np.ndarray:
    finals = comparison.finals
    return np.array(
      [
        [[finals[bonus, env][seed].get(name, np.nan) for env in envs] for seed in comparison.seeds]
        for bonus in bonuses
      ],
      np.float64,
    )

  scores, areas = table("score"), table("auc")
  known = np.isfinite(areas).all()
  return Results(
    bonuses=bonuses,
    envs=envs,
    score=statistics.estimate(scores, statistics.interquartile_mean),
    area=statistics.estimate(areas, statistics.interquartile_mean) if known else None,
    rank=statistics.estimate(scores, statistics.mean_rank),
    improvement=statistics.estimate(scores, statistics.probability_of_improvement),
  )


@dataclasses.dataclass(frozen=True)
class Cost:
  """What one bonus costs; a mean over environments that have it, NaN where none does.

  Attributes:
    seconds: of training, summed over environments.
    compile_seconds: summed too.
    steps_per_second: in the mean.
    memory_bytes: the most of any environment.
    time, memory: as ratios to the baseline in the same environment: geometric mean, least, most.
  """

  seconds: float
  compile_seconds: float
  steps_per_second: float
  memory_bytes: float
  time: tuple[float, float, float]
  memory: tuple[float, float, float]


def cost(comparison: Comparison, bonus: str) -> Cost | None:
  """The cost of a bonus; None while it has no run."""
  envs = [env for env in comparison.envs if (bonus, env) in comparison.finals]
  if not envs:
    return None

  def values(name: str, of: str) -> np.ndarray:
    cells = [comparison.finals.get((of, env), {}).values() for env in envs]
    return np.array(
      [np.mean([row.get(name, np.nan) for row in cell]) if cell else np.nan for cell in cells]
    )

  def ratios(name: str) -> tuple[float, float, float]:
    own, base = values(name, bonus), values(name, BASELINE)
    known = (own > 0) & (base > 0)
    if not known.any():
      return np.nan, np.nan, np.nan
    ratio = own[known] / base[known]
    return float(np.exp(np.log(ratio).mean())), float(ratio.min()), float(ratio.max())

  return Cost(
    seconds=float(values("seconds", bonus).sum()),
    compile_seconds=float(values("compile_seconds", bonus).sum()),
    steps_per_second=float(values("steps_per_second", bonus).mean()),
    memory_bytes=float(values("memory_bytes", bonus).max()),
    time=ratios("seconds"),
    memory=ratios("memory_bytes"),
  )
