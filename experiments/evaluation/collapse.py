"""Says in plain words that a representation has collapsed, from a row of the log."""

from __future__ import annotations

from collections.abc import Sequence

from agents.world_model.diagnostics import COLLAPSED_COSINE
from experiments.runs.rows import Row

LEAST_PROTOTYPES = 2.0
"""Prototypes that must be in use, on average over the updates of a row."""


def warning(rows: Sequence[Row], auxiliaries: Sequence[str]) -> str:
  """One line if a latent that is trained has collapsed, else nothing.

  Args:
    rows: of one log interval, one a seed.
    auxiliaries: names of the losses that may train the latent; of those a row does not tell, none
      does.
  """
  for row in rows:
    trained = [name for name in auxiliaries if f"{name}_loss" in row]
    if trained and row.get("collapsed"):
      return (
        f"warning: the latents of seed {row['seed']:.0f} have collapsed, {_how(row)} (effective"
        f" rank {row['effective_rank']:.1f}, standard deviation {row['std']:.2f} of 1, mean cosine"
        f" {row['cosine']:.2f}): {_consequence(trained)}."
      )
    for name in trained:
      used = row.get(f"{name}_prototypes_used", LEAST_PROTOTYPES)
      if used < LEAST_PROTOTYPES:
        return (
          f"warning: the prototypes of {name} have collapsed, seed {row['seed']:.0f}: all steps"
          f" fall to {used:.1f} of them, so that the loss tells none from another."
        )
  return ""


def _how(row: Row) -> str:
  """What the latents look like."""
  return "to nearly one point" if row["cosine"] > COLLAPSED_COSINE else "to a line"


def _consequence(trained: Sequence[str]) -> str:
  if "byol" in trained:
    return "they tell no observation from another, and a bonus of the world model means nothing"
  return f"they tell no observation from another, whatever {' and '.join(trained)} reports"
