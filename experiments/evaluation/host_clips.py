"""A clip of an environment on the host, where steps and pictures may be slow."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Generator
from typing import Any

import dm_env
import jax
import numpy as np

from envs.errors import RAISED, Failure
from envs.host.environment import HostEnvironment, VectorEnvironment
from envs.success import outcomes, reported_by, succeeded
from experiments.acting.host_rollout import HostRollout, batch_of_one
from experiments.acting.policy import ActingPolicy
from experiments.evaluation.attention import Watch
from experiments.evaluation.clip_frames import (
  MAX_FRAMES,
  MAX_STEPS,
  PANEL_PIXELS,
  PANEL_WIDTH,
  UNDRAWN,
  Episode,
  NoClip,
  picture,
  rgb,
)

EPISODES = 4
"""Episodes played in search of a success."""
SECONDS = 3.0
"""An episode is sought for so long, and then drawn for so long."""


def find(
  env: HostEnvironment, policy: ActingPolicy, variables: Any, clock: Callable[[], float]
) -> tuple[int, int]:
  """Seed and length of the first success of a few episodes, else of the longest.

  Draws nothing, but for one picture where there is none to see otherwise: without it nothing is
  played, and NoClip raised.
  What is left after `SECONDS` is not played; a first episode that takes longer is cut off there.
  """
  deadline, longest = math.inf, (0, 0)
  for seed in range(EPISODES):
    total = 0.0
    with contextlib.closing(_steps(env, policy, variables, seed)) as steps:
      for length, step in enumerate(steps):
        single, timestep = step
        total += timestep.reward or 0.0
        if length == 0 and seed == 0 and picture(env, timestep.observation) is None:
          _rendered(single)
        if length == 1 and seed == 0:  # by now the policy is compiled
          deadline = clock() + SECONDS
        if late := clock() > deadline:
          break
      success = _succeeded(env, single, total)
    if success:
      return seed, length
    if late and seed:
      break
    longest = max(longest, (length, seed))
    if late:
      break
  return longest[1], longest[0]


def length(
  env: HostEnvironment, policy: ActingPolicy, variables: Any, seed: int, clock: Callable[[], float]
) -> int:
  """Steps of an episode; of one that takes longer than `SECONDS`, those until then."""
  deadline, steps = math.inf, 0
  with contextlib.closing(_steps(env, policy, variables, seed)) as episode:
    for steps, _ in enumerate(episode):
      if steps == 1:  # by now the policy is compiled
        deadline = clock() + SECONDS
      if clock() > deadline:
        break
  return steps


def draw(
  env: HostEnvironment,
  policy: ActingPolicy,
  variables: Any,
  seed: int,
  length: int,
  clock: Callable[[], float],
  watch: Watch | None = None,
) -> Episode:
  """Plays an episode of so many steps again and draws some: at most `MAX_FRAMES` and the last.

  Fewer where drawing is slow; where even the steps are, it is cut off after about `SECONDS`. With
  `watch`, what the encoder looks at is drawn too.
  """
  stride = -(-length // MAX_FRAMES)
  shown, pictures, seen, returns, weights = [], [], [], [], []
  look = None if watch is None else jax.jit(watch)
  total, due, deadline, missing = 0.0, 0, math.inf, ""
  with contextlib.closing(_steps(env, policy, variables, seed)) as steps:
    for step, (single, timestep) in enumerate(steps):
      total += timestep.reward or 0.0
      began = clock()
      over = timestep.last() or step >= length or began > deadline
      if step < due and not over:
        continue
      if not missing:
        try:
          pictures.append(_rendered(single))
        except NoClip as error:
          missing = str(error)
      shown.append(step)
      if look is None:
        seen.append(picture(env, timestep.observation))
      else:
        both = look(variables, batch_of_one(timestep).observation)
        view, looked = jax.tree.map(lambda x: np.asarray(x[0]), both)
        seen.append(view)
        weights.append(looked)
      returns.append(total)
      if over:
        break
      now = clock()
      if step == 0:  # the first picture often comes with the start of a simulator's drawing
        began, deadline = now, now + SECONDS
      affordable = max(deadline - now, 0.0) / max(now - began, 1e-9)
      due = step + max(stride, math.ceil((length - step) / max(affordable, 1.0)))
  if len({x.shape for x in pictures}) > 1:
    missing = "render() returned pictures of different sizes"
  drawn = None if missing else np.stack(pictures)
  success = _succeeded(env, single, total)
  views = None if seen[0] is None else np.stack(seen)
  looked_at = np.stack(weights) if weights else None
  return Episode(
    np.array(shown), drawn, views, np.array(returns), step, success, missing, looked_at
  )


def _succeeded(env: HostEnvironment, single: dm_env.Environment, total: float) -> bool | None:
  """Whether the episode in `single`, which returned `total`, succeeded; None if nothing tells."""
  reported = np.array([reported_by(single)], np.int8)
  known = succeeded(outcomes(reported, np.array([total]), env.success_return))
  return None if known is None else bool(known[0])


def _steps(
  env: HostEnvironment, policy: ActingPolicy, variables: Any, seed: int
) -> Generator[tuple[dm_env.Environment, dm_env.TimeStep]]:
  """Plays an episode, cut off after `MAX_STEPS`: the environment, and where it is, from FIRST on.

  The same for the same seed, as far as the environment is.
  """
  with contextlib.closing(_attempt("making the environment", lambda: env.make(seed))) as single:
    alone = Alone(single)
    acting = HostRollout(policy, alone, jax.random.key(seed))
    yield single, alone.timestep
    for _ in range(MAX_STEPS):
      if alone.timestep.last():
        return
      acting.step(variables)
      yield single, alone.timestep


class Alone(VectorEnvironment):
  """One environment as a vector of one, which others may look at; what it raises is a NoClip.

  Attributes:
    timestep: where it is, as the environment told it.
  """

  num_envs = 1

  def __init__(self, env: dm_env.Environment):
    self._env = env
    self.timestep: dm_env.TimeStep

  def reset(self) -> dm_env.TimeStep:
    self.timestep = _attempt("reset()", self._env.reset)
    return batch_of_one(self.timestep)

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    self.timestep = _attempt("step()", functools.partial(self._env.step, action[0]))
    return batch_of_one(self.timestep)


def _attempt(what: str, call: Callable[[], Any]) -> Any:
  """What a call of the user's code returns; what it raises is a NoClip."""
  try:
    return call()
  except RAISED as error:
    raise NoClip(f"{what} raised {Failure.of(error)}") from error


def _rendered(env: Any) -> np.ndarray:
  """A picture, uint8 [H, W, 3]; NoClip where there is none."""
  try:
    picture = np.asarray(env.render())
  except NotImplementedError:
    raise NoClip(UNDRAWN) from None
  except RAISED as error:  # of many kinds: no display, no render mode, no such method
    raise NoClip(f"render() raised {Failure.of(error)}") from error
  if picture.ndim == 0:
    raise NoClip(f"render() returned {picture.item()!r:.60}, not a picture")
  if picture.ndim not in (2, 3) or picture.dtype != np.uint8 or not picture.size:
    raise NoClip(
      f"render() returned {picture.dtype.name} {list(picture.shape)}, not uint8 [H, W, 3]"
    )
  every = max(-(-picture.shape[0] // PANEL_PIXELS), -(-picture.shape[1] // PANEL_WIDTH))
  picture = picture[::every, ::every]  # a large one is thinned out
  return rgb((picture[..., :3] if picture.ndim == 3 else picture)[None])[0]
