"""Zipf's Labyrinth: thirty kinds of levels, drawn by a power law, seen in first person.

A stand-in for the labyrinth of google-deepmind/zipfian_environments (Chan et al. 2022, arXiv
2203.08222): the same levels' causal structure and distribution in other pictures, without DMLab.
Scores here are not comparable with those of the original.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.capabilities import Oracle, Places
from envs.environment import Environment, Reference, registry, restart, transition
from envs.first_person import caster
from envs.first_person.body import ACTIONS
from envs.first_person.draws import cell_of, whole
from envs.first_person.labyrinth import looks, picture, references, rules, table, view
from envs.first_person.labyrinth import maps as map_bank
from envs.first_person.labyrinth.begin import begin
from envs.first_person.labyrinth.rules import Split
from envs.first_person.labyrinth.state import WORDS, State
from envs.first_person.labyrinth.words import WORDS as VOCABULARY
from envs.first_person.panel import TILE, below
from envs.first_person.scene import N
from envs.observation import Spec, Tokens
from envs.zipf import ranks

RARE = table.COUNT // 5
"""How many of the last ranks the rare split draws from."""
MAPS = {"train": Split(0, map_bank.TRAIN), "test": Split(map_bank.TRAIN, map_bank.HELD_OUT)}
ALL = "all"
HELD = len(looks.NAMED_COLOURS)
SIZE = 64
"""Pixels a side of the view."""


# Compiled also where the environment is not, and traced once for a reset and for a new task.
@jax.jit
def _begin(key: jax.Array, level: jax.Array, map_index: jax.Array) -> State:
  return begin(map_bank.load(), key, level, map_index)


@functools.partial(jax.jit, static_argnums=0)
def _step(split: Split, state: State, action: jax.Array) -> rules.Outcome:
  return rules.step(map_bank.load(), split, state, action)


@jax.jit
def _picture(state: State) -> jax.Array:
  seen = view.scene(map_bank.load(), state)
  return caster.render(seen, view.camera(state), looks.atlas(), SIZE, SIZE)


def _check_flag(name: str, value: Any) -> None:
  if not isinstance(value, bool):
    raise ValueError(f"{name} must be true or false, got {value!r}.")


@registry.register("zipf/labyrinth")
class ZipfLabyrinth(Environment[State]):
  """Zipf's Labyrinth in first person: thirty levels, of which the last are rare.

  Eleven actions: forward, back, strafe left and right, turn by 12 and by 36 degrees, forward and
  turn, use. What pays depends on the level.

  Args:
    split: "zipf" (training), "uniform", or "rare" (uniform over the last 6 ranks).
    exponent: of the zipf split: rank r has a probability proportional to 1 / r^exponent.
    reverse: whether the last level is the commonest.
    levels: "all", or the name of one, which is then played alone.
    maps: "train", 32 a level, or "test", 8 others.
    panel: one picture with the words in it, in place of a tree {view, words, scalars}.

  Raises:
    ValueError: one line, for a setting that there is not.
  """

  success_return = math.inf
  costly_step = True

  def __init__(
    self,
    split: str = "zipf",
    exponent: float = 1.0,
    reverse: bool = False,
    levels: str = ALL,
    maps: str = "train",
    panel: bool = False,
  ):
    self.exponent = ranks.check(split, exponent)
    ranks.one_of("level", levels, (ALL, *table.NAMES))
    ranks.one_of("maps", maps, tuple(MAPS))
    _check_flag("reverse", reverse)
    _check_flag("panel", panel)
    self.split, self.reverse = split, reverse
    self.levels, self.maps, self.panel = levels, maps, panel
    steps = table.TABLE.steps
    self.max_episode_steps = int(steps.max() if levels == ALL else steps[table.index(levels)])

  def reset(self, key: jax.Array) -> tuple[State, dm_env.TimeStep]:
    bounds = np.cumsum(self._distribution())[:-1].astype(np.float32)
    key, draw_key = jax.random.split(key)
    drawn = jax.random.uniform(draw_key, (2,))
    return self._start(key, (drawn[0] >= bounds).sum(dtype=jnp.int32), drawn[1])

  def reset_to(self, key: jax.Array, rank: jax.Array | int) -> tuple[State, dm_env.TimeStep]:
    """Starts an episode of the level of a rank, 0 to 29, in any of its maps.

    Where one level is played alone, every rank is it.
    """
    key, draw_key = jax.random.split(key)
    return self._start(key, jnp.asarray(rank, jnp.int32), jax.random.uniform(draw_key))

  def _start(
    self, key: jax.Array, rank: jax.Array, drawn: jax.Array
  ) -> tuple[State, dm_env.TimeStep]:
    if self.levels != ALL:
      rank = jnp.int32(self._ranks_of(table.index(self.levels)))
    level = table.COUNT - 1 - rank if self.reverse else rank
    split = MAPS[self.maps]
    map_index = split.first + whole(drawn, split.number)
    state = _begin(key, level, map_index)
    return state, restart(self.observe(state))

  def _distribution(self) -> np.ndarray:
    """Probabilities of the 30 ranks, float64 [30]."""
    return ranks.distribution(self.split, self.exponent, table.COUNT, RARE)

  def _ranks_of(self, level: Any) -> Any:
    return table.COUNT - 1 - level if self.reverse else level

  def step(self, state: State, action: jax.Array) -> tuple[State, dm_env.TimeStep]:
    outcome = _step(MAPS[self.maps], state, jnp.asarray(action, jnp.int32))
    observation = self.observe(outcome.state)
    return outcome.state, transition(
      observation, outcome.reward, outcome.terminated, outcome.truncated
    )

  def observe(self, state: State) -> Any:
    """What the agent sees, {view, words, scalars}, or one picture with a panel below it.

    view: uint8 [64, 64, 3]. words: int32 [7]. scalars: which of the six colours the key has that
    is held, float32 [6]; in the panel the number of the colour, from 1, over 6.
    """
    seen = _picture(state)
    if self.panel:
      return below(seen, state.words, ((state.held + 1) / HELD)[None])
    held = (state.held == np.arange(HELD)).astype(jnp.float32)
    return {"view": seen, "words": state.words, "scalars": held}

  def observation_spec(self) -> Spec:
    if self.panel:
      return specs.BoundedArray((SIZE + TILE, SIZE, 3), np.uint8, 0, 255, name="view")
    return {
      "view": specs.BoundedArray((SIZE, SIZE, 3), np.uint8, 0, 255, name="view"),
      "words": Tokens(WORDS, 1 + len(VOCABULARY), VOCABULARY, name="words"),
      "scalars": specs.BoundedArray((HELD,), np.float32, 0.0, 1.0, name="scalars"),
    }

  def action_spec(self) -> specs.DiscreteArray:
    return specs.DiscreteArray(len(ACTIONS), np.int32, name="action")

  def rank_names(self) -> dict[str, int]:
    return {"level": table.COUNT}

  def ranks(self, state: State) -> jax.Array:
    return jnp.asarray(self._ranks_of(state.level), jnp.int32)[None]

  def references(self) -> np.ndarray:
    levels = self._ranks_of(np.arange(table.COUNT))  # the level of a rank, as the rank of a level
    returns = [references.TABLE[table.NAMES[level]] for level in levels]
    return np.array([(row.random, row.oracle) for row in returns])

  def splits(self) -> Mapping[str, Environment]:
    return {
      split: type(self)(split, self.exponent, self.reverse, self.levels, self.maps, self.panel)
      for split in ranks.SPLITS
    }

  def optimal(self) -> Reference:
    """What the oracle scores, which is not optimal play; returns of the levels differ in kind."""
    if self.levels != ALL:
      return references.oracle(np.eye(table.COUNT)[table.index(self.levels)])
    drawn = self._distribution()
    return references.oracle(drawn[::-1] if self.reverse else drawn)

  def render(self, state: State) -> jax.Array:
    """The map from above and, to its right, the view with a cross, uint8 [256, 512, 3]."""
    return picture.render(map_bank.load(), state)

  def places(self) -> Places:
    """The cells of all maps, and, as the maps differ, the nine parts of the field as its rooms."""
    reachable, rooms = view.places(map_bank.load())
    return Places(N, N, reachable, rooms)

  def oracle(self, state: State) -> Oracle:
    things = state.things
    return Oracle(
      cell_of(state.pose.x, state.pose.y), cell_of(things.x, things.y), jnp.bool_(False)
    )
