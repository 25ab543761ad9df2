"""What probes are made of: an agent's latents and beliefs beside what the environment tells.

Episodes are played in compiled programs, one in each environment, and a few steps of each are kept
at random. Beside the agent's features stand those of a fresh agent, of the same networks and
untrained, at the same steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.agent import Agent
from agents.trajectory import Trajectory
from envs import capabilities
from envs.auto_reset import AutoReset
from envs.capabilities import HasRanks
from envs.environment import Environment
from envs.observation import legal
from envs.random_action import random_action
from experiments.acting import rollout
from experiments.acting.policy import ActingPolicy, AgentPolicy
from experiments.evaluation import probes
from experiments.evaluation.probes import Features, Labels

AGENT, FRESH = "agent", "fresh"
LATENTS, BELIEFS = "latents", "beliefs"
SPLIT = "uniform"
"""Where every rank is drawn alike; where there is none, the first split is played."""
LONGEST = 100
"""Steps of an episode that are looked at."""
KEPT = 4
"""Steps of an episode that are kept; more say little that is new."""
PARALLEL = 64
"""Environments side by side, whose observations lie in memory."""
LEAST_EPISODES = 10
"""In which a place or room must occur to be a class."""

Row = dict[str, Any]


class Played(NamedTuple):
  """KEPT steps of E episodes.

  Attributes:
    features: by name and by whose they are, `now` and `after` [E, KEPT, D].
    follows: bool [E, KEPT], whether `after` is of the same episode.
    ranks: int32 [E, KEPT, R]; () of an environment without.
    place: int32 [E, KEPT]; () of an environment without places.
  """

  features: dict[str, dict[str, tuple[Any, Any]]]
  follows: Any
  ranks: Any
  place: Any


@dataclasses.dataclass(frozen=True)
class Wandering(AgentPolicy):
  """Draws actions evenly; the rest of what a trajectory holds is as the agent has it."""

  spec: Any = None

  def act(
    self, variables: Any, memory: Any, timestep: Any, key: jax.Array
  ) -> tuple[jax.Array, Any, Any]:
    action_key, key = jax.random.split(key)
    _, extras, memory = super().act(variables, memory, timestep, key)
    mask = legal(timestep.observation)
    return random_action(self.spec, action_key, timestep.step_type.shape, mask), extras, memory

  def __hash__(self) -> int:
    return hash((self.agent, self.explore))


def probed_split(env: Environment) -> str:
  """The name of the split whose episodes are played."""
  splits = env.splits()
  return SPLIT if SPLIT in splits else next(iter(splits))


def player(
  env: Environment, agent: Agent, episodes: int, at_random: bool = False
) -> Callable[[Any, Any, jax.Array], Played]:
  """Returns a jitted (learner state, a fresh one, key) -> Played of at least so many episodes.

  Args:
    env: without auto-reset.
    agent: whose features are taken.
    episodes: rounded up to whole rounds of PARALLEL.
    at_random: whether chance plays, not the agent.
  """
  stream = AutoReset(env)
  policy = Wandering(agent, spec=env.action_spec()) if at_random else AgentPolicy(agent)
  length, rounds = min(env.max_episode_steps, LONGEST), -(-episodes // PARALLEL)

  @jax.jit
  def play(learner: Any, fresh: Any, key: jax.Array) -> Played:
    keys = jax.random.split(key, rounds)
    found = jax.lax.map(lambda k: _round(stream, policy, agent, learner, fresh, length, k), keys)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)

  return play


def _round(
  stream: AutoReset,
  policy: ActingPolicy,
  agent: Agent,
  learner: Any,
  fresh: Any,
  length: int,
  key: jax.Array,
) -> Played:
  """PARALLEL episodes: the first of each environment, as far as it goes in `length` steps."""
  start_key, act_key, pick_key = jax.random.split(key, 3)
  variables = agent.on_task(agent.variables(learner))

  def told(carry: tuple, taken: rollout.Step) -> tuple[tuple, Any]:
    if isinstance(stream, HasRanks):
      return carry, jax.vmap(stream.ranks)(taken.before.env_state)
    return carry, ()

  acting = rollout.start(stream, policy, PARALLEL, start_key)
  keys = jax.random.split(act_key, length)
  _, trajectory, _, ranks = rollout.unroll(stream, policy, variables, acting, keys, told)
  inside = jnp.cumsum(trajectory.first, axis=0) == 1
  steps = jnp.sum(inside[:-1], axis=0)
  chosen = jax.random.uniform(pick_key, (KEPT, PARALLEL)) * steps
  chosen = jnp.minimum(chosen.astype(jnp.int32), steps - 1)

  def pick(x: Any, index: jax.Array = chosen) -> Any:
    return jax.tree.map(lambda leaf: leaf[index, jnp.arange(PARALLEL)], x)

  features = {
    name: {
      whose: (read(state, trajectory, pick, chosen), read(state, trajectory, pick, chosen + 1))
      for whose, state in ((AGENT, learner), (FRESH, fresh))
    }
    for name, read in _readers(agent).items()
  }
  place = trajectory.oracle.place if trajectory.oracle != () else ()
  played = Played(features, pick(inside, chosen + 1), pick(ranks), pick(place))
  return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), played)


def _readers(agent: Agent) -> dict[str, Callable[[Any, Trajectory, Any, jax.Array], jax.Array]]:
  """What an agent has to be probed: (learner state, trajectory, pick, index) -> [KEPT, B, D]."""
  found: dict[str, Callable[[Any, Trajectory, Any, jax.Array], jax.Array]] = {}
  if (encode := agent.encode) is not None:
    found[LATENTS] = lambda state, path, pick, i: encode(state, pick(path.observation, i))
  if agent.probe is not None and (beliefs := agent.probe.beliefs) is not None:
    found[BELIEFS] = lambda state, path, pick, i: pick(beliefs(state, path), i)
  return found


def labels(env: Environment, played: Played) -> list[Labels]:
  """What there is to read in what was played, as NumPy arrays, of which two classes occur."""
  found = []
  if isinstance(env, HasRanks):
    for i, (name, size) in enumerate(env.rank_names().items()):
      found.append(Labels(name, played.ranks[..., i], size))
  places = capabilities.places(env)
  if places is not None:
    found.append(by_frequency("place", played.place))
    if len(np.unique(places.rooms[places.rooms >= 0])) > 1:
      found.append(by_frequency("room", places.rooms[played.place]))
  return [each for each in found if each.classes > 1]


def by_frequency(name: str, values: np.ndarray) -> Labels:
  """Labels of what lies in enough episodes, the most frequent first; values [E, K], -1 for none."""
  kinds, inverse = np.unique(values, return_inverse=True)
  inverse = inverse.reshape(values.shape)
  counts = np.bincount(inverse.ravel(), minlength=len(kinds))
  episodes = np.array([(inverse == i).any(axis=1).sum() for i in range(len(kinds))])
  order = [i for i in np.argsort(-counts, kind="stable") if kinds[i] >= 0]
  order = [i for i in order if episodes[i] >= LEAST_EPISODES]
  number = np.full(len(kinds), -1)
  number[order] = np.arange(len(order))
  return Labels(name, number[inverse], len(order))


def measure(
  env: Environment, played: Played, seed: int, way: int, shots: int
) -> tuple[list[Row], list[Row]]:
  """All probes of what was played, as NumPy arrays.

  Returns:
    A row for each label, feature and whose it is; and one for each feature and whose it is, with
    its geometry.
  """
  accuracies, geometries = [], []
  told = labels(env, played)
  train = probes.split(len(played.follows), seed)
  for name, by_owner in played.features.items():
    for whose, (now, after) in by_owner.items():
      geometry = probes.geometry(Features(now, after, played.follows))
      geometries.append({"features": name, "encoder": whose, **geometry})
      for each in told:
        rare = np.arange(max(each.classes - probes.ENDS, each.classes // 2), each.classes)
        few = probes.few_shot(now, each, train, way, shots, seed)
        few_rare = probes.few_shot(now, each, train, way, shots, seed, rare)
        accuracies.append(
          {
            "label": each.name,
            "features": name,
            "encoder": whose,
            **linear(now, each, train, seed),
            "few_shot": few,
            "few_shot_rare": few_rare,
            "retrieval": probes.retrieval(now, each, train, seed).all,
          }
        )
  return accuracies, geometries


def linear(features: np.ndarray, each: Labels, train: np.ndarray, seed: int) -> Row:
  """The linear probe of features [E, K, D] in numbers that JSON holds."""
  found = probes.linear(features, each, train, seed)
  by_rank = [None if np.isnan(x) else round(float(x), 4) for x in found.by_rank]
  means = {name: getattr(found, name) for name in ("all", "common", "rare", "steps")}
  return {"classes": each.classes, "chance": 1 / each.classes, "by_rank": by_rank} | means


def brief(env: Environment, played: Played, seed: int) -> dict[str, Row]:
  """The cheap part of `measure`: linear probes of the latents, by label; of places only of rooms,
  where there are some. `untrained` is the fresh agent's accuracy of all classes."""
  told = labels(env, played)
  if len(told) > 1:
    told = [each for each in told if each.name != "place"]
  train, latents, found = probes.split(len(played.follows), seed), played.features[LATENTS], {}
  for each in told:
    row = linear(latents[AGENT][0], each, train, seed)
    untrained = linear(latents[FRESH][0], each, train, seed)["all"]
    found[each.name] = row | {"untrained": untrained}
  return found
