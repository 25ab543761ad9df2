"""Pictures of a run: its learning curves as a PNG, one of its episodes as a GIF."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter
from PIL import Image, ImageDraw, ImageFont

from agents.agent import Agent
from envs.environment import Environment
from experiments.files import write_atomically
from experiments.train import Experiment, Row

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of the splits, in turn: those of Okabe and Ito (2008), told apart by the colour-blind."""
GREY, LIGHT = "#666666", "#aaaaaa"
PANELS = {
  "bonus": "mean bonus",
  "byol_loss": "BYOL loss",
  "effective_rank": "effective rank",
  "entropy": "policy entropy (nats)",
}
"""Metrics drawn small beneath the scores, where a run has them."""
DPI = 200
LABEL_GAP = 0.06
"""Least distance of two labels, as a share of the height of the axes."""

EPISODES = 16
"""Episodes played, of which one is shown."""
FRAME_MS, LAST_FRAME_MS = 140, 1000
MAX_FRAMES = 100
"""Of a longer episode only every n-th step is shown."""
MAX_BYTES = 1_000_000
PANEL_PIXELS = 320
"""Rough height of a picture in the GIF."""
MARGIN, LINE, BAR = 10, 20, 5
"""Pixels between pictures, of a line of text, and of the progress bar."""


# Learning curves


def series(rows: list[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
  """Collects one metric: steps [N], ascending, and values [S, N], NaN where a seed has none.

  Rows without the metric, or where it is not finite, count as missing.
  """
  found = {
    (row["seed"], row["step"]): row[name] for row in rows if math.isfinite(row.get(name, math.nan))
  }
  seeds = sorted({seed for seed, _ in found})
  steps = sorted({step for _, step in found})
  values = [[found.get((seed, step), math.nan) for step in steps] for seed in seeds]
  return np.array(steps, np.float64), np.array(values, np.float64).reshape(len(seeds), len(steps))


def score(rows: list[Row], refs: dict[str, Any]) -> str:
  """What measures a run: "success", or "return" where success is the same for every policy."""
  values = [row[name] for row in rows for name in row if name.endswith("/success")]
  values += [known["success"] for split in refs.values() for known in split.values() if known]
  return "success" if np.ptp(values) > 1e-6 else "return"


def spread(wanted: list[float], gap: float) -> list[float]:
  """Moves positions up to at least `gap` apart, then down again below 0.98, keeping their order."""
  placed = list(wanted)
  order = sorted(range(len(wanted)), key=lambda i: wanted[i])
  below, above = -math.inf, 0.98 + gap
  for i in order:
    placed[i] = below = max(placed[i], below + gap)
  for i in reversed(order):
    placed[i] = above = min(placed[i], above - gap)
  return placed


def write_curves(path: Path, rows: list[Row], refs: dict[str, Any], title: str = "") -> None:
  """Draws a run's learning curves, 1600 pixels wide, and puts them at `path` in one move.

  Above, the score of every split against environment steps, between random and optimal play: the
  mean over seeds, each seed thin, and the band from the worst seed to the best. Below, the metrics
  that tell whether bonus and world model are alive; one that is zero throughout is left out.

  Args:
    path: of the PNG.
    rows: of metrics.jsonl, in any order.
    refs: `evaluation.references`.
    title: a line above.
  """
  panels = {
    label: curve
    for name, label in PANELS.items()
    if np.any((curve := series(rows, name))[1])  # a bonus of `none` is zero throughout
  }
  figure = Figure(figsize=(8, 5.6 if panels else 4), facecolor="white", layout="constrained")
  grid = figure.add_gridspec(
    2 if panels else 1, max(len(panels), 1), height_ratios=(2.6, 1) if panels else None
  )
  scores = figure.add_subplot(grid[0, :])
  figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", parse_math=False)
  end = max((row["step"] for row in rows), default=1)
  _draw_scores(scores, rows, refs)
  _style(scores, end)
  for i, (label, curve) in enumerate(panels.items()):
    axes = figure.add_subplot(grid[1, i])
    _draw_curve(axes, *curve, "black", 1.2)
    _style(axes, end)
    axes.set_title(label, fontsize=8.5, loc="left")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0), 1.05 * high)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_locator(MaxNLocator(3))
  png = io.BytesIO()
  figure.savefig(png, format="png", dpi=DPI)
  write_atomically(path, png.getvalue())


def _style(axes: Axes, end: float) -> None:
  axes.set_xlim(0, 1.01 * end)
  axes.xaxis.set_major_formatter(EngFormatter(sep=""))
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
  axes.set_axisbelow(True)
  axes.tick_params(labelsize=8.5, colors="#333333")


def _draw_curve(
  axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, width: float
) -> None:
  if len(values) > 1:
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(steps, values.T, color=colour, linewidth=0.6, alpha=0.45)
  # A curve of few points would be invisible, or look denser than it is, without its points.
  marker = "o" if len(steps) <= 12 else None
  mean = np.nanmean(values, axis=0)
  axes.plot(
    steps, mean, color=colour, linewidth=width, marker=marker, markersize=2 + width, clip_on=False
  )


def _draw_scores(axes: Axes, rows: list[Row], refs: dict[str, Any]) -> None:
  what = score(rows, refs)
  known = {"success": "success", "return": "episode_return"}[what]
  form = "{:.0%}" if what == "success" else "{:.3g}"
  steps, values = series(rows, f"episode/{what}")
  if len(steps):
    axes.plot(steps, np.nanmean(values, axis=0), color=LIGHT, linewidth=1)
  labels = []
  for i, (split, reference) in enumerate(refs.items()):
    colour = COLOURS[i % len(COLOURS)]
    # Dots of the splits alternate, for their optimal scores are often one and the same.
    styles = {"random": (0, (5, 3)), "optimal": (3 * i, (1.5, 3 * len(refs) - 1.5))}
    for kind, style in styles.items():
      if reference[kind]:
        axes.axhline(reference[kind][known], color=colour, linewidth=1.1, linestyle=style)
    steps, values = series(rows, f"eval/{split}/{what}")
    if len(steps):
      _draw_curve(axes, steps, values, colour, 2.2)
      last = float(np.nanmean(values[:, -1]))
      labels.append((last, f"{split} {form.format(last)}", colour))
  if what == "success":
    axes.set_ylim(-0.02, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
  low, high = axes.get_ylim()
  heights = spread([(last - low) / (high - low) for last, _, _ in labels], LABEL_GAP)
  for height, (_, text, colour) in zip(heights, labels, strict=True):
    axes.text(
      1.015,
      height,
      text,
      color=colour,
      fontsize=10,
      fontweight="bold",
      va="center",
      transform=axes.transAxes,
      parse_math=False,
    )
  axes.set_ylabel(what, fontsize=9)
  seeds = len({row["seed"] for row in rows})
  several = seeds > 1
  axes.set_xlabel("environment steps" + " of each seed" * several, fontsize=9)
  legend = {
    "agent" + f": mean and range of {seeds} seeds" * several: Line2D(
      [], [], color=GREY, linewidth=2.2
    ),
    "training episodes": Line2D([], [], color=LIGHT, linewidth=1),
    "random play": Line2D([], [], color=GREY, linewidth=1.1, linestyle=(0, (5, 3))),
  }
  if any(reference["optimal"] for reference in refs.values()):
    legend["optimal play"] = Line2D([], [], color=GREY, linewidth=1.1, linestyle=(0, (1.5, 1.5)))
  axes.legend(
    legend.values(),
    legend.keys(),
    loc="lower left",
    bbox_to_anchor=(-0.01, 1),
    ncols=len(legend),
    frameon=False,
    fontsize=8.5,
    borderaxespad=0.2,
    handlelength=1.8,
    columnspacing=1.4,
  )


# An episode


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


def write_episode(path: Path, experiment: Experiment, variables: Any) -> bool:
  """Plays a few training episodes with the first seed's agent and shows one as a looping GIF.

  Left, where observations are pixels, what the agent sees; right, `env.render`. The same variables
  give the same file, of at most about 1 MB: of long episodes not every step is shown.

  Args:
    path: of the GIF, put there in one move.
    experiment: the run.
    variables: the agent's, with a leading axis of seeds.

  Returns:
    False, with nothing written, if the environment cannot be rendered.
  """
  env, agent = experiment.env, experiment.agent
  try:
    jax.eval_shape(lambda key: env.render(env.reset(key)[0]), jax.random.key(0))
  except NotImplementedError:
    return False
  first = jax.tree.map(lambda x: x[0], variables)
  record = jax.jit(lambda variables, pick: _record(env, agent, variables, pick))
  _, _, reward, last = jax.device_get(record(first, 0))
  length = np.argmax(last, axis=0)
  total = np.cumsum(reward, axis=0)
  success = total[length, np.arange(EPISODES)] >= env.success_return
  pick = choose(success, length)
  # Played again, for states and observations of all episodes could fill the memory.
  states, observations, _, _ = record(first, pick)

  steps = _every(int(length[pick]), -(-int(length[pick]) // MAX_FRAMES))
  rendered = jax.jit(jax.vmap(env.render))(jax.tree.map(lambda x: x[steps], states))
  columns = {"the environment": _scale(np.asarray(rendered))}
  spec = env.observation_spec()
  if spec.dtype == np.uint8 and len(spec.shape) in (2, 3):
    columns = {"what the agent sees": _scale(_rgb(np.asarray(observations[steps])))} | columns
  outcome = "success" if success[pick] else "no success"
  frames = []
  for i, step in enumerate(steps):
    caption = f"step {step}   return {round(float(total[step, pick]), 2) + 0.0:.2f}"
    if step == length[pick]:
      caption += f"   {outcome}"
    pictures = {name: column[i] for name, column in columns.items()}
    frames.append(_frame(pictures, caption, step / max(length[pick], 1)))
  write_atomically(path, _gif(frames))
  return True


def _record(env: Environment, agent: Agent, variables: Any, pick: jax.Array) -> tuple:
  """Plays episodes side by side, from a fixed key, for as long as the longest may take.

  Returns:
    The states [T+1, ...] and observations [T+1, ...] of episode `pick`, and of all episodes the
    rewards float32 [T+1, E] and whether they were over, bool [T+1, E]. Index 0 is the reset.
  """
  reset_key, act_key = jax.random.split(jax.random.key(0))
  state, timestep = jax.vmap(env.reset)(jax.random.split(reset_key, EPISODES))

  def body(carry: tuple, t: jax.Array) -> tuple[tuple, tuple]:
    state, timestep, memory = carry
    chosen = jax.tree.map(lambda x: x[pick], (state, timestep.observation))
    over = timestep.last() | (t == env.max_episode_steps)
    out = (*chosen, timestep.reward, over)
    action, _, memory = agent.act(variables, memory, timestep, jax.random.fold_in(act_key, t), True)
    return (*jax.vmap(env.step)(state, action), memory), out

  start = (state, timestep, agent.initial_memory(EPISODES))
  return jax.lax.scan(body, start, jnp.arange(env.max_episode_steps + 1))[1]


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
  factor = max(1, round(PANEL_PIXELS / pictures.shape[1]))
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
