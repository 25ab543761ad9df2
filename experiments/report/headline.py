"""The answer in words: what the data tells, and what it cannot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from experiments.report import areas, permutation_test
from experiments.report.data import Comparison
from experiments.report.results import Cost, Results
from experiments.report.statistics import Estimate
from experiments.report.words import BASELINE, NOUNS, against

FEW_SEEDS = 5
NEED_BYOL = ("byol_explore", "byol_hindsight", "ndigo")
"""Bonuses that are made of what the BYOL loss trains."""


def names(variants: Sequence[str]) -> Markup:
  """A list in words: a, b and c."""
  strong = [Markup("<strong>{}</strong>").format(variant) for variant in variants]
  if len(strong) < 2:
    return Markup("").join(strong)
  return Markup("{} and {}").format(Markup(", ").join(strong[:-1]), strong[-1])


def interval(estimate: Estimate, form: str = "{:.2f}") -> str:
  """The interval in words, or nothing where there is none."""
  if not np.isfinite(estimate.low):
    return ""
  return f"{form.format(estimate.low)} to {form.format(estimate.high)}"


def sentences(results: Results | None, costs: dict[str, Cost], vary: str = "bonus") -> list[Markup]:
  """What can be said of the variants that were compared, the most important first."""
  if results is None:
    return [Markup("No {} has finished every seed in any environment yet.").format(NOUNS[vary].one)]
  if len(results.variants) == 1:
    return [
      Markup("Only {} has finished.").format(names(results.variants)),
      _by_environment(results),
    ]
  said = [_leader(results)]
  if (base := results.baseline()) is not None:
    said.append(_against_baseline(results, base))
  if results.few:
    said += [_by_environment(results), _highest_mean(results)]
  return said + _prices(results, costs)


def by_area(comparison: Comparison) -> list[Markup]:
  """Which variant is the best in each environment by the area under its curve, if any is told."""
  certain: list[Markup] = []
  open_: list[Markup] = []
  silent: list[str] = []
  for env in comparison.envs:
    told = areas.told(comparison, env)
    if len(told) == 1:
      certain.append(Markup("{} in {}").format(names(told), env))
    elif told:
      open_.append(Markup("{} in {}").format(names(told), env))
      silent += [] if areas.can_tell(comparison, env) else [env]
  said = []
  if certain:
    said.append(
      Markup("Best by the area under the curve, in a test of all pairs there: {}.").format(
        Markup("; ").join(certain)
      )
    )
  if open_:
    said.append(
      Markup("By the area under the curve nothing can be told between {}.").format(
        Markup("; nor between ").join(open_)
      )
      + (" With so few seeds no test of all pairs there could tell any." if silent else "")
    )
  return said


def solved(comparison: Comparison) -> list[Markup]:
  """With which variants each environment was solved, by every seed first, and when."""
  said = []
  seeds = len(comparison.seeds)
  for env in comparison.envs:
    steps = {
      variant: found
      for variant in comparison.variants
      if comparison.is_complete((variant, env))
      and (found := areas.solved(comparison, (variant, env))) is not None
    }
    if not steps:
      continue
    every = {variant: np.median(found) for variant, found in steps.items() if len(found) == seeds}
    first = sorted(every, key=lambda variant: every[variant])
    parts = [Markup("{} at {:,.0f}").format(names([variant]), every[variant]) for variant in first]
    some = [
      Markup("{} ({} of {})").format(names([variant]), len(found), seeds)
      for variant, found in steps.items()
      if 0 < len(found) < seeds
    ]
    who = Markup(", then ").join(parts)
    text = Markup("with every seed by {} steps (median)").format(who) if parts else ""
    if some:
      text += ("; " if parts else "") + Markup("with some seeds by {}").format(
        Markup(", ").join(some)
      )
    said.append(
      Markup("{} was solved {}.").format(env, text)
      if text
      else Markup("{} was solved with no seed.").format(env)
    )
  return said


def _leader(results: Results) -> Markup:
  order = results.order()
  leading = results.variants[order[0]]
  first = _best_rank(results) if results.few else _highest_mean(results)
  differs = results.differs()[order[0]]
  if not differs.any():
    return first + Markup(" Nothing can be told from this data of which {} is best.").format(
      NOUNS[results.vary].one
    )
  texts = {
    "behind": "more often better than {}",
    "ahead": "more often worse than {}",
    "open": "nothing can be told against {}",
  }
  return first + Markup(" In a test of all pairs {} is {}.").format(
    names([leading]), _differences(results, order[0], differs, texts)
  )


def _best_rank(results: Results) -> Markup:
  ranks = results.rank.value.round(9)
  best = int(ranks.argmin())
  known = f" (95% interval {found})" if (found := interval(results.rank[best])) else ""
  leading = [results.variants[i] for i in results.order() if ranks[i] == ranks[best]]
  verb = "has" if len(leading) == 1 else "share"
  return Markup("{} {} the best mean rank: {:.1f}{}.").format(
    names(leading), verb, ranks[best], known
  )


def _highest_mean(results: Results) -> Markup:
  best = int(results.score.value.argmax())
  known = f" (95% interval {found})" if (found := interval(results.score[best])) else ""
  return Markup("{} has the highest interquartile mean of normalised scores: {:.2f}{}.").format(
    names([results.variants[best]]), results.score.value[best], known
  )


def _by_environment(results: Results) -> Markup:
  """The variant with the highest mean score in each environment, and the baseline's."""
  parts = []
  means, base = results.means.round(9), results.baseline()
  for i, env in enumerate(results.envs):
    top = means[:, i].max()
    best = [
      variant for variant, mean in zip(results.variants, means[:, i], strict=True) if mean == top
    ]
    plain = (
      "" if base is None or means[base, i] == top else f"; {results.base} {means[base, i]:.2f}"
    )
    # Of a draw between many there is more to say in the table than here.
    who = names(best) if len(best) < 4 else f"{len(best)} {NOUNS[results.vary].many}"
    parts.append(Markup("{} in {} ({:.2f}{})").format(who, env, top, plain))
  return Markup("Highest mean score: {}.").format(Markup(", ").join(parts))


def _against_baseline(results: Results, base: int) -> Markup:
  texts = {
    "ahead": "more often better: {}",
    "behind": "more often worse: {}",
    "open": "nothing can be told: {}",
  }
  named = names([results.variants[base]])
  without = NOUNS[results.vary].without
  return Markup("Against {}, {}.").format(
    Markup("{} ({})").format(without, named) if results.base == BASELINE and without else named,
    _differences(results, base, results.differs_from(base), texts),
  )


def _differences(results: Results, of: int, differs: np.ndarray, texts: dict[str, str]) -> Markup:
  """Which variants are ahead of one and which behind, as far as they are told to differ; [B]."""
  groups: dict[str, list[str]] = {standing: [] for standing in texts}
  for i in results.order():
    if i != of:
      ahead = results.improvement.value[i, of] > 0.5
      groups["open" if not differs[i] else "ahead" if ahead else "behind"].append(
        results.variants[i]
      )
  return Markup("; ").join(
    Markup(texts[standing]).format(names(group)) for standing, group in groups.items() if group
  )


def _prices(results: Results, costs: dict[str, Cost]) -> list[Markup]:
  base = results.baseline()
  ratios = {
    variant: costs[variant].time[0]
    for i, variant in enumerate(results.variants)
    if i != base and variant in costs and np.isfinite(costs[variant].time[0])
  }
  if not ratios:
    return []
  cheap, dear = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
  if cheap == dear:
    return [
      Markup("{} takes {:.2f} times the time of training {}.").format(
        names([cheap]), ratios[cheap], _plain(results)
      )
    ]
  return [
    Markup("Training takes from {:.2f} ({}) to {:.2f} ({}) times the time of training {}.").format(
      ratios[cheap], names([cheap]), ratios[dear], names([dear]), _plain(results)
    )
  ]


def _plain(results: Results) -> str:
  """How the baseline trains: "without a bonus", or with what its name says."""
  if results.base == BASELINE and NOUNS[results.vary].without:
    return f"without {NOUNS[results.vary].a}"
  return f"with {results.base}"


def notes(comparison: Comparison, results: Results | None) -> list[str]:
  """What a reader must know before trusting the numbers: what is missing, and few seeds."""
  said = _revisiting(comparison) + _auxiliary(comparison)
  seeds = len(comparison.seeds)
  if seeds == 1:
    said.append("There is one seed, so there are no intervals.")
  elif seeds < FEW_SEEDS:
    said.append(
      f"There are {seeds} seeds only: bootstrap intervals of so few are narrower than they ought"
      " to be, and nothing is concluded from them."
    )
  if results and len(results.variants) > 1:
    said += _reach(results, seeds)
  missing = [
    f"{variant} in {env}"
    for variant in comparison.variants
    for env in comparison.envs
    if (variant, env) in comparison.cells and not comparison.is_complete((variant, env))
  ]
  if missing:
    shown = "; ".join(missing[:6]) + (f"; and {len(missing) - 6} more" if len(missing) > 6 else "")
    said.append(
      f"Not run yet, or not with every seed, {len(missing)} of {len(comparison.cells)}: {shown}."
    )
  fitting = list(filter(comparison.applies_everywhere, comparison.variants))
  for variant in comparison.variants:
    if variant not in fitting:
      where = ", ".join(env for env in comparison.envs if (variant, env) not in comparison.cells)
      said.append(f"{variant} does not apply in {where}, and is left out of the aggregates.")
  if results and (len(results.variants), len(results.envs)) != (len(fitting), len(comparison.envs)):
    said.append(
      f"Aggregates are of {len(results.variants)} of {len(fitting)}"
      f" {NOUNS[comparison.vary].many} over {len(results.envs)} of {len(comparison.envs)}"
      " environments: those without a gap."
    )
  return said


def _revisiting(comparison: Comparison) -> list[str]:
  """Which variants use resets, which the others do without."""
  found = comparison.settings.get("revisiting") or []
  if not found:
    return []
  verb = "uses resets: it goes" if len(found) == 1 else "use resets: they go"
  return [
    f"While learning, {', '.join(found)} {verb} back to kept states, which costs no steps here and"
    " which the others cannot. All scores are of play without."
  ]


def _auxiliary(comparison: Comparison) -> list[str]:
  """Which auxiliary loss the agents train with, which some variants cannot do without."""
  losses = (comparison.settings.get("agent") or {}).get("auxiliary")
  if comparison.vary != "bonus" or losses is None:
    return []
  # The first edition had the name of the one that there was.
  found = [losses] if isinstance(losses, str) else [loss["name"] for loss in losses]
  if "byol" in found:
    return ["Every agent trains the BYOL loss as an auxiliary loss, also the one without a bonus."]
  if found not in ([], ["none"]):
    return [f"Every agent trains auxiliary losses: {', '.join(found)}."]
  with_loss = [variant for variant in comparison.variants if variant in NEED_BYOL]
  own = " One of your own does if it reads the table." if _own(comparison) else ""
  if not with_loss:
    return [f"No agent trains an auxiliary loss.{own}"]
  verbs = "train" if len(with_loss) > 1 else "trains"
  return [
    f"No auxiliary loss is common to all agents: {names(with_loss).striptags()} {verbs} the BYOL"
    " loss as well, which the bonus is made of, and the others do not. So what sets them apart may"
    f" be the loss and not the bonus.{own}"
  ]


def _own(comparison: Comparison) -> bool:
  return any(":" in variant for variant in comparison.variants)


def _reach(results: Results, seeds: int) -> list[str]:
  """What so few seeds cannot tell, however large the difference."""
  variants, envs = len(results.variants), len(results.envs)
  least = permutation_test.smallest(seeds, envs)
  comparisons = {"all pairs": variants * (variants - 1) // 2}
  if results.baseline() is not None:
    comparisons[f"those with {against(results.vary, results.base)}"] = variants - 1
  corrected = {what: min(least * count, 1.0) for what, count in comparisons.items()}
  if max(corrected.values()) < permutation_test.LEVEL:
    return []
  parts = (f"{p:.2g} for {what} ({comparisons[what]})" for what, p in corrected.items())
  return [
    f"With {seeds} seed{'s' * (seeds > 1)} in {envs} environment{'s' * (envs > 1)} no test of two"
    f" {NOUNS[results.vary].many} can give a p-value below {least:.2g}; corrected for the number"
    f" of comparisons, {' and '.join(parts)}. Where that is {permutation_test.LEVEL} or more,"
    " nothing can be told, however large the difference."
  ]
