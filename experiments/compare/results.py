"""The rows of data that a finished cell leaves."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from envs import capabilities
from envs.capabilities import HasPlaces, HasRanks
from envs.environment import Environment
from experiments.acting import coverage
from experiments.compare import discovery, instruments, scores
from experiments.compare.runner import one_seed, seconds
from experiments.evaluation import probe_data
from experiments.evaluation.links import Reached
from experiments.evaluation.ranks import Ranked
from experiments.runs.experiment import Experiment
from experiments.runtimes.on_device import Carry

Row = dict[str, Any]
INSTRUMENTS_SEED = 2_000_000
"""Of the replay and of the decoder, away from those of training and evaluation."""
PROBE_SEED = 4_000_000
"""Of the probes' episodes and of their split."""
PROBE_EPISODES = 512
"""Of each seed's probes."""


def curves(log: list[Row], experiment: Experiment) -> list[Row]:
  """Rows of curves.jsonl: every log row, with its score; what was paid is `bonus_paid`."""
  assert isinstance(experiment.env, Environment)
  found = []
  for seed in _seeds(experiment):
    own = scores.rows_of(log, seed)
    for row, score in zip(own, scores.curve(own, experiment.env), strict=True):
      paid = {"bonus_paid" if name == "bonus" else name: x for name, x in row.items()}
      found.append(paid | {"score": score})
  return found


def finals(
  log: list[Row],
  experiment: Experiment,
  state: Carry,
  evaluated: list[Row],
  points: int,
  compiled: tuple[float, int],
  command: str,
) -> list[Row]:
  """Rows of finals.jsonl, one a seed; the cost is of the program that trains all of them.

  Args:
    log: rows of the run.
    experiment: of the cell.
    state: after training.
    evaluated: scores of that state, one a seed.
    points: of a whole curve; one that stopped where it was solved goes on as it ended.
    compiled: seconds that the program took to compile, and its bytes.
    command: that makes the run.
  """
  env = experiment.env
  assert isinstance(env, Environment)
  what, places = scores.metric(env), capabilities.places(env)
  split = "train" if "train" in env.splits() else next(iter(env.splits()))
  spent = seconds(log, experiment)
  cost = {
    "seconds": spent,
    "compile_seconds": compiled[0],
    "memory_bytes": compiled[1],
    "steps_per_second": len(log) * experiment.steps(experiment.config.log_updates) / spent,
    "command": command,
  }
  found = []
  for index, seed in enumerate(_seeds(experiment)):
    own = scores.rows_of(log, seed)
    curve = scores.curve(own, env)
    row: Row = {
      "seed": seed,
      "return": evaluated[index][f"eval/{split}/return"],
      "success": evaluated[index].get(f"eval/{split}/success"),
      "auc": scores.area(curve + curve[-1:] * (points - len(curve))),
      "steps": own[-1]["step"],
      "solved_at": scores.solved_at(curve, [row["step"] for row in own], env),
    }
    if places is not None:
      seen = jax.device_get(one_seed(state.coverage, index))
      first = np.where(seen.first_visit == coverage.NEVER, -1, seen.first_visit)
      row |= scores.covered(seen.visits, places)
      row |= {"visits": seen.visits.tolist(), "first_visit": first.tolist()}
    row["score"] = scores.share(row["return"], env) if what == "return" else row[what]
    found.append(row | cost)
  return found


def with_ranks(rows: list[Row], ranked: Ranked | None) -> list[Row]:
  """The rows of finals.jsonl with success or score by rank of each seed, where there are ranks."""
  if ranked is None:
    return rows
  shares = ranked.to_json()
  return [
    row | {"ranks": {name: found[ranked.what][i] for name, found in shares.items()}}
    for i, row in enumerate(rows)
  ]


def with_links(rows: list[Row], reached: Reached | None) -> list[Row]:
  """The rows of finals.jsonl with the links of chains that each seed reached, where there are any:
  by chain and link, the share of episodes."""
  if reached is None:
    return rows
  return [
    row
    | {
      "links": {
        chain: {link: shares["agent"][i] for link, shares in links.items()}
        for chain, links in reached.items()
      }
    }
    for i, row in enumerate(rows)
  ]


def with_probes(rows: list[Row], experiment: Experiment, state: Carry) -> list[Row]:
  """The rows of finals.jsonl with the linear probe's accuracy from each seed's latents, of what the
  environment tells; the same rows where it tells nothing."""
  env, agent = experiment.env, experiment.agent
  assert isinstance(env, Environment)
  if agent.encode is None or not isinstance(env, HasRanks | HasPlaces):
    return rows
  split = env.splits()[probe_data.probed_split(env)]
  # Chance plays, so that variants differ in their encoders, not in where they went.
  play = probe_data.player(split, agent, PROBE_EPISODES, at_random=True)
  play_key, fresh_key = jax.random.split(jax.random.key(PROBE_SEED))
  fresh, probed = agent.init(fresh_key), []
  for index, row in enumerate(rows):
    played = jax.device_get(play(one_seed(state.learner, index), fresh, play_key))
    probed.append(row | {"probes": probe_data.brief(split, played, PROBE_SEED)})
  return probed


def inspect(experiment: Experiment, state: Carry, ranked: Ranked | None) -> Row:
  """The row of instruments.jsonl: of the first seed, and of random play by rank."""
  env, agent = experiment.env, experiment.agent
  assert isinstance(env, Environment)
  one = one_seed(state, 0)
  play_key, decoder_key = jax.random.split(jax.random.key(INSTRUMENTS_SEED))
  replay = jax.device_get(instruments.player(env, agent)(one, play_key))
  places = capabilities.places(env)
  visits = None if places is None else np.asarray(one.coverage.visits)
  row = {"seed": experiment.config.seed} | instruments.measure(replay, visits, places)
  if ranked is not None:
    row["random_by_rank"] = {name: found["random"] for name, found in ranked.to_json().items()}
  row["discovery_loss"] = None
  if places is not None and jax.tree.leaves(replay.beliefs):
    row["discovery_loss"] = discovery.loss(
      replay.beliefs, replay.oracle.objects, len(places.reachable), decoder_key
    )
  return row


def _seeds(experiment: Experiment) -> range:
  return range(experiment.config.seed, experiment.config.seed + experiment.config.seeds)
