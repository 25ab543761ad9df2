"""A policy handed to a student of a quarter of the size, by its own states or by those of chance.

The teacher is trained here, by the objective that fits its world, then frozen. Students act and
learn from its distribution alone (`policy_kl`), in as many updates; beside them one of their size
that learns as the teacher did, for as long. What is told is success by the policies' modes.
Source: Gemma 2 (arXiv 2408.00118), section 3; Agarwal et al. 2023 (arXiv 2306.13649).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import jax

from agents.agent import Teacher
from experiments.claims import lab
from experiments.claims.claim import Claim, Row

WORLD = "--env deep_sea --env-args size=10 --batch-size 16 --unroll-length 10 --torso mlp"
LARGE = "--torso.hidden 64 --latent-size 64 --core-size 64 --predictor-hidden 64 --head-hidden 64"
SMALL = "--torso.hidden 16 --latent-size 16 --core-size 16 --predictor-hidden 16 --head-hidden 16"
"""A quarter of the units of every layer."""
ALONE = (
  "--bonus byol_explore --bonus-weight 0.01 --normaliser-decay 0.999 --horizon 1 --objective ppo"
  " --objective.epochs 2 --objective.minibatches 2 --objective.clip 0.2"
)
"""As in the recipe deep_sea_20."""
TEACHING, LEARNING = 2000, 250
"""Updates of the teacher, and of a student."""
EPISODES = 256
TAUGHT = "--bonus none --objective none --objective.taught --auxiliary policy_kl"
ARMS: Mapping[str, str] = {
  "reverse, on policy": "",
  "forward, on policy": "--auxiliary.policy_kl.direction forward",
  "reverse, chance acts": "--objective.acts chance",
  "forward, chance acts": "--auxiliary.policy_kl.direction forward --objective.acts chance",
}


@functools.cache
def teacher(seed: int) -> tuple[Teacher, float]:
  """A trained agent and its success."""
  done = lab.trained(f"{WORLD} {LARGE} {ALONE}", [seed], TEACHING)
  success = lab.scores(done, [seed], EPISODES)["train"][0]
  state = jax.device_get(jax.tree.map(lambda x: x[0], done.learners))
  return Teacher(done.agent, state, done.env), float(success)


def _student(words: str) -> Callable[[Sequence[int]], list[Row]]:
  def run(seeds: Sequence[int]) -> list[Row]:
    known, success = teacher(0)  # one for all, so that students differ in their own seed alone
    done = lab.trained(f"{WORLD} {SMALL} {TAUGHT} {words}", seeds, LEARNING, teacher=known)
    scores = lab.scores(done, seeds, EPISODES)["train"]
    rows: list[Row] = [{"success": float(x), "of_teacher": float(x) / success} for x in scores]
    return lab.with_metrics(rows, done, ("policy_kl_loss", "policy_kl_agreement"))

  return run


def _alone(size: str, updates: int) -> Callable[[Sequence[int]], list[Row]]:
  def run(seeds: Sequence[int]) -> list[Row]:
    done = lab.trained(f"{WORLD} {size} {ALONE}", seeds, updates)
    return [{"success": float(x)} for x in lab.scores(done, seeds, EPISODES)["train"]]

  return run


CLAIMS: Mapping[str, Claim] = {
  "distillation": Claim(
    "a student of a quarter of the size has its teacher's success sooner than it learns alone",
    {
      "teacher's size, alone": _alone(LARGE, TEACHING),
      "student's size, alone": _alone(SMALL, LEARNING),
      "student's size, alone, as long": _alone(SMALL, TEACHING),
      **{name: _student(words) for name, words in ARMS.items()},
    },
    {
      "success": "{:.0%}",
      "of_teacher": "{:.0%}",
      "policy_kl_loss": "{:.3f}",
      "policy_kl_agreement": "{:.0%}",
    },
  )
}
