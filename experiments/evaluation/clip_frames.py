"""What a clip shows: steps of an episode, laid out and written as a GIF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.environment import Environment
from envs.host.environment import HostEnvironment
from experiments.evaluation import attention
from experiments.evaluation.pictures import COLOURS, GREY
from experiments.settings.errors import UserError

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
MAX_STEPS = 2000
"""Longer episodes are cut off."""
STRIP_GAP = 3
"""Pixels between the pictures of a film strip."""
UNDRAWN = "the environment draws no pictures"


class NoClip(UserError):
  """Why there is no clip, in one line without a full stop."""


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
    attention: what the encoder looked at, weights [F, h, w] that add up to 1; None where that is
      not shown.
  """

  steps: np.ndarray
  rendered: np.ndarray | None
  seen: np.ndarray | None
  returns: np.ndarray
  length: int
  success: bool | None
  missing: str = ""
  attention: np.ndarray | None = None


def picture(env: Environment | HostEnvironment, observation: Any) -> Any:
  """The first leaf of an observation that is a picture; None where there is none."""
  spec = env.observation_spec()
  for leaf, x in zip(jax.tree.leaves(spec), jax.tree.leaves(observation), strict=True):
    if leaf.dtype == np.uint8 and len(leaf.shape) in (2, 3):
      return x
  return None


def encode(episode: Episode) -> bytes:
  """The GIF of an episode; NoClip where there is nothing to see."""
  columns = {}
  if episode.rendered is not None:
    columns["the environment"] = scale(episode.rendered)
  seen = None if episode.seen is None else rgb(episode.seen)
  if episode.attention is not None:
    columns = {"where it looks": attention.drawn(seen, episode.attention)} | columns
  if seen is not None:
    columns = {"what the agent sees": scale(seen)} | columns
  if not columns:
    raise NoClip(episode.missing)
  length, outcome = episode.length, "success" if episode.success else "no success"
  pages = []
  for i, step in enumerate(episode.steps):
    caption = f"step {step}   return {round(float(episode.returns[i]), 2) + 0.0:.2f}"
    if step == length and episode.success is not None:
      caption += f"   {outcome}"
    if episode.attention is not None:
      caption += f"   {attention.told(episode.attention[i])}"
    pictures = {name: column[i] for name, column in columns.items()}
    pages.append(frame(pictures, caption, step / max(length, 1)))
  return gif(pages)


def strip(episode: Episode, frames: int = 8, height: int = 96) -> bytes:
  """A PNG of `frames` pictures of an episode, from its first step to its last, side by side."""
  if episode.rendered is None:
    raise NoClip(episode.missing)
  return _png(_row(episode.rendered, frames, height), colours=64)


def sheet(episodes: Sequence[Episode], frames: int = 8, height: int = 96) -> bytes:
  """A PNG of episodes one below the other: what became of each, and `frames` of its pictures."""
  rows = []
  for number, episode in enumerate(episodes):
    shown = episode.rendered
    if shown is None:
      if episode.seen is None:
        raise NoClip(episode.missing)
      shown = rgb(episode.seen)
    text = f"{number}: {episode.length} steps, return {float(episode.returns[-1]) + 0.0:.2f}"
    if episode.success is not None:
      text += ", success" if episode.success else ", no success"
    rows.append((text, _row(shown, frames, height)))
  width, step = max(row.width for _, row in rows), MARGIN + LINE + rows[0][1].height
  page = Image.new("RGB", (width + 2 * MARGIN, len(rows) * step + MARGIN), "white")
  draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=14)
  for i, (text, row) in enumerate(rows):
    draw.text((MARGIN, i * step + MARGIN // 2), text, GREY, font)
    page.paste(row, (MARGIN, i * step + MARGIN // 2 + LINE))
  return _png(page, colours=256)


def _row(pictures: np.ndarray, frames: int, height: int) -> Image.Image:
  """`frames` of pictures [F, H, W, 3], the first and the last among them, side by side."""
  picks = np.unique(np.linspace(0, len(pictures) - 1, frames).round().astype(int))
  h, w = pictures.shape[1:3]
  enlarged = height // h
  size = (w * enlarged, h * enlarged) if enlarged else (max(w * height // h, 1), height)
  how = Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX
  row = Image.new("RGB", (len(picks) * (size[0] + STRIP_GAP) - STRIP_GAP, size[1]), "white")
  for i, pick in enumerate(picks):
    row.paste(Image.fromarray(pictures[pick]).resize(size, how), (i * (size[0] + STRIP_GAP), 0))
  return row


def _png(picture: Image.Image, colours: int) -> bytes:
  png = io.BytesIO()
  picture.quantize(colours, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)
  return png.getvalue()


def every(last: int, stride: int) -> np.ndarray:
  """Every stride-th index from 0, and the last."""
  return np.unique(np.append(np.arange(0, last, max(stride, 1)), last))


def rgb(pixels: np.ndarray) -> np.ndarray:
  """Pixels [F, H, W] or [F, H, W, C] as [F, H, W, 3]; of C other than 3 the last is the newest."""
  if pixels.ndim == 4 and pixels.shape[-1] == 3:
    return pixels
  newest = pixels if pixels.ndim == 3 else pixels[..., -1]
  return np.repeat(newest[..., None], 3, axis=-1)


def scale(pictures: np.ndarray) -> np.ndarray:
  """Enlarges [F, H, W, 3] by whole pixels to about `PANEL_PIXELS`."""
  factor = min(round(PANEL_PIXELS / pictures.shape[1]), PANEL_WIDTH // pictures.shape[2])
  factor = max(1, factor)
  return pictures.repeat(factor, axis=1).repeat(factor, axis=2)


def frame(pictures: dict[str, np.ndarray], caption: str, done: float) -> Image.Image:
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


def gif(frames: list[Image.Image]) -> bytes:
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
    indexed = [indexed[i] for i in every(len(indexed) - 1, 2)]
