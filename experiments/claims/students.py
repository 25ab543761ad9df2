"""What a student learns from a teacher: contrast against logits for a smaller one, and born again.

The task is zipf/gridworld-symbolic of exponent 2, which all learn by the same objective; the
teacher's losses come beside it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from agents.agent import Teacher
from experiments.claims import lab
from experiments.claims.claim import Claim, Row
from experiments.claims.lab import Trained

WORLD = "--env zipf/gridworld-symbolic --env-args exponent=2"
PPO = (
  "--objective ppo --objective.epochs 2 --objective.minibatches 2 --objective.clip 0.2 --horizon 1"
)
LITTLE = (
  "--torso patch --torso.hidden 16 --torso.cell-features 4 --head-hidden 16 --predictor-hidden 16"
  " --latent-size 16 --core-size 16 --batch-size 32"
)
TAUGHT = {
  "alone": "",
  "kd": "--auxiliary kd",
  "crd": "--auxiliary crd",
  "both": "--auxiliary kd crd",
}
TEACHER_UPDATES, UPDATES = 2000, 600
GENERATIONS = 4
TEACHER_SEED = 100


def _rows(done: Trained) -> list[Row]:
  """Probes, and the success of the training episodes of the last call."""
  rows = lab.probed(done, ("map", "room"))
  known = np.maximum(done.metrics["success_known"], 1)
  success = done.metrics["success_sum"] / known
  return [row | {"success": float(share)} for row, share in zip(rows, success, strict=True)]


def _as_teacher(done: Trained) -> Teacher:
  """The first seed's agent."""
  state = jax.device_get(jax.tree.map(lambda x: x[0], done.learners))
  return Teacher(done.agent, state, done.env)


@functools.cache
def teacher() -> Trained:
  """The one teacher of all small students."""
  words = f"{WORLD} {lab.SMALL} {PPO} --bonus byol_explore"
  return lab.trained(words, (TEACHER_SEED,), TEACHER_UPDATES, lab.world(WORLD))


def _of_teacher(seeds: Sequence[int]) -> list[Row]:
  return _rows(teacher()) * len(seeds)


def _student(words: str, seeds: Sequence[int]) -> list[Row]:
  asked = f"{WORLD} {LITTLE} {PPO} --bonus none {words}"
  known = _as_teacher(teacher()) if words else None
  return _rows(lab.trained(asked, seeds, UPDATES, lab.world(WORLD), known))


@functools.cache
def _born(generation: int, seeds: tuple[int, ...]) -> Trained:
  """Agents of a generation, which learn from the first seed's of the one before."""
  words = f"{WORLD} {lab.SMALL} {PPO} --bonus none"
  if not generation:
    return lab.trained(words, seeds, UPDATES, lab.world(WORLD))
  before = _as_teacher(_born(generation - 1, seeds))
  return lab.trained(f"{words} {TAUGHT['both']}", seeds, UPDATES, lab.world(WORLD), before)


def _generation(number: int, seeds: Sequence[int]) -> list[Row]:
  return _rows(_born(number, tuple(seeds)))


COLUMNS = {"success": "{:.0%}", "map": "{:.0%}", "room": "{:.0%}", "effective_rank": "{:.1f}"}
CLAIMS: Mapping[str, Claim] = {
  "students": Claim(
    "CRD (arXiv 1910.10699) is above KD for a smaller student",
    {"teacher": _of_teacher}
    | {name: functools.partial(_student, words) for name, words in TAUGHT.items()},
    COLUMNS,
  ),
  "born_again": Claim(
    "born-again networks (RFS, arXiv 2003.11539): a second generation is above the first",
    {
      f"generation {number}": functools.partial(_generation, number)
      for number in range(GENERATIONS)
    },
    COLUMNS,
  ),
}
