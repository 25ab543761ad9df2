"""Claims of single losses, each read by linear probes after random play."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import scipy.stats

from experiments.claims import lab
from experiments.claims.claim import Claim, Row

LONG = "--unroll-length 32 --batch-size 16"
"""Unrolls in which windows of 32 steps fit; an update has 512 steps as ever."""
PERCENT = "{:.0%}"


def arm(
  words: str,
  labels: Sequence[str] = ("map", "room"),
  metrics: Sequence[str] = (),
  updates: int = lab.UPDATES,
) -> Callable[[Sequence[int]], list[Row]]:
  """An arm: what probes read after random play with these flags."""

  def run(seeds: Sequence[int]) -> list[Row]:
    asked = f"{lab.WORLD} {lab.SMALL} {lab.RANDOM_PLAY} {words}"
    done = lab.trained(asked, seeds, updates, lab.world(lab.WORLD))
    return lab.with_metrics(lab.probed(done, labels), done, metrics)

  return run


def untrained(
  labels: Sequence[str] = ("map", "room"),
) -> Callable[[Sequence[int]], list[Row]]:
  """The arm of a network that learned nothing, whatever loss it has."""
  return arm("--auxiliary byol --learning-rate 0", labels, updates=1)


INFOMIN = "--auxiliary infomin --auxiliary.infomin.adversary 0 --auxiliary.infomin.task 0"
GAPS = (0, 1, 2, 4, 8, 16)
infomin = Claim(
  "InfoMin (arXiv 2005.10243): views best share neither much nor little, a reverse U over the gap",
  {
    "untrained": untrained(),
    **{
      f"gap {gap}": arm(
        f"{LONG} {INFOMIN} --auxiliary.infomin.gap {gap} --auxiliary.infomin.neighbours 16",
        metrics=("infomin_information",),
      )
      for gap in GAPS
    },
  },
  {"map": PERCENT, "room": PERCENT, "infomin_information": "{:.2f}"},
)


def _brave(narrow: int, broad: int, stride: int) -> Callable[[Sequence[int]], list[Row]]:
  words = f"narrow {narrow}", f"broad {broad}", f"stride {stride}"
  flags = " ".join(f"--auxiliary.brave.{word}" for word in words)
  return arm(f"{LONG} --auxiliary brave {flags}", ("map", "room", "place"))


brave = Claim(
  "BraVe (arXiv 2103.16559): broad windows help narrow ones on what lasts, at a loss for places",
  {
    "untrained": untrained(("map", "room", "place")),
    "4 and 4": _brave(4, 4, 1),
    "4 and 16": _brave(4, 16, 4),
    "4 and 32": _brave(4, 32, 4),
  },
  {"map": PERCENT, "room": PERCENT, "place": PERCENT},
)


def _cmc(later: bool, actions: int, graph: str) -> Callable[[Sequence[int]], list[Row]]:
  words = "later" if later else "no-later", f"actions {actions}", f"graph {graph}"
  flags = " ".join(f"--auxiliary.cmc.{word}" for word in words)
  return arm(f"--auxiliary cmc {flags}")


cmc = Claim(
  "CMC (arXiv 1906.05849): the more views, the better",
  {
    "untrained": untrained(),
    "actions": _cmc(False, 4, "core"),
    "later": _cmc(True, 0, "core"),
    "actions and later": _cmc(True, 4, "core"),
    "all pairs of them": _cmc(True, 4, "full"),
  },
  {"map": PERCENT, "room": PERCENT},
)

WEIGHTS = ((1, 0.03), (1, 0.1), (1, 0.3), (1, 1), (0.1, 1))
ALIGN_GAPS = (1, 2, 4, 8)


def _align(align: float, uniform: float, gap: int) -> Callable[[Sequence[int]], list[Row]]:
  words = f"align {align}", f"uniform {uniform}", f"gap {gap}", f"neighbours {max(gap, 4)}"
  flags = " ".join(f"--auxiliary.align_uniform.{word}" for word in words)
  return arm(f"--auxiliary align_uniform {flags}", updates=300)


def _correlations(rows: Sequence[Row]) -> list[str]:
  """Spearman's, over arms and seeds, of each probe and what is to predict it."""
  if len(rows) < 3:
    return []
  lines = []
  for label in ("map", "room"):
    told = [row[label] for row in rows]
    for sign in ("alignment", "uniformity"):
      found = scipy.stats.spearmanr([row[sign] for row in rows], told)
      lines.append(
        f"rank correlation of {label} and {sign}: {found.statistic:.2f} (p {found.pvalue:.3f},"
        f" {len(rows)} runs)"
      )
    both = [row["alignment"] + row["uniformity"] for row in rows]
    found = scipy.stats.spearmanr(both, told)
    lines.append(f"rank correlation of {label} and their sum: {found.statistic:.2f}")
  return lines


align_uniform = Claim(
  "Wang and Isola (arXiv 2005.10242): alignment and uniformity tell how well a probe reads",
  {
    f"{align}:{uniform}, gap {gap}": _align(align, uniform, gap)
    for align, uniform in WEIGHTS
    for gap in ALIGN_GAPS
  },
  {"map": PERCENT, "room": PERCENT, "alignment": "{:.2f}", "uniformity": "{:.2f}"},
  _correlations,
)


def _cosub(depth: float, teach: float, seeds: Sequence[int]) -> list[Row]:
  torso = f"--torso resnet --torso.stochastic-depth {depth}"
  own = f"--auxiliary cosub --auxiliary.cosub.teach {teach} --auxiliary.cosub.gap 4"
  words = f"{lab.WORLD} {torso} {lab.HEADS} {lab.RANDOM_PLAY} {own}"
  return lab.probed(lab.trained(words, seeds, 200, lab.world(lab.WORLD)), ("map", "room"))


cosub = Claim(
  "cosub (arXiv 2212.04884): submodels that teach each other do better than stochastic depth alone",
  {
    f"depth {depth}, {name}": functools.partial(_cosub, depth, teach)
    for depth in (0.1, 0.3)
    for name, teach in (("alone", 0.0), ("taught", 0.5))
  },
  {"map": PERCENT, "room": PERCENT, "effective_rank": "{:.1f}"},
)

CLAIMS: Mapping[str, Claim] = {
  "infomin": infomin,
  "brave": brave,
  "cmc": cmc,
  "align_uniform": align_uniform,
  "cosub": cosub,
}
