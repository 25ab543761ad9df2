"""The model card of a run that is handed on: what it is, its scores, and how it is used."""

from __future__ import annotations

import json
import re
from typing import Any

LICENCE = re.compile(r"^licen[cs]e: *(\S+) *$", re.M)


def write(
  name: str, config: dict[str, Any], scores: Any, licence: str, note: str, step: int
) -> str:
  """The card as Markdown, its head as hubs read it.

  Args:
    name: of the folder.
    config: as config.json has it.
    scores: as results.json has them, or None.
    licence: SPDX, as in "Apache-2.0".
    note: words of the one who hands it on.
    step: updates of the checkpoint.
  """
  agent = config["agent"]
  bonus = agent.get("bonus", {}).get("name", "none")
  head = [
    "---",
    f"license: {licence.lower()}",
    "library_name: rarebird",
    "pipeline_tag: reinforcement-learning",
    "tags:",
    *(f"  - {json.dumps(tag)}" for tag in ("rarebird", config["env"], bonus)),
    "---",
  ]
  settings = " ".join([config["env"], *config["env_args"]])
  lines = [
    *head,
    "",
    f"# {name}",
    "",
    f"Agent `{config['agent_name']}`, bonus `{bonus}`, trained in `{settings}` by Rarebird:"
    f" {config['steps']:,} steps of each of {config['seeds']} seeds from {config['seed']}, the"
    f" checkpoint of update {step:,}.",
    *(["", note] if note else []),
    *_scores(scores),
    "",
    "```",
    "rarebird pull FOLDER runs/NAME",
    "rarebird evaluate runs/NAME",
    "rarebird play runs/NAME",
    "```",
    "",
    "Arrays, JSON and pictures; nothing in it is executed. `manifest.json` has the SHA-256 of every"
    " file, `config.json` every setting.",
  ]
  return "\n".join(lines) + "\n"


def _scores(scores: Any) -> list[str]:
  """Success and return of each split, mean over the seeds, where there are any."""
  if not isinstance(scores, dict):
    return []
  rows = [
    f"| {split} | {name} | {values[0]:.3f} | {values[1]:.3f} to {values[2]:.3f} |"
    for split, told in scores.items()
    for name, values in told.items()
    if isinstance(values, list) and len(values) == 3
  ]
  head = "| split | score | mean | 95% interval |\n|---|---|---|---|"
  return ["", head, *rows] if rows else []


def licence_of(card: str) -> str:
  """The licence that a card names in its head, or ""."""
  head = card.split("---")[1] if card.startswith("---") and card.count("---") > 1 else ""
  match = LICENCE.search(head)
  return match[1] if match else ""
