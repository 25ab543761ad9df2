"""The answer in words: what the data tells, and what it cannot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from experiments.report.data import Comparison
from experiments.report.results import Cost, Results
from experiments.report.statistics import Estimate

FEW_SEEDS = 5


def names(bonuses: Sequence[str]) -> Markup:
  """A list in words: a, b and c."""
  strong = [Markup("<strong>{}</strong>").format(bonus) for bonus in bonuses]
  if len(strong) < 2:
    return Markup("").join(strong)
  return Markup("{} and {}").format(Markup(", ").join(strong[:-1]), strong[-1])


def interval(estimate: Estimate, form: str = "{:.2f}") -> str:
  """The interval in words, or nothing where there is none."""
  if not np.isfinite(estimate.low):
    return ""
  return f"{form.format(estimate.low)} to {form.format(estimate.high)}"


def sentences(results: Results | None, costs: dict[str, Cost]) -> list[Markup]:
  """What can be said of the bonuses that were compared, the most important first."""
  if results is None:
    return [Markup("No bonus has finished every seed in any environment yet.")]
  if len(results.bonuses) == 1:
    known = f", 95% interval {found}" if (found := interval(results.score[0])) else ""
    return [
      Markup("Only {} has finished: its interquartile mean score is {:.2f}{}.").format(
        names(results.bonuses), results.score.value[0], known
      )
    ]
  said = [_leader(results)]
  if results.baseline() is not None and np.isfinite(results.score.low).all():
    said.append(_against_baseline(results, results.baseline() or 0))
  return said + _prices(results, costs)


def _leader(results: Results) -> Markup:
  order = results.order()
  best = results.score[order[0]]
  if not np.isfinite(best.low):
    return Markup(
      "{} has the highest interquartile mean score, {:.2f}, but there is one seed only: nothing"
      " can be told from chance."
    ).format(names([results.bonuses[order[0]]]), best.value)
  first = Markup("{} has the highest interquartile mean score: {:.2f} (95% interval {}).").format(
    names([results.bonuses[order[0]]]), best.value, interval(best)
  )
  rest = order[1:]
  level = [results.bonuses[i] for i in rest if best.overlaps(results.score[i])]
  if not level:
    return first + Markup(" Its interval lies above that of every other bonus.")
  if len(level) == len(rest):
    return first + Markup(
      " Every other bonus's interval overlaps it, so which bonus is best cannot be told from this"
      " data."
    )
  verb = "intervals of {} overlap" if len(level) > 1 else "interval of {} overlaps"
  return first + Markup(
    f" The {verb} it, so which of these {len(level) + 1} is best cannot be told from this data; the"
    " others are behind."
  ).format(names(level))


def _against_baseline(results: Results, base: int) -> Markup:
  groups: dict[str, list[str]] = {"ahead": [], "behind": [], "open": []}
  for i in results.order():
    if i != base:
      found = results.improvement[i, base]
      which = "ahead" if found.low > 0.5 else "behind" if found.high < 0.5 else "open"
      groups[which].append(results.bonuses[i])
  texts = {
    "ahead": "more often better: {}",
    "behind": "more often worse: {}",
    "open": "no difference can be told: {}",
  }
  parts = [Markup(texts[which]).format(names(group)) for which, group in groups.items() if group]
  return Markup("Against no bonus ({}), {}.").format(
    names([results.bonuses[base]]), Markup("; ").join(parts)
  )


def _prices(results: Results, costs: dict[str, Cost]) -> list[Markup]:
  base = results.baseline()
  ratios = {
    bonus: costs[bonus].time[0]
    for i, bonus in enumerate(results.bonuses)
    if i != base and bonus in costs and np.isfinite(costs[bonus].time[0])
  }
  if not ratios:
    return []
  cheap, dear = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
  if cheap == dear:
    return [
      Markup("{} takes {:.2f} times the time of training without a bonus.").format(
        names([cheap]), ratios[cheap]
      )
    ]
  return [
    Markup(
      "Training takes from {:.2f} ({}) to {:.2f} ({}) times the time of training without a bonus."
    ).format(ratios[cheap], names([cheap]), ratios[dear], names([dear]))
  ]


def notes(comparison: Comparison, results: Results | None) -> list[str]:
  """What a reader must know before trusting the numbers: what is missing, and few seeds."""
  said = []
  seeds = len(comparison.seeds)
  if seeds == 1:
    said.append("There is one seed, so there are no intervals.")
  elif seeds < FEW_SEEDS:
    said.append(
      f"There are {seeds} seeds only: bootstrap intervals of so few are narrower than they ought"
      " to be."
    )
  missing = [
    f"{bonus} in {env}"
    for bonus in comparison.bonuses
    for env in comparison.envs
    if not comparison.is_complete((bonus, env))
  ]
  if missing:
    total = len(comparison.bonuses) * len(comparison.envs)
    shown = "; ".join(missing[:6]) + (f"; and {len(missing) - 6} more" if len(missing) > 6 else "")
    said.append(f"Not run yet, or not with every seed, {len(missing)} of {total}: {shown}.")
  if results and len(results.bonuses) * len(results.envs) < len(comparison.bonuses) * len(
    comparison.envs
  ):
    said.append(
      f"Aggregates are of {len(results.bonuses)} of {len(comparison.bonuses)} bonuses over"
      f" {len(results.envs)} of {len(comparison.envs)} environments: those without a gap."
    )
  return said
