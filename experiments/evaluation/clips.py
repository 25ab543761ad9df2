"""A short clip of the agent: one of its episodes as a looping GIF."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agents.agent import Agent
from envs.capabilities import HasRender
from envs.environment import Environment
from envs.errors import RAISED, Failure
from envs.host.environment import HostEnvironment
from envs.success import outcomes, succeeded, told_by
from experiments.evaluation.pictures import COLOURS, GREY
from experiments.runs.files import write_atomically
from experiments.runtimes.actor import jitted_act
from experiments.settings.errors import UserError

EPISODES = 16
"""Episodes played, of which one is shown."""
FRAME_MS, LAST_FRAME_MS = 140, 1000
MAX_FRAMES = 100
"""Of a longer episode only every n-th step is shown."""
MAX_BYTES = 1_000_000
PANEL_PIXELS = 320
"""Rough height of a picture in the GIF."""
PANEL_WIDTH = 3 * PANEL_PIXELS
"""No picture is made wider than that."""
MARGIN, LINE, BAR = 10, 20, 5
"""Pixels between pictures, of a line of text, and of the progress bar."""
HOST_EPISODES = 4
"""Episodes played on the host in search of a success."""
MAX_STEPS = 2000
"""Longer episodes are cut off."""
SECONDS = 3.0
"""On the host, an episode is sought for so long, and then drawn for so long."""
UNDRAWN = "the environment draws no pictures"


class NoClip(UserError):
  """Why there is no clip, in one line."""


def choose(success: np.ndarray, length: np.ndarray) -> int:
  """Index of the episode worth showing: of median length among successes, else the longest.

  Args:
    success: bool [E].
    length: int [E].
  """
  if not success.any():
    return int(np.argmax(length))
  successes = np.flatnonzero(success)
  return int(successes[np.argsort(length[successes], kind="stable")[len(successes) // 2]])


class Played(Protocol):
  """What is played: an environment, and an agent for it."""

  @property
  def env(self) -> Environment | HostEnvironment:
    """The environment."""

  @property
  def agent(self) -> Agent:
    """The agent."""


def write_episode(
  path: Path, experiment: Played, variables: Any, clock: Callable[[], float] = time.monotonic
) -> None:
  """Plays a few episodes of the first split with the first seed's agent; one is a looping GIF.

  Left, where observations are pixels, what the agent sees; right, `env.render`. The same variables
  give the same file, of at most about 1 MB, unless drawing is slow: of long episodes not every step
  is shown.

  Args:
    path: of the GIF, put there in one move.
    experiment: the run.
    variables: the agent's, with a leading axis of seeds.
    clock: gives seconds; it bounds the work on the host.

  Raises:
    NoClip: with nothing written, if the environment cannot be rendered or fails.
  """
  env, agent = experiment.env, experiment.agent
  first = agent.on_task(jax.tree.map(lambda x: x[0], variables))
  if isinstance(env, Environment):
    env = next(iter(env.splits().values()))
    episode = _play(env, agent, first)
  else:
    if env.failures:
      raise NoClip(
        f"worker processes of this environment died or got stuck ({env.failures} times), and a clip"
        " is played in the process of the run"
      )
    found = _find_on_host(env, agent, first, clock)
    episode = _draw_on_host(env, agent, first, *found, clock)
  columns = {}
  if episode.rendered is not None:
    columns["the environment"] = _scale(episode.rendered)
  if episode.seen is not None:
    columns = {"what the agent sees": _scale(_rgb(episode.seen))} | columns
  if not columns:
    raise NoClip(episode.missing)
  length, outcome = episode.length, "success" if episode.success else "no success"
  frames = []
  for i, step in enumerate(episode.steps):
    caption = f"step {step}   return {round(float(episode.returns[i]), 2) + 0.0:.2f}"
    if step == length and episode.success is not None:
      caption += f"   {outcome}"
    pictures = {name: column[i] for name, column in columns.items()}
    frames.append(_frame(pictures, caption, step / max(length, 1)))
  write_atomically(path, _gif(frames))


def _picture(env: Environment | HostEnvironment, observation: Any) -> Any:
  """The first leaf of an observation that is a picture; None where there is none."""
  spec = env.observation_spec()
  for leaf, x in zip(jax.tree.leaves(spec), jax.tree.leaves(observation), strict=True):
    if leaf.dtype == np.uint8 and len(leaf.shape) in (2, 3):
      return x
  return None


class Episode(NamedTuple):
  """What is shown of an episode: F of its steps.

  Attributes:
    steps: [F], ascending from 0 to `length`.
    rendered: uint8 [F, H, W, 3], or None where the environment draws no picture.
    seen: the pictures that the agent saw, [F, *O]; None where it saw none.
    returns: [F], undiscounted, up to that step.
    length: of the episode, steps.
    success: whether it succeeded; None where nothing tells.
    missing: why `rendered` is None.
  """

  steps: np.ndarray
  rendered: np.ndarray | None
  seen: np.ndarray | None
  returns: np.ndarray
  length: int
  success: bool | None
  missing: str = ""


def _play(env: Environment, agent: Agent, variables: Any) -> Episode:
  """One of several episodes of a functional environment."""
  _check_drawn(env)
  assert isinstance(env, HasRender)
  record = jax.jit(lambda variables, pick: _record(env, agent, variables, pick))
  _, _, reward, last = jax.device_get(record(variables, 0))
  lengths = np.argmax(last, axis=0)
  total = np.cumsum(reward, axis=0)
  success = total[lengths, np.arange(EPISODES)] >= env.success_return
  pick = choose(success, lengths)
  # Played again, for states and pictures of all episodes could fill the memory.
  states, seen, _, _ = record(variables, pick)
  length = int(lengths[pick])
  steps = _every(length, -(-length // MAX_FRAMES))
  rendered = jax.jit(jax.vmap(env.render))(jax.tree.map(lambda x: x[steps], states))
  return Episode(
    steps,
    np.asarray(rendered),
    None if seen is None else np.asarray(seen[steps]),
    total[steps, pick],
    length,
    bool(success[pick]) if math.isfinite(env.success_return) else None,
  )


def _check_drawn(env: Environment) -> None:
  if not isinstance(env, HasRender):
    raise NoClip(UNDRAWN)
  try:
    picture = jax.eval_shape(lambda key: env.render(env.reset(key)[0]), jax.random.key(0))
  except NotImplementedError:
    raise NoClip(UNDRAWN) from None
  except RAISED as error:
    raise NoClip(f"render() raised {Failure.of(error)}") from error
  if getattr(picture, "dtype", None) != np.uint8 or picture.shape[2:] != (3,):
    raise NoClip(f"render() returned {picture}, not uint8 [H, W, 3]")


def _find_on_host(
  env: HostEnvironment, agent: Agent, variables: Any, clock: Callable[[], float]
) -> tuple[int, int]:
  """Seed and length of the first success of a few episodes, else of the longest.

  Draws nothing, but for one picture where there is none to see otherwise: without it nothing is
  played, and NoClip raised.
  What is left after `SECONDS` is not played; a first episode that takes longer is cut off there.
  """
  deadline, longest = math.inf, (0, 0)
  for seed in range(HOST_EPISODES):
    total = 0.0
    with contextlib.closing(_steps_on_host(env, agent, variables, seed)) as steps:
      for length, step in enumerate(steps):
        single, timestep = step
        total += timestep.reward or 0.0
        if length == 0 and seed == 0 and _picture(env, timestep.observation) is None:
          _rendered(single)
        if length == 1 and seed == 0:  # by now the policy is compiled
          deadline = clock() + SECONDS
        if late := clock() > deadline:
          break
      success = _success(env, single, total)
    if success:
      return seed, length
    if late and seed:
      break
    longest = max(longest, (length, seed))
    if late:
      break
  return longest[1], longest[0]


def _draw_on_host(
  env: HostEnvironment,
  agent: Agent,
  variables: Any,
  seed: int,
  length: int,
  clock: Callable[[], float],
) -> Episode:
  """Plays an episode of so many steps again and draws some: at most `MAX_FRAMES` and the last.

  Fewer where drawing is slow; where even the steps are, it is cut off after about `SECONDS`.
  """
  stride = -(-length // MAX_FRAMES)
  shown, pictures, seen, returns = [], [], [], []
  total, due, deadline, missing = 0.0, 0, math.inf, ""
  with contextlib.closing(_steps_on_host(env, agent, variables, seed)) as steps:
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
      seen.append(_picture(env, timestep.observation))
      returns.append(total)
      if over:
        break
      now = clock()
      if step == 0:  # the first picture often comes with the start of a simulator's drawing
        began, deadline = now, now + SECONDS
      affordable = max(deadline - now, 0.0) / max(now - began, 1e-9)
      due = step + max(stride, math.ceil((length - step) / max(affordable, 1.0)))
  if len({picture.shape for picture in pictures}) > 1:
    missing = "render() returned pictures of different sizes"
  drawn = None if missing else np.stack(pictures)
  success = _success(env, single, total)
  return Episode(
    np.array(shown),
    drawn,
    None if seen[0] is None else np.stack(seen),
    np.array(returns),
    step,
    success,
    missing,
  )


def _success(env: HostEnvironment, single: dm_env.Environment, total: float) -> bool | None:
  """Whether the episode in `single`, which returned `total`, succeeded; None if nothing tells."""
  told = np.array([told_by(single)], np.int8)
  known = succeeded(outcomes(told, np.array([total]), env.success_return))
  return None if known is None else bool(known[0])


def _steps_on_host(
  env: HostEnvironment, agent: Agent, variables: Any, seed: int
) -> Generator[tuple[dm_env.Environment, dm_env.TimeStep]]:
  """Plays an episode, cut off after `MAX_STEPS`: the environment, and where it is, from FIRST on.

  The same for the same seed, as far as the environment is.
  """
  act, key = jitted_act(agent, True), jax.random.key(seed)
  with contextlib.closing(_told("making the environment", lambda: env.make(seed))) as single:
    memory, t = agent.initial_memory(1), _told("reset()", single.reset)
    yield single, t
    for _ in range(MAX_STEPS):
      if t.last():
        return
      batch = dm_env.TimeStep(
        np.array([t.step_type], np.int32),
        np.array([t.reward or 0.0], np.float32),
        np.array([1.0 if t.discount is None else t.discount], np.float32),
        jax.tree.map(lambda x: np.asarray(x)[None], t.observation),
      )
      action, _, memory, key = act(variables, memory, batch, key)
      chosen = np.asarray(action)[0]
      t = _told("step()", functools.partial(single.step, chosen))
      yield single, t


def _told(what: str, call: Callable[[], Any]) -> Any:
  """What a call of the user's code returns; what it raises is told in one line."""
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
  return _rgb((picture[..., :3] if picture.ndim == 3 else picture)[None])[0]


def _record(env: Environment, agent: Agent, variables: Any, pick: jax.Array) -> tuple:
  """Plays episodes side by side, from a fixed key, for as long as the longest may take.

  Returns:
    The states [T+1, ...] and pictures [T+1, *O] that were seen, or None, of episode `pick`, and of
    all episodes the rewards float32 [T+1, E] and whether they were over, bool [T+1, E]. Index 0 is
    the reset.
  """
  longest = min(env.max_episode_steps, MAX_STEPS)
  reset_key, act_key = jax.random.split(jax.random.key(0))
  state, timestep = jax.vmap(env.reset)(jax.random.split(reset_key, EPISODES))

  def body(carry: tuple, t: jax.Array) -> tuple[tuple, tuple]:
    state, timestep, memory = carry
    chosen = jax.tree.map(lambda x: x[pick], (state, _picture(env, timestep.observation)))
    over = timestep.last() | (t == longest)
    out = (*chosen, timestep.reward, over)
    action, _, memory = agent.act(variables, memory, timestep, jax.random.fold_in(act_key, t), True)
    return (*jax.vmap(env.step)(state, action), memory), out

  start = (state, timestep, agent.initial_memory(EPISODES))
  return jax.lax.scan(body, start, jnp.arange(longest + 1))[1]


def _every(last: int, stride: int) -> np.ndarray:
  """Every stride-th index from 0, and the last."""
  return np.unique(np.append(np.arange(0, last, max(stride, 1)), last))


def _rgb(pixels: np.ndarray) -> np.ndarray:
  """Pixels [F, H, W] or [F, H, W, C] as [F, H, W, 3]; of C other than 3 the last is the newest."""
  if pixels.ndim == 4 and pixels.shape[-1] == 3:
    return pixels
  newest = pixels if pixels.ndim == 3 else pixels[..., -1]
  return np.repeat(newest[..., None], 3, axis=-1)


def _scale(pictures: np.ndarray) -> np.ndarray:
  """Enlarges [F, H, W, 3] by whole pixels to about `PANEL_PIXELS`."""
  factor = min(round(PANEL_PIXELS / pictures.shape[1]), PANEL_WIDTH // pictures.shape[2])
  factor = max(1, factor)
  return pictures.repeat(factor, axis=1).repeat(factor, axis=2)


def _frame(pictures: dict[str, np.ndarray], caption: str, done: float) -> Image.Image:
  """Lays pictures [H, W, 3] side by side, their names above, caption and progress below."""
  height = max(p.shape[0] for p in pictures.values())
  width = sum(p.shape[1] for p in pictures.values()) + MARGIN * (len(pictures) + 1)
  below = 2 * MARGIN + LINE + height
  frame = Image.new("RGB", (width, below + LINE + BAR + MARGIN), "white")
  draw = ImageDraw.Draw(frame)
  font = ImageFont.load_default(size=14)
  x = MARGIN
  for name, picture in pictures.items():
    draw.text((x, MARGIN // 2), name, GREY, font)
    frame.paste(Image.fromarray(picture), (x, MARGIN + LINE))
    x += picture.shape[1] + MARGIN
  draw.text((MARGIN, below - MARGIN // 2), caption, "black", font)
  left, top, right = MARGIN, below + LINE, width - MARGIN
  draw.rectangle((left, top, right, top + BAR), "#dddddd")
  draw.rectangle((left, top, left + done * (right - left), top + BAR), COLOURS[0])
  return frame


def _gif(frames: list[Image.Image]) -> bytes:
  """Encodes frames with one palette, leaving out every second one while the file is too large."""
  # Quantised as one picture: exact up to 256 colours, which mapping to a given palette is not.
  together = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
  palette = together.quantize(256, dither=Image.Dither.NONE)
  width, height = frames[0].size
  indexed = [palette.crop((0, i * height, width, (i + 1) * height)) for i in range(len(frames))]
  while True:
    gif = io.BytesIO()
    durations = [FRAME_MS] * (len(indexed) - 1) + [LAST_FRAME_MS]
    indexed[0].save(
      gif, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0
    )
    if gif.tell() <= MAX_BYTES or len(indexed) <= 2:
      return gif.getvalue()
    indexed = [indexed[i] for i in _every(len(indexed) - 1, 2)]
