"""The stages before the policy: latents, reachability, the memory of nodes, and their graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from dm_env import specs

from agents.fresh import FreshConfig
from agents.offline import encoder as encoders
from agents.offline import graph as offline_graph
from agents.offline.graph import Edges, Ways
from agents.reachability import goal_memory, network, pairs
from agents.reachability.goal_memory import DIRECTIONS, GoalMemory
from envs.goals.goal_environment import GoalEnvironment
from experiments.datasets.dataset import Dataset
from experiments.offline.stage_files import Result, flat, unflat
from experiments.settings.errors import UserError

Tick = Callable[[float, str], None]
"""Told how much of a stage is done, 0 to 1, and a few words."""
UPDATES = 50
"""Of a network in one call of a compiled program."""
CHUNK = 8192
"""States that a network reads at a time."""
CANDIDATES = 256
"""Observations that are shown to the memory at a time."""
NODES = 128
"""Nodes that are compared with all at a time."""
PAIRS = 50_000
"""Of nodes whose distances are compared with the true ones."""


def in_chunks(call: Callable[..., Any], size: int, *arrays: Any) -> np.ndarray:
  """`call` of the rows of arrays, or of trees of them, so many at a time and always as many, as one
  array."""
  out = []
  rows = len(jax.tree.leaves(arrays)[0])
  for begin in range(0, rows, size):
    short = max(begin + size - rows, 0)

    def part(x: np.ndarray, begin: int = begin, short: int = short) -> np.ndarray:
      taken = x[begin : begin + size]
      return np.concatenate([taken, np.repeat(taken[:1], short, axis=0)])

    padded = jax.tree.map(part, arrays)
    out.append(np.asarray(call(*padded))[: size - short])
  return np.concatenate(out)


class Discovery:
  """The networks for a dataset, and the stages that train and use them.

  Attributes:
    firsts: int64 [E + 1], the row of the first observation of each episode, and their number.
  """

  def __init__(self, config: FreshConfig, dataset: Dataset, seed: int):
    self.config, self.dataset, self.seed = config, dataset, seed
    self.firsts = dataset.starts + np.arange(len(dataset.starts))
    self.encoder = encoders.build(config.encoder, dataset.observation_spec(), dataset.action_spec())
    self.net = network.build(config.reachability, self.encoder.size)
    like = jax.eval_shape(self.encoder.init, jax.random.key(0)).target
    self._like = (like, jax.eval_shape(self.net.init, jax.random.key(0)))
    self._params: Any = None
    self.temperature = 1.0

    @jax.jit
    def features(params: Any, views: jax.Array) -> jax.Array:
      return self.net.features(params[1], self.encoder.encode(params[0], views))

    @jax.jit
    def latents(params: Any, views: jax.Array) -> jax.Array:
      return self.encoder.encode(params[0], views)

    @functools.partial(jax.jit, static_argnames="direction")
    def nearest(params: Any, memory: GoalMemory, x: jax.Array, direction: Any) -> jax.Array:
      logits = functools.partial(self.net.logits, params[1])
      return goal_memory.nearest(memory, x, logits, direction)

    self._features, self._latents, self._nearest = features, latents, nearest

  def key(self, stage: int) -> jax.Array:
    """What a stage draws with in JAX."""
    return jax.random.fold_in(jax.random.key(self.seed), stage)

  def rng(self, stage: int) -> np.random.Generator:
    """What a stage draws with on the host."""
    return np.random.default_rng([self.seed, stage])

  def use(self, latents: Result | None, reachability: Result) -> None:
    """Takes the networks from the results of their stages."""
    target = unflat("target", self._like[0], latents.arrays) if latents else ()
    params = target, unflat("params", self._like[1], reachability.arrays)
    self._params = jax.device_put(params)
    self.temperature = float(reachability.arrays["temperature"])

  def features(self, rows: np.ndarray) -> np.ndarray:
    """The network's features of stored observations, float32 [P, F]."""
    call = functools.partial(self._features, self._params)
    return in_chunks(lambda rows: call(self.dataset.observed(rows)), CHUNK, rows)

  def features_of(self, views: np.ndarray) -> np.ndarray:
    """The network's features of views [P, *O], float32 [P, F]."""
    return in_chunks(functools.partial(self._features, self._params), CHUNK, views)

  def latents(self, rows: np.ndarray) -> jax.Array:
    """What the network reads of stored observations [...], float32 [..., N]."""
    return self._latents(self._params, self.dataset.observed(rows))

  def nearest_of(self, memory: GoalMemory, marks: np.ndarray) -> np.ndarray:
    """out(x) of features [P, F], int32 [P]."""
    call = functools.partial(self._nearest, self._params, memory)
    return in_chunks(lambda marks: call(marks, "out_of"), CHUNK, marks)

  def logits(self, sources: Any, targets: Any) -> np.ndarray:
    """Logits of ways from features to features, all [P, F], float32 [P]."""
    return np.asarray(self.net.logits(self._params[1], sources, targets))

  def all_logits(self, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Logits of ways from each of features [S, F] to each of [M, F], float32 [S, M]."""
    call = jax.jit(functools.partial(self.net.all_logits, self._params[1]))
    return in_chunks(lambda some: call(some, targets), NODES, sources)

  def nearest(self, memory: GoalMemory, rows: np.ndarray, direction: str) -> np.ndarray:
    """in(x) or out(x) of stored observations, int32 [P]; `direction` as for `goal_memory`."""

    def call(rows: np.ndarray) -> jax.Array:
      marks = self._features(self._params, self.dataset.observed(rows))
      return self._nearest(self._params, memory, marks, direction)

    return in_chunks(call, min(CHUNK, 1 << (len(rows) - 1).bit_length()), rows)

  def train_encoder(self, tick: Tick) -> Result:
    """The world model's encoder, by BYOL on sequences of the dataset."""
    own, data, rng = self.config.encoder, self.dataset, self.rng(0)
    update = self.encoder.update
    assert update is not None
    long = np.flatnonzero(data.lengths >= own.encoder_length)
    if not long.size:
      raise UserError(
        f"{data.path}: no episode has {own.encoder_length} steps; give a smaller --encoder-length."
      )

    @functools.partial(jax.jit, donate_argnums=0)
    def learn(state: Any, views: jax.Array, actions: jax.Array) -> tuple[Any, jax.Array]:
      state, history = jax.lax.scan(lambda state, x: update(state, *x), state, (views, actions))
      return state, history["byol_loss"]

    state = jax.tree.map(jnp.copy, self.encoder.init(self.key(0)))
    history: list[float] = []
    for count in calls(own.encoder_updates):
      episode = rng.choice(long, (count, 1, own.encoder_batch))
      offset = rng.integers(data.lengths[episode] - own.encoder_length + 1)
      time = offset + np.arange(own.encoder_length + 1)[:, None]
      views = data.observed(self.firsts[episode] + time)
      # The last action is a place-holder; past an episode's end any will do.
      done = np.minimum(data.starts[episode] + time, data.steps - 1)
      state, losses = learn(state, views, data.action[done])
      history += np.asarray(losses).tolist()
      tick(len(history) / own.encoder_updates, f"BYOL loss {history[-1]:.3f}")
    report = {"byol_loss": float(np.mean(history[-100:])), "updates": len(history)}
    return Result(flat("target", state.target), report)

  def train_reachability(self, latents: Result | None, tick: Tick) -> Result:
    """The reachability network, and its temperature on episodes that it was not trained on."""
    own, config = self.config.training, self.config.reachability
    rng, episodes = self.rng(1), len(self.dataset)
    if episodes < 2:
      raise UserError(f"{self.dataset.path} has one episode; reachability needs another.")
    target = unflat("target", self._like[0], latents.arrays) if latents else ()
    order = rng.permutation(episodes)
    held_out = max(1, round(own.held_out_share * episodes))
    held_out = min(held_out, episodes - 1)
    optimiser = network.optimiser(config)

    def loss(reach: Any, views: jax.Array, label: jax.Array, weight: jax.Array) -> Any:
      source, goal = self.net.features(reach, self.encoder.encode(target, views))
      return network.loss(self.net.logits(reach, source, goal), label, weight)

    @functools.partial(jax.jit, donate_argnums=0)
    def learn(state: Any, batches: Any) -> tuple[Any, Any]:
      def step(state: Any, batch: Any) -> tuple[Any, Any]:
        reach, optimiser_state = state
        gradient, metrics = jax.grad(loss, has_aux=True)(reach, *batch)
        change, optimiser_state = optimiser.update(gradient, optimiser_state, reach)
        return (optax.apply_updates(reach, change), optimiser_state), metrics

      state, history = jax.lax.scan(step, state, batches)
      return state, jax.tree.map(jnp.mean, history)

    init_key, draw_key, test_key = jax.random.split(self.key(1), 3)
    reach = self.net.init(init_key)
    state, drawn = (reach, optimiser.init(reach)), 0
    draw = self._drawing(np.sort(order[held_out:]), UPDATES * own.reach_batch, target)
    for call, count in enumerate(calls(own.reach_updates)):
      views, label, weight = draw(jax.random.fold_in(draw_key, call))
      shape = (UPDATES, own.reach_batch)
      views = np.moveaxis(views.reshape(2, *shape, *views.shape[2:]), 0, 1)
      batches = (views, label.reshape(shape), weight.reshape(shape))
      state, metrics = learn(state, tuple(x[:count] for x in batches))
      drawn += count
      told = f"loss {metrics['reach_loss']:.3f}, accuracy {metrics['reach_accuracy']:.1%}"
      tick(drawn / own.reach_updates, told)

    draw = self._drawing(np.sort(order[:held_out]), own.held_out_pairs, target)
    views, label, weight = draw(test_key)

    @jax.jit
    def judge(reach: Any, views: jax.Array, label: jax.Array, weight: jax.Array) -> Any:
      source, goal = self.net.features(reach, self.encoder.encode(target, views))
      logits = self.net.logits(reach, source, goal)
      temperature = network.fit_temperature(logits, label, weight)

      def error(temperature: Any) -> jax.Array:
        chance = jax.nn.sigmoid(logits / temperature)
        return network.calibration_error(chance, label, weights=weight)

      metrics = network.loss(logits, label, weight)[1]
      return temperature, metrics | {"ece": error(temperature), "ece_before": error(1.0)}

    temperature, metrics = judge(state[0], views, label, weight)
    report = {name.removeprefix("reach_"): float(x) for name, x in metrics.items()}
    report |= {
      "temperature": float(temperature),
      "pairs": drawn * own.reach_batch,
      "held_out_episodes": held_out,
    }
    arrays = flat("params", state[0]) | {"temperature": np.asarray(temperature)}
    return Result(arrays, report)

  def _drawing(self, episodes: np.ndarray, count: int, target: Any) -> Callable[[jax.Array], Any]:
    """Returns key -> (views of pairs [2, P, *O], labels, weights), of these episodes."""
    candidates = self.config.training.reach_nearest_of
    rows = self.dataset.lengths[episodes] + 1
    inside = np.arange(rows.max()) < rows[:, None]
    segments = np.where(inside, np.arange(len(rows), dtype=np.int32)[:, None], pairs.PADDING)
    table = jax.jit(pairs.table)(segments)

    @jax.jit
    def draw(key: jax.Array, table: pairs.Table) -> pairs.Pairs:
      return pairs.draw(key, table, count, self.config.reachability)

    encode = functools.partial(self._latents, (target,))
    harden = jax.jit(pairs.hard_negatives, static_argnums=4)

    def read(key: jax.Array) -> Any:
      hard_key = None
      if candidates > 1:
        key, hard_key = jax.random.split(key)
      drawn = jax.device_get(draw(key, table))
      both = np.stack([drawn.source, drawn.target])
      # A failed attempt may point past the end of its episode.
      time = np.minimum(both[:, 1], rows[both[:, 0]] - 1)
      views = self.dataset.observation[self.firsts[episodes[both[:, 0]]] + time]
      if hard_key is not None:
        marks = (in_chunks(encode, CHUNK, some) for some in views)
        views[1] = views[1, np.asarray(harden(hard_key, *marks, drawn, candidates))]
      return views, drawn.label, drawn.weight

    return read

  def build_memory(self, tick: Tick) -> Result:
    """The nodes: a few of the observations, new in both directions."""
    own, total = self.config.graph, int(self.firsts[-1])
    count = max(1, round(own.node_share * total))
    chunk = min(CANDIDATES, count)
    rows = np.sort(self.rng(2).choice(total, count // chunk * chunk, replace=False))
    logits = functools.partial(self.net.logits, self._params[1])

    @functools.partial(jax.jit, donate_argnums=0)
    def insert(memory: GoalMemory, rows: jax.Array, marks: jax.Array, key: jax.Array) -> GoalMemory:
      return goal_memory.insert(memory, rows, marks, logits, own.node_threshold, key)

    # Rows in place of views: what is seen there is the dataset's to say.
    memory = goal_memory.init(
      own.node_capacity, specs.Array((), np.int32), self.config.reachability.reach_features
    )
    for begin in range(0, len(rows), chunk):
      part = rows[begin : begin + chunk].astype(np.int32)
      key = jax.random.fold_in(self.key(2), begin)
      memory = insert(memory, part, self.features(part), key)
      tick((begin + chunk) / len(rows), f"{memory.size:,} nodes")
    size = int(memory.size)
    arrays = {
      "rows": np.asarray(memory.views[:size], np.int64),
      "features": np.asarray(memory.features[:size]),
    }
    return Result(
      arrays, {"nodes": size, "candidates": len(rows), "full": size == len(memory.views)}
    )

  def memory(self, result: Result) -> GoalMemory:
    """The memory of the result of its stage."""
    rows, marks = result.arrays["rows"], result.arrays["features"]
    size = len(rows)
    return GoalMemory(jnp.asarray(rows, jnp.int32), jnp.asarray(marks), jnp.int32(size))

  def build_graph(self, nodes: Result, env: GoalEnvironment, tick: Tick) -> Result:
    """Edges, what joins their components, all ways, and how true all this is."""
    data, own, rng = self.dataset, self.config.graph, self.rng(3)
    memory, size = self.memory(nodes), len(nodes.arrays["rows"])
    steps = np.sort(
      rng.choice(data.steps, max(1, round(own.edge_share * data.steps)), replace=False)
    )
    before = self.before(steps)
    near: list[np.ndarray] = []
    for direction in DIRECTIONS:
      for rows in (before, before + 1):
        near.append(self.nearest(memory, rows, direction))
        tick(0.15 * len(near), f"nearest nodes of {len(steps):,} steps")
    edges = offline_graph.collect(steps, np.stack(near[:2]), np.stack(near[2:]), size)
    marks = nodes.arrays["features"]
    logits = self.all_logits(marks, marks)
    joined = np.zeros((0, 2), np.int32)
    parts = offline_graph.components(edges.pairs, size)[0]
    for left, edge in offline_graph.join(edges.pairs, logits):
      joined = np.concatenate([joined, edge[None]])
      tick(0.6 + 0.1 * (1 - left / parts), f"{left:,} components to join")
    every = np.concatenate([edges.pairs, joined])
    ways = offline_graph.shortest(
      every, size, lambda done: tick(0.7 + 0.25 * done / size, "shortest ways")
    )
    distance = self.true_distances(env)
    rows = nodes.arrays["rows"]
    lengths = distance(rows[every[:, 0]], rows[every[:, 1]])
    teleports = offline_graph.teleports(lengths, own.teleport_factor)
    pair = rng.integers(size, size=(2, min(PAIRS, size * size)))
    true = distance(*rows[pair])
    tick(1.0, "compared with true distances")
    finite = lengths[np.isfinite(lengths)]
    report = {
      "nodes": size,
      "edges": len(edges.pairs),
      "components": parts,
      "joined": len(joined),
      "longest_way": int(ways.distance.max()),
      "unreachable_pairs": int(np.sum(ways.distance == offline_graph.NONE)),
      "edge_length_median": float(np.median(finite)) if finite.size else None,
      "teleports": int(teleports.sum()),
      "joined_teleports": int(teleports[len(edges.pairs) :].sum()),
      "distance": offline_graph.correlation(ways.distance[tuple(pair)], true),
    }
    arrays = edges._asdict() | ways._asdict()
    return Result(arrays | {"joined": joined, "teleports": teleports, "lengths": lengths}, report)

  @staticmethod
  def graph(result: Result) -> tuple[Edges, Ways]:
    """Edges and ways of the result of their stage."""
    arrays = result.arrays
    return Edges(*(arrays[n] for n in Edges._fields)), Ways(*(arrays[n] for n in Ways._fields))

  def before(self, steps: np.ndarray) -> np.ndarray:
    """The rows of the observations that steps lead from; to the rows after them."""
    return steps + np.searchsorted(self.dataset.starts, steps, side="right") - 1

  def true_distances(self, env: GoalEnvironment) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """(rows [P], rows [P]) -> the environment's distances, float32 [P]."""
    distance = jax.jit(jax.vmap(env.distance))
    seen = self.dataset.observed
    return lambda a, b: in_chunks(lambda a, b: distance(seen(a), seen(b)), 1024, a, b)


def calls(updates: int) -> Iterator[int]:
  """Updates of each call of a compiled program."""
  yield from [UPDATES] * (updates // UPDATES)
  if updates % UPDATES:
    yield updates % UPDATES
