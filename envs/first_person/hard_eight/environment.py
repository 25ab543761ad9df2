"""The hard eight: tasks of long chains of which only the end pays, seen in first person.

Stand-ins for the tasks of google-deepmind/dm_hard_eight (Paine et al. 2019, arXiv 1909.01387): the
same causal structure in other pictures, without Unity. Scores here are not comparable with those
of the originals.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import Environment, Reference, registry, restart, transition
from envs.first_person import above, caster
from envs.first_person.draws import cell_of, whole
from envs.first_person.hard_eight import hand, layouts, references, rules, table, view
from envs.first_person.hard_eight.state import NOTHING, State, begin, here
from envs.first_person.panel import TILE, below
from envs.first_person.scene import N
from envs.observation import Spec, Tokens
from envs.zipf import ranks

MAPS = {"train": (0, layouts.TRAIN), "test": (layouts.TRAIN, layouts.HELD_OUT)}
"""The first map of a split, and how many there are."""
SIZE = 64
"""Pixels a side of the view."""
SCALARS = ("holding", "distance", "force", "right", "ahead", "reward", "time left")
DISCRETE = np.array(
  [
    [0, 0, 0, 0, 0, 1],
    [1, 0, 0, 0, 0, 1],
    [-1, 0, 0, 0, 0, 1],
    [0, -1, 0, 0, 0, 1],
    [0, 1, 0, 0, 0, 1],
    [0, 0, -1, 0, 0, 1],
    [0, 0, 1, 0, 0, 1],
    [1, 0, -0.5, 0, 0, 1],
    [1, 0, 0.5, 0, 0, 1],
    [0, 0, 0, 1, 0, 1],
    [0, 0, 0, -1, 0, 1],
    [0, 0, 0, 0, 1, 1],
    [0, 0, 0, 0, -1, 1],
  ],
  np.float32,
)
"""Discrete actions with the hand closed: nothing, ahead, back, left, right, turn left and right,
ahead and turn, look up and down, push and pull. As many more are the same with the hand open."""


def actions() -> np.ndarray:
  """The discrete actions as continuous ones, float32 [26, 6]."""
  return np.concatenate([DISCRETE, DISCRETE * np.array([1, 1, 1, 1, 1, -1], np.float32)])


@jax.jit
def _begin(key: jax.Array, task: jax.Array, map_index: jax.Array) -> State:
  return begin(layouts.load(), key, task, map_index)


@jax.jit
def _step(state: State, action: jax.Array) -> rules.Outcome:
  return rules.step(layouts.load(), state, action)


@functools.partial(jax.jit, static_argnums=1)
def _picture(state: State, size: int) -> jax.Array:
  seen = view.scene(layouts.load(), state)
  return caster.render(seen, view.camera(state), view.ATLAS, size, size)


class HardEight(Environment[State]):
  """A task of a long chain, of which only the apple at its end pays: 1, and the episode ends.

  Actions are float32 [6] in [-1, 1]: move by .3 cells, strafe, turn by 12 degrees, tilt by 6, push
  or pull what is held by .1, and grip, where the hand is closed above 0. A closed hand takes what
  the middle of the picture meets; an open one lets it fall, or throws it where push is above .5.

  Args:
    task: one of `table.NAMES`.
    split: "train", 32 maps, or "test", 8 others.
    discrete: 26 discrete actions, half of them with the hand closed, half with it open.
    panel: one picture with words and scalars in it, in place of a tree {view, words, scalars}.

  Raises:
    ValueError: one line, for a setting that there is not.
  """

  success_return = 0.5

  def __init__(self, task: str, split: str = "train", discrete: bool = False, panel: bool = False):
    ranks.one_of("task", task, table.NAMES)
    ranks.one_of("split", split, tuple(MAPS))
    for name, value in (("discrete", discrete), ("panel", panel)):
      if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}.")
    self.task, self.split, self.discrete, self.panel = task, split, discrete, panel
    self.max_episode_steps = int(table.TABLE.steps[table.index(task)])

  def reset(self, key: jax.Array) -> tuple[State, dm_env.TimeStep]:
    key, map_key = jax.random.split(key)
    first, count = MAPS[self.split]
    map_index = first + whole(jax.random.uniform(map_key), count)
    state = _begin(key, jnp.int32(table.index(self.task)), map_index)
    return state, restart(self.observe(state))

  def step(self, state: State, action: jax.Array) -> tuple[State, dm_env.TimeStep]:
    continuous = jnp.asarray(actions())[action] if self.discrete else action
    outcome = _step(state, jnp.asarray(continuous, jnp.float32))
    observation = self.observe(outcome.state)
    return outcome.state, transition(
      observation, outcome.reward, outcome.terminated, outcome.truncated
    )

  def observe(self, state: State) -> Any:
    """What the agent sees, {view, words, scalars}, or one picture with a panel below it.

    view: uint8 [64, 64, 3]. words: the kind of thing that is held, int32 [1]. scalars: `SCALARS`,
    float32 [7] in [0, 1]; accelerations and the last reward r are told as (1 + r) / 2.
    """
    seen = _picture(state, SIZE)
    kind = jnp.asarray(table.TABLE.kind)[state.task, state.held]
    words = jnp.where(state.held == NOTHING, 0, kind)[None].astype(jnp.int32)
    left = 1 - state.steps / jnp.asarray(table.TABLE.steps)[state.task]
    middle = jnp.concatenate([state.acceleration, state.reward[None]]) / 2 + 0.5
    holding = (state.held != NOTHING).astype(jnp.float32)
    first = jnp.stack([holding, state.distance / hand.FARTHEST, hand.force(state)])
    scalars = jnp.clip(jnp.concatenate([first, middle, left[None]]), 0, 1).astype(jnp.float32)
    if self.panel:
      return below(seen, words, scalars)
    return {"view": seen, "words": words, "scalars": scalars}

  def observation_spec(self) -> Spec:
    if self.panel:
      return specs.BoundedArray((SIZE + TILE, SIZE, 3), np.uint8, 0, 255, name="view")
    return {
      "view": specs.BoundedArray((SIZE, SIZE, 3), np.uint8, 0, 255, name="view"),
      "words": Tokens(1, 1 + len(table.KINDS), table.KINDS, name="words"),
      "scalars": specs.BoundedArray((len(SCALARS),), np.float32, 0.0, 1.0, name="scalars"),
    }

  def action_spec(self) -> specs.Array:
    if self.discrete:
      return specs.DiscreteArray(len(actions()), np.int32, name="action")
    return specs.BoundedArray((6,), np.float32, -1.0, 1.0, name="action")

  def splits(self) -> Mapping[str, Environment]:
    return {split: HardEight(self.task, split, self.discrete, self.panel) for split in MAPS}

  def optimal(self) -> Reference:
    """What the oracle scores, which is not optimal play."""
    return references.ORACLE[self.task]

  def link_names(self) -> tuple[str, ...]:
    """The links of the task's chain, in their order."""
    events = table.TABLE.link[table.index(self.task)]
    return tuple(table.LINK_NAMES[event] for event in events if event >= 0)

  def links(self, state: State) -> jax.Array:
    """Which links the episode has reached, bool [L]: an instrument that no policy may see."""
    return state.reached[: len(self.link_names())]

  def places(self) -> Places:
    """The cells of all maps, and, as the maps differ, the nine parts of the field as its rooms."""
    row, column = np.divmod(np.arange(N * N), N)
    ninth = (row * 3 // N * 3 + column * 3 // N).astype(np.int32)
    first = table.index(self.task) * layouts.MAPS
    bank = layouts.load()
    stands = (bank.open & ~bank.void)[first : first + layouts.MAPS]
    return Places(N, N, stands.any(0).reshape(-1), ninth)

  def oracle(self, state: State) -> Oracle:
    objects = cell_of(state.foot[:, 0], state.foot[:, 1])
    return Oracle(here(state), objects, jnp.bool_(False))

  def render(self, state: State) -> jax.Array:
    """The map from above and, to its right, the view with a cross, uint8 [255, 510, 3]."""
    bank = layouts.load()
    apple = jnp.asarray(bank.apple)[state.task * layouts.MAPS + state.map]
    board = above.draw(view.scene(bank, state), view.camera(state), view.ATLAS, apple)
    side = board.shape[0]
    off = np.abs(np.arange(side) - side // 2)
    cross = (off[:, None] < 1) & (off < 5) | (off[:, None] < 5) & (off < 1)
    seen = jnp.where(cross[..., None], jnp.uint8(255), _picture(state, side))
    return jnp.concatenate([board, seen], axis=1)


registry.register("hard_eight/wall_sensor", summary="A key held to a plate opens a door.")(
  functools.partial(HardEight, "wall_sensor")
)
