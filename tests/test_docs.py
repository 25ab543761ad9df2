"""README, BUILD_NOTES and docs/: links lead somewhere, lines are short, named files exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.site import commands

ROOT = Path(__file__).parents[1]
TOP = [ROOT / f"{name}.md" for name in ("README", "BUILD_NOTES", "CONTRIBUTING", "CHANGELOG")]
PAGES = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
WITH_PYTHON = [page for page in PAGES if "```python\n" in page.read_text()]

FENCE = re.compile(r"^```.*?^```\n?", re.M | re.S)
INLINE = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
REFERENCE = re.compile(r"\[(?:[^\[\]])+\]\[([^\]]+)\]")
DEFINITION = re.compile(r"^\[([^\]]+)\]: (\S+)$", re.M)
FILE = re.compile(r"`((?:agents|envs|experiments|tests|docs)/[\w./-]+)`")


def name(page: Path) -> str:
  return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
  """The text of a page without its blocks of code."""
  return FENCE.sub("", page.read_text())


def without_code(page: Path) -> str:
  """The same with a word in place of each piece of inline code."""
  return re.sub(r"`[^`]*`", "code", prose(page))


def links(page: Path) -> list[str]:
  """Where a page's inline links and the references that it defines lead."""
  text = without_code(page)
  return INLINE.findall(text) + [target for _, target in DEFINITION.findall(text)]


def anchors(page: Path) -> set[str]:
  """The anchors that GitHub gives a page's headings."""
  counts: dict[str, int] = {}
  result = set()
  for heading in re.findall(r"^#+ (.*)$", prose(page), re.M):
    slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
    count = counts.get(slug, 0)
    counts[slug] = count + 1
    result.add(f"{slug}-{count}" if count else slug)
  return result


def test_anchors_are_githubs():
  page = ROOT / "docs/results/soft.md"
  assert "three-seeds-of-each-agent-with-and-without-byol" in anchors(page)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_to_files_and_anchors(page):
  for target in links(page):
    if re.match(r"[a-z]+:", target):
      continue
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    assert there.is_relative_to(ROOT), target
    assert there.exists(), f"{target} does not exist"
    assert not anchor or anchor in anchors(there), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_references_are_defined_and_used(page):
  text = without_code(page)
  assert set(REFERENCE.findall(text)) == {label for label, _ in DEFINITION.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_named_files_exist(page):
  for path in FILE.findall(prose(page)):
    assert "NAME" in path or (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_line_is_over_100_characters(page):
  lines = page.read_text().splitlines()
  assert [(i, line) for i, line in enumerate(lines, 1) if len(line) > 100] == []


def test_every_page_is_linked_from_another():
  linked = {
    (page.parent / target.partition("#")[0]).resolve()
    for page in PAGES
    for target in links(page)
    if target.partition("#")[0]
  }
  assert set(PAGES) - linked == set()


def test_readme_and_build_notes_are_short():
  assert len((ROOT / "README.md").read_text().splitlines()) < 250
  assert (ROOT / "BUILD_NOTES.md").stat().st_size < 25_000


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_of_a_page_are_taken(page):
  of_page = commands.of_page(page.read_text())
  assert [(c, wrong) for c in of_page if (wrong := commands.wrong(c))] == []


def test_a_command_that_is_wrong_is_noticed():
  (command,) = commands.of_page(
    "```\nrarebird train --bonus rnd \\\n  --bonus.siez 3 # three\n```\n"
  )
  assert command == ["train", "--bonus", "rnd", "--bonus.siez", "3"]
  assert "--bonus.siez" in commands.wrong(command)


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_python_of_a_page_runs_from_top_to_bottom(page):
  code = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S))
  # A process of its own, as the examples register names.
  done = subprocess.run(
    [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
  )
  assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_rows_of_a_table_have_as_many_cells_as_its_head(page):
  for table in re.findall(r"(?:^\|.*\|$\n?)+", prose(page), re.M):
    head, *rows = (row.count("|") for row in table.splitlines())
    assert [row for row in rows if row != head] == [], table
