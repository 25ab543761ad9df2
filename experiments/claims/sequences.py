"""Bursty sequences: how classes are distributed decides where an agent has a label from.

Learned by cross-entropy of the query's label alone, as a supervised stream: an update has a whole
sequence of each environment. What is told is the share of labels that are right, where classes are
new and the label stands in the context (`in_context`), where classes are known and the context has
others' labels (`swapped`), and where the label is not in the context (`in_weights`). An agent that
copies a label of the context, whichever, is right in one of as many cases as there are in it.

`transformer` and `gru` have equally many parameters in core and heads, but for .3%.
Source: Chan et al. 2022 (arXiv 2205.05055); sizes of Reddy 2023 (arXiv 2312.03002).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from experiments.claims import lab
from experiments.claims.claim import Claim, Row

LEARN = (
  "--objective none --objective.taught --bonus none"
  " --auxiliary classify --auxiliary.classify.reads policy --learning-rate 1e-3"
)
NETWORK = "--torso linear --latent-size 64 --head-hidden 128 --head-layers 2 --predictor-hidden 16"
CORES: Mapping[str, str] = {
  "transformer": "--core transformer --core.window 16 --core-size 64",
  "gru": "--core gru --core-size 116",
}
"""By name, at equal parameters of core and heads: 109,472 and 109,740."""
BATCH = 64
EPISODES = 1024
"""Of each split, in an evaluation."""
SPLITS = ("in_context", "swapped", "in_weights")


class World(NamedTuple):
  """A world, and how long it is learned.

  Attributes:
    args: settings of `sequences/bursty`.
    updates: of the longest row.
    early: update at which it is scored besides.
  """

  args: str
  updates: int
  early: int = 0
  pairs: int = 8


WORLDS: Mapping[str, World] = {
  "1024 classes, 4 of each": World("", 3000, 1000),
  "2 of each": World("burstiness=2", 3000, 1000),
  "1 of each": World("burstiness=1", 6000, 2000),
  "not bursty": World("p_bursty=0", 3000, 1000),
  "64 classes": World("classes=64", 3000, 1000),
  "Zipf's exponent 1": World("exponent=1", 6000, 2000),
  "exponent 1, half bursty": World("exponent=1 p_bursty=.5", 6000, 1000),
  "labels that change": World("labels_change=true", 3000, 1000),
  "glyphs": World("items=glyphs classes=2048", 4000, 2000),
}


def words(world: World, core: str) -> str:
  """Flags of `rarebird train` for a world and a core, a name of `CORES` or flags."""
  args = f"--env-args {world.args}" if world.args else ""
  data = f"--unroll-length {world.pairs + 2} --batch-size {BATCH}"
  return f"--env sequences/bursty {args} {data} {LEARN} {NETWORK} {CORES.get(core, core)}"


def arm(world: World, core: str) -> Callable[[Sequence[int]], list[Row]]:
  """An arm: a world learned with a core."""

  def run(seeds: Sequence[int]) -> list[Row]:
    rows: list[Row] = [{"updates": world.updates} for _ in seeds]
    for i, done in enumerate(lab.training(words(world, core), seeds, world.updates), 1):
      early = i * lab.CALL == world.early
      if not early and i * lab.CALL < world.updates:
        continue
      scores = lab.scores(done, seeds, EPISODES)
      for seed, row in enumerate(rows):
        told = {f"{name}_early" if early else name: float(scores[name][seed]) for name in SPLITS}
        row |= told | {"train_early" if early else "train": float(scores["train"][seed])}
    return rows

  return run


PERCENT = "{:.0%}"
CLAIMS: Mapping[str, Claim] = {
  "bursty": Claim(
    "bursty and many rare classes (arXiv 2205.05055) teach attention to read the context",
    {f"{name}, {core}": arm(world, core) for name, world in WORLDS.items() for core in CORES},
    {
      "updates": "{:.0f}",
      "train": PERCENT,
      **dict.fromkeys(SPLITS, PERCENT),
      **{f"{name}_early": PERCENT for name in ("in_context", "in_weights")},
    },
  )
}
