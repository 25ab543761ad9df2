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
from envs.environment import Environment, Reference, restart, transition
from envs.first_person import above, caster
from envs.first_person.draws import cell_of, whole
from envs.first_person.hard_eight import hand, kinds, rules, view
from envs.first_person.hard_eight.maps import HELD_OUT, MAPS, TRAIN, Bank, Task, bank_of, map_of
from envs.first_person.hard_eight.state import NOTHING, State, begin, here
from envs.first_person.panel import TILE, below
from envs.first_person.scene import N, row_cells
from envs.observation import Spec, Tokens
from envs.zipf import ranks

SPLITS = {"train": (0, TRAIN), "test": (TRAIN, HELD_OUT)}
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


@functools.partial(jax.jit, static_argnums=0)
def _begin(tasks: tuple[Task, ...], key: jax.Array, row: jax.Array) -> State:
  return begin(map_of(bank_of(tasks), row), row, key)


@functools.partial(jax.jit, static_argnums=0)
def _step(tasks: tuple[Task, ...], state: State, action: jax.Array) -> rules.Outcome:
  return rules.step(map_of(bank_of(tasks), state.row), state, action)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _picture(tasks: tuple[Task, ...], state: State, size: int) -> jax.Array:
  seen = view.scene(map_of(bank_of(tasks), state.row), state)
  return caster.render(seen, view.camera(state), view.ATLAS, size, size)


class HardEight(Environment[State]):
  """A task of a long chain, of which only the apple at its end pays: 1, and the episode ends.

  Actions are float32 [6] in [-1, 1]: move by .3 cells, strafe, turn by 12 degrees, tilt by 6, push
  or pull what is held by .1, and grip, where the hand is closed above 0. A closed hand takes what
  the middle of the picture meets; an open one lets it fall, or throws it where push is above .5.

  Args:
    tasks: of which each episode is one, all alike; their files fill this in.
    split: "train", 32 maps, or "test", 8 others.
    discrete: 26 discrete actions, half of them with the hand closed, half with it open.
    panel: one picture with words and scalars in it, in place of a tree {view, words, scalars}.

  Raises:
    ValueError: one line, for a setting that there is not.
  """

  success_return = 0.5
  costly_step = True

  def __init__(
    self,
    tasks: tuple[Task, ...],
    split: str = "train",
    discrete: bool = False,
    panel: bool = False,
  ):
    ranks.one_of("split", split, tuple(SPLITS))
    for name, value in (("discrete", discrete), ("panel", panel)):
      if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}.")
    self.tasks, self.split, self.discrete, self.panel = tasks, split, discrete, panel
    self.max_episode_steps = max(task.steps for task in tasks)

  def reset(self, key: jax.Array) -> tuple[State, dm_env.TimeStep]:
    key, draw_key = jax.random.split(key)
    drawn = jax.random.uniform(draw_key, (2,))
    first, count = SPLITS[self.split]
    row = whole(drawn[0], len(self.tasks)) * MAPS + first + whole(drawn[1], count)
    state = _begin(self.tasks, key, row)
    return state, restart(self.observe(state))

  def step(self, state: State, action: jax.Array) -> tuple[State, dm_env.TimeStep]:
    continuous = jnp.asarray(actions())[action] if self.discrete else action
    outcome = _step(self.tasks, state, jnp.asarray(continuous, jnp.float32))
    observation = self.observe(outcome.state)
    return outcome.state, transition(
      observation, outcome.reward, outcome.terminated, outcome.truncated
    )

  def observe(self, state: State) -> Any:
    """What the agent sees, {view, words, scalars}, or one picture with a panel below it.

    view: uint8 [64, 64, 3]. words: the kind of thing that is held, int32 [1]. scalars: `SCALARS`,
    float32 [7] in [0, 1]; accelerations and the last reward r are told as (1 + r) / 2.
    """
    seen = _picture(self.tasks, state, SIZE)
    level = self._map(state)
    kind = level.kind[state.held]
    words = jnp.where(state.held == NOTHING, 0, kind)[None].astype(jnp.int32)
    left = 1 - state.steps / level.steps
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
      "words": Tokens(1, 1 + len(kinds.WORDS), kinds.WORDS, name="words"),
      "scalars": specs.BoundedArray((len(SCALARS),), np.float32, 0.0, 1.0, name="scalars"),
    }

  def action_spec(self) -> specs.Array:
    if self.discrete:
      return specs.DiscreteArray(len(actions()), np.int32, name="action")
    return specs.BoundedArray((6,), np.float32, -1.0, 1.0, name="action")

  def splits(self) -> Mapping[str, Environment]:
    return {split: HardEight(self.tasks, split, self.discrete, self.panel) for split in SPLITS}

  def optimal(self) -> Reference:
    """What the oracles score, which is not optimal play."""
    return Reference(*np.mean([task.oracle for task in self.tasks], axis=0).tolist())

  def chains(self) -> dict[str, tuple[str, ...]]:
    """The links of each task's chain, in their order."""
    return {task.name: tuple(task.links) for task in self.tasks}

  def links(self, state: State) -> tuple[jax.Array, jax.Array]:
    """Which chain it is, int32, and which of its links have been reached, bool [L]."""
    return state.row // MAPS, state.reached

  def places(self) -> Places:
    """The cells of all maps, and, as the maps differ, the nine parts of the field as its rooms."""
    row, column = np.divmod(np.arange(N * N), N)
    ninth = (row * 3 // N * 3 + column * 3 // N).astype(np.int32)
    walls = row_cells(bank_of(self.tasks).solid)
    return Places(N, N, ~walls.all(0).reshape(-1), ninth)

  def oracle(self, state: State) -> Oracle:
    objects = cell_of(state.foot[:, 0], state.foot[:, 1])
    return Oracle(here(state), objects, jnp.bool_(False))

  def render(self, state: State) -> jax.Array:
    """The map from above and, to its right, the view with a cross, uint8 [255, 510, 3]."""
    level = self._map(state)
    board = above.draw(view.scene(level, state), view.camera(state), view.ATLAS, level.apple)
    side = board.shape[0]
    off = np.abs(np.arange(side) - side // 2)
    cross = (off[:, None] < 1) & (off < 5) | (off[:, None] < 5) & (off < 1)
    seen = jnp.where(cross[..., None], jnp.uint8(255), _picture(self.tasks, state, side))
    return jnp.concatenate([board, seen], axis=1)

  def _map(self, state: State) -> Bank:
    return map_of(bank_of(self.tasks), state.row)
