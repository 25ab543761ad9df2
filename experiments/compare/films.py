"""Film strips of a finished cell: an episode of its best seed and of its median one."""

from __future__ import annotations

import base64
from typing import Any

import jax
import numpy as np

from envs.environment import Environment
from experiments.evaluation import clip_frames, clips
from experiments.evaluation.clip_frames import NoClip
from experiments.runs.experiment import Experiment

Row = dict[str, Any]


def chosen(scores: list[float]) -> dict[str, int]:
  """The seeds that are shown, as indices; of an even number the better of the two in the middle."""
  order = np.argsort(-np.asarray(scores), kind="stable")
  return {"best": int(order[0]), "median": int(order[(len(order) - 1) // 2])}


def rows(experiment: Experiment, variables: Any, finals: list[Row]) -> list[Row]:
  """Rows of films.jsonl; none of an environment that draws no pictures.

  Args:
    experiment: of the cell.
    variables: the agents', with a leading axis of seeds.
    finals: the scores of the seeds, in that order.
  """
  env, agent = experiment.env, experiment.agent
  assert isinstance(env, Environment)
  try:
    play = clips.player(next(iter(env.splits().values())), agent)
  except NoClip:
    return []
  found, strips = [], {}
  for which, index in chosen([row["score"] for row in finals]).items():
    if index not in strips:
      episode = play(agent.on_task(jax.tree.map(lambda x, i=index: x[i], variables)))
      png = base64.b64encode(clip_frames.strip(episode)).decode()
      strips[index] = {
        "seed": finals[index]["seed"],
        "return": float(episode.returns[-1]),
        "length": episode.length,
        "success": episode.success,
        "png": png,
      }
    found.append({"which": which} | strips[index])
  return found
