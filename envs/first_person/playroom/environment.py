"""Zipf's Playroom: a room of named things, one of which is to be lifted, put somewhere or found."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import Environment, Reference, registry, restart, transition
from envs.first_person import above, body
from envs.first_person.playroom import nouns, references, room
from envs.first_person.playroom.room import NOTHING, State
from envs.first_person.scene import N
from envs.observation import Spec, Tokens
from envs.zipf import ranks

TASKS = ("lift", "put", "find")
OBJECTS = (6, 12)
REACH, AIM = 1.5, 10.0
"""Cells and degrees within which a thing is gripped."""
NEAR = 1.0
"""Cells from the furniture, at most, of what is near it."""
SIZE = 64
LENGTH = 4
"""Words of an instruction."""


@registry.register("zipf/playroom")
class ZipfPlayroom(Environment[State]):
  """Zipf's Playroom: lift, put or find the thing that is named; most names are rare.

  The rank of the target follows a power law; so do those of the other things in the room, which
  are drawn without replacement, so that the rare ones are rarely even seen. Actions are
  `envs.first_person.body.ACTIONS`. `use` grips the nearest thing in sight within 1.5 cells and 10
  degrees, and drops what is held.

  lift: gripping the target pays 1, another 0, and either ends the episode. put: dropping the target
  on, or within a cell of, the bed or the tray as told pays 1; dropping anything ends it. find:
  touching the target pays 1 and ends it. The 1200th step truncates.

  What the benchmark's closed simulator looks like, how large its room is and what a wrong lift
  does is not public, so these are a world of the same structure and no copy (2203.08222;
  google-deepmind/zipfian_environments, playroom).

  Args:
    split: "zipf" (training), "uniform", or "rare" (uniform over the last six nouns).
    exponent: of the zipf split: rank r has a probability proportional to 1 / r^exponent.
    task: "lift", "put" or "find".
    objects: things in the room, 6 or 12.

  Raises:
    ValueError: one line, for an unknown split or task, an exponent that is not finite and >= 0, or
      another number of things.
  """

  success_return = 0.5
  costly_step = True
  max_episode_steps = 1200

  def __init__(
    self, split: str = "zipf", exponent: float = 2.0, task: str = "lift", objects: int = 6
  ):
    self.exponent = ranks.check(split, exponent)
    ranks.one_of("task", task, TASKS)
    if objects not in OBJECTS:
      raise ValueError(f"objects must be 6 or 12, got {objects!r}.")
    self.split, self.task, self.objects = split, task, int(objects)

  def _probabilities(self) -> np.ndarray:
    return ranks.distribution(self.split, self.exponent, nouns.COUNT, nouns.RARE)

  def reset(self, key: jax.Array) -> tuple[State, dm_env.TimeStep]:
    bounds = np.cumsum(self._probabilities())[:-1].astype(np.float32)
    rank_key, room_key = jax.random.split(key)
    rank = (jax.random.uniform(rank_key) >= bounds).sum(dtype=jnp.int32)
    return self.reset_to(room_key, rank)

  def reset_to(self, key: jax.Array, rank: jax.Array | int) -> tuple[State, dm_env.TimeStep]:
    """Starts an episode whose target is of a given rank, from 0 to 29."""
    others_key, room_key = jax.random.split(key)
    # The largest of logits and Gumbel noise are draws without replacement. What the split never
    # draws comes last, so that there are always things enough.
    logits = np.log(np.maximum(self._probabilities(), 1e-12)).astype(np.float32)
    score = jnp.asarray(logits) + jax.random.gumbel(others_key, logits.shape)
    score = jnp.where(jnp.arange(nouns.COUNT) == rank, jnp.inf, score)
    things = jax.lax.top_k(score, self.objects)[1].astype(jnp.int32)
    state = room.begin(room_key, things)
    return state, restart(self.observe(state))

  def step(self, state: State, action: jax.Array) -> tuple[State, dm_env.TimeStep]:
    state, reward, terminated = _advance(state, action, self.task)
    truncated = state.steps >= self.max_episode_steps
    return state, transition(self.observe(state), reward, terminated, truncated)

  def observe(self, state: State) -> dict[str, jax.Array]:
    """view: uint8 [64, 64, 3]. words: int32 [4]. scalars: whether something is held, [1]."""
    return {
      "view": room.picture(state, SIZE),
      "words": self.instruction(state),
      "scalars": (state.held != NOTHING).astype(jnp.float32)[None],
    }

  def instruction(self, state: State) -> jax.Array:
    """The words of what is to be done, int32 [4]."""
    noun = nouns.FIRST_NOUN + state.things[0]
    on, on_bed = state.place % 2 == 0, state.place < 2
    where = jnp.stack(
      [
        jnp.where(on, nouns.number("on"), nouns.number("near")),
        jnp.where(on_bed, nouns.number("bed"), nouns.number("tray")),
      ]
    )
    where = where if self.task == "put" else jnp.zeros_like(where)
    return jnp.stack([jnp.int32(nouns.number(self.task)), noun, *where]).astype(jnp.int32)

  def observation_spec(self) -> Spec:
    return {
      "view": specs.BoundedArray((SIZE, SIZE, 3), np.uint8, 0, 255, name="view"),
      "words": Tokens(LENGTH, 1 + len(nouns.WORDS), nouns.WORDS, name="words"),
      "scalars": specs.BoundedArray((1,), np.float32, 0.0, 1.0, name="scalars"),
    }

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(len(body.ACTIONS), np.int32, name="action")

  def splits(self) -> Mapping[str, Environment]:
    return {
      split: type(self)(split, self.exponent, self.task, self.objects) for split in ranks.SPLITS
    }

  def optimal(self) -> Reference:
    return references.ORACLE[self.task]

  def rank_names(self) -> dict[str, int]:
    return {"target": nouns.COUNT}

  def ranks(self, state: State) -> jax.Array:
    return state.things[:1]

  def places(self) -> Places:
    reachable = ~room.walls().reshape(-1)
    return Places(N, N, reachable, np.where(reachable, 0, -1).astype(np.int32))

  def oracle(self, state: State) -> Oracle:
    cells = jnp.floor(room.feet(state)).astype(jnp.int32)
    place = jnp.floor(state.pose.y).astype(jnp.int32) * N + jnp.floor(state.pose.x)
    return Oracle(place.astype(jnp.int32), cells[:, 1] * N + cells[:, 0], jnp.bool_(False))

  def render(self, state: State) -> jax.Array:
    """Returns the room from above and, beside it, what is seen, uint8 [255, 510, 3]."""
    target = room.feet(state)[0]
    board = above.draw(room.scene(state), room.camera(state), room.ATLAS, target)
    return jnp.concatenate([board, room.picture(state, board.shape[0])], axis=1)


@functools.partial(jax.jit, static_argnames="task")
def _advance(state: State, action: jax.Array, task: str) -> tuple[State, jax.Array, jax.Array]:
  """A step without its picture: the state, the reward and whether the episode terminates."""
  scene = room.scene(state)
  state = state._replace(pose=body.walk(scene, state.pose, action), steps=state.steps + 1)
  if task == "find":
    terminated = body.touches(state.pose.x, state.pose.y, state.foot)[0]
    reward = terminated
  else:
    used = action == body.USE
    gripped = jnp.where(used & (state.held == NOTHING), reachable(state), NOTHING)
    dropped = used & (state.held != NOTHING)
    if task == "lift":
      reward, terminated = gripped == 0, gripped != NOTHING
    else:
      reward, terminated = dropped & (state.held == 0) & is_placed(state), dropped
    state = drop(state, dropped)
    state = state._replace(held=jnp.where(gripped == NOTHING, state.held, gripped))
  return state, reward, terminated


def reachable(state: State) -> jax.Array:
  """The thing that `use` would grip, or NOTHING, int32."""
  eye = room.camera(state)
  scene = room.scene(state)
  middle = state.foot + jnp.array([0, 0, room.SIZE / 2], jnp.float32)
  seen = body.aims_at(eye, middle, REACH, AIM) & body.sees(scene, eye, middle)
  far = jnp.where(seen, body.distances(eye.x, eye.y, middle), jnp.inf)
  return jnp.where(seen.any(), far.argmin(), NOTHING).astype(jnp.int32)


def is_placed(state: State) -> jax.Array:
  """Whether what is carried would be dropped where the instruction says, bool."""
  gap = room.gaps(state, *room.carried(state))[state.place // 2]
  return jnp.where(state.place % 2 == 0, gap == 0, (gap > 0) & (gap <= NEAR))


def drop(state: State, dropped: jax.Array) -> State:
  """Lets go of what is held: it comes to lie on what is below it."""
  x, y = room.carried(state)
  z = jnp.where(room.gaps(state, x, y) == 0, jnp.asarray(room.EXTENT[:, 2]), 0).max()
  falls = dropped & (jnp.arange(state.things.shape[0]) == state.held)
  foot = jnp.where(falls[:, None], jnp.stack([x, y, z]), state.foot)
  return state._replace(foot=foot, held=jnp.where(dropped, NOTHING, state.held))
