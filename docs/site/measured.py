"""Which sections of docs/results tell of a method: those that write its name as code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pymdownx.slugs import slugify

FENCE = re.compile(r"^```.*?^```\n?", re.M | re.S)
SPLIT = re.compile(r"[\s|`,;()?\"'{}]+")
slug = slugify(case="lower")


class Section(NamedTuple):
  """A section of a page: its page's title and its own, where it is, and the names in its code."""

  page: str
  title: str
  target: str
  names: frozenset[str]


def sections(folder: Path, root: Path) -> list[Section]:
  """The sections of a folder's pages, of each page in order; what falls short is no result."""
  return [
    section
    for path in sorted(folder.glob("*.md"))
    if path.stem not in ("README", "what-falls-short")
    for section in _of_page(path, root)
  ]


def _of_page(path: Path, root: Path) -> list[Section]:
  out, page, title, lines, fenced = [], "", "", list[str](), False

  def close() -> None:
    if page:
      anchor = f"#{slug(title, '-')}" if title else ""
      target = f"{path.relative_to(root)}{anchor}"
      out.append(Section(page, title, target, _names("\n".join(lines))))
    lines.clear()

  for line in path.read_text("utf-8").splitlines():
    fenced ^= line.startswith("```")
    if not fenced and (match := re.match(r"(#{1,3}) (.*)", line)):
      close()
      if len(match[1]) == 1:
        page = match[2]
      else:
        title = match[2].replace("`", "")
    lines.append(line)
  close()
  return out


def _names(text: str) -> frozenset[str]:
  """The words of blocks of code, of inline code, and of the cells of tables."""
  fences = FENCE.findall(text)
  rest = FENCE.sub("", text)
  cells = [c for line in rest.splitlines() if line.startswith("|") for c in line.split("|")]
  code = [*fences, *re.findall(r"`([^`]+)`", rest)]
  words = {word for piece in code for word in SPLIT.split(piece)}
  return frozenset(words | {cell.strip(" `") for cell in cells})


def of(name: str, known: list[Section]) -> list[Section]:
  """The sections that tell of a name; "atari/<game>" is every name that begins with "atari/"."""
  prefix, family, _ = name.partition("<")
  if family:
    return [s for s in known if any(word.startswith(prefix) for word in s.names)]
  return [section for section in known if name in section.names]
