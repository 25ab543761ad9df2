"""Characters in twelve fonts, as classes of pictures that come with matplotlib.

matplotlib ships DejaVu: Sans, Sans Mono and Serif, in four styles each. A class is a character that
all twelve have, an exemplar is its picture in one of them. Drawn once, they are kept in the user's
cache folder.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

SIDE = 28
"""Rows and columns of a picture, as of MNIST's and of Omniglot's where it is shrunk (Chan et al.
2022, arXiv 2205.05055, are at 105)."""
FONT_PIXELS = 22
"""Height that a font is drawn at (ours)."""
INNER = 24
"""The longest side of a character within its picture; larger ones are shrunk (ours)."""
CANVAS = 3 * SIDE
"""Side of what a character is first drawn on, with room for the largest."""
DISTINCT = 2.0
"""Squared distance of pictures in [0, 1], mean over fonts, below which two characters are taken for
the same one, such as Latin A and Greek Alpha (ours)."""
FAMILIES = {
  "DejaVuSans": ("", "-Bold", "-Oblique", "-BoldOblique"),
  "DejaVuSansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
  "DejaVuSerif": ("", "-Bold", "-Italic", "-BoldItalic"),
}


def font_files() -> list[Path]:
  """The twelve files.

  Raises:
    ValueError: one line, if this matplotlib lacks one.
  """
  folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
  files = [
    folder / f"{family}{style}.ttf" for family, styles in FAMILIES.items() for style in styles
  ]
  if missing := [file.name for file in files if not file.exists()]:
    raise ValueError(
      f"items=glyphs draws the fonts that matplotlib ships, and {missing[0]} is not in {folder};"
      " pip install --force-reinstall matplotlib, or give items=vectors."
    )
  return files


def code_points() -> list[int]:
  """The characters that all files have, in their order."""
  known = [set(FT2Font(str(file)).get_charmap()) for file in font_files()]
  return sorted(set.intersection(*known))


def picture(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray | None:
  """A character in the middle of a picture, uint8 [SIDE, SIDE]; None where nothing is drawn."""
  canvas = Image.new("L", (CANVAS, CANVAS))
  ImageDraw.Draw(canvas).text((SIDE, SIDE), character, fill=255, font=font)
  box = canvas.getbbox()
  if box is None:
    return None
  drawn = canvas.crop(box)
  if max(drawn.size) > INNER:
    scale = INNER / max(drawn.size)
    width, height = (max(1, round(x * scale)) for x in drawn.size)
    drawn = drawn.resize((width, height), Image.Resampling.BILINEAR)
  out = Image.new("L", (SIDE, SIDE))
  out.paste(drawn, ((SIDE - drawn.width) // 2, (SIDE - drawn.height) // 2))
  return np.asarray(out)


def draw(characters: Iterable[int]) -> np.ndarray:
  """Pictures uint8 [C, 12, SIDE, SIDE] of those of the characters that no font leaves blank."""
  fonts = [ImageFont.truetype(str(file), FONT_PIXELS) for file in font_files()]
  whole = []
  for code in characters:
    drawn = [x for font in fonts if (x := picture(font, chr(code))) is not None]
    if len(drawn) == len(fonts):
      whole.append(np.stack(drawn))
  return np.stack(whole)


def distinct(pictures: np.ndarray) -> np.ndarray:
  """Which classes [C] of pictures [C, F, H, W] are kept: those not nearer than `DISTINCT` to an
  earlier one that is."""
  fonts = pictures.shape[1]
  flat = pictures.reshape(len(pictures), -1).astype(np.float32) / 255.0
  squares = np.sum(np.square(flat), axis=1)
  distances = (squares[:, None] + squares[None] - 2.0 * flat @ flat.T) / fonts
  kept = np.zeros(len(pictures), bool)
  for i, row in enumerate(distances):
    kept[i] = not np.any(row[:i][kept[:i]] < DISTINCT)
  return kept


def cache_file() -> Path:
  """Where the pictures of this matplotlib are kept."""
  root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
  sizes = (SIDE, FONT_PIXELS, INNER, DISTINCT, matplotlib.__version__)
  digest = hashlib.sha256(repr(sizes).encode()).hexdigest()[:8]
  return root / "rarebird" / f"glyphs-{digest}.npy"


@functools.cache
def glyphs() -> np.ndarray:
  """All classes, uint8 [C, 12, SIDE, SIDE]; some ten seconds where they are not kept yet."""
  file = cache_file()
  if file.exists():
    return np.load(file)
  pictures = draw(code_points())
  pictures = pictures[distinct(pictures)]
  file.parent.mkdir(parents=True, exist_ok=True)
  part = file.with_name(f"{file.stem}-{os.getpid()}.part.npy")
  np.save(part, pictures)
  part.replace(file)  # so that no other process reads half of it
  return pictures


def whitened(pictures: np.ndarray, fitted: int, size: int) -> np.ndarray:
  """Pictures [C, F, H, W] as vectors float32 [C, F, size], principal components of equal variance.

  Args:
    pictures: of classes.
    fitted: how many classes, the first ones, the components are those of.
    size: components; a vector's mean squared length over those classes is 1.
  """
  flat = pictures.reshape(*pictures.shape[:2], -1).astype(np.float32) / 255.0
  seen = flat[:fitted].reshape(-1, flat.shape[-1])
  mean = seen.mean(axis=0)
  values, axes = np.linalg.eigh(np.cov(seen, rowvar=False))
  values, axes = values[::-1][:size], axes[:, ::-1][:, :size]
  return ((flat - mean) @ (axes / np.sqrt(size * values))).astype(np.float32)
