"""Builds the documentation as a site: `make docs`, or `python -m docs.site.build FOLDER`.

The repository's pages are laid out as they lie there, so that their links hold, beside pages made
from the registries; mkdocs makes HTML of all of them. Nothing is loaded from elsewhere, neither
while it is built nor while it is read.
"""

from __future__ import annotations

import logging
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import material
from mkdocs.commands import build as mkdocs_build
from mkdocs.config.defaults import MkDocsConfig
from pymdownx.slugs import slugify

from docs.site import measured, methods

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
FENCE = re.compile(r"(^```.*?^```\n?)", re.M | re.S)
CODE_FILE = re.compile(
  r"(?<!\[)`((?:agents|envs|experiments|tests|docs)/[\w./-]+\.(?:py|toml))`(?!\])"
)
TARGET = re.compile(r"(\]\(|^\[[^\]]+\]: )([^)\s]+)", re.M)
GUIDES = {
  "Launch on a cluster": "docs/guides/cluster.md",
  "Add an environment": "docs/guides/environment.md",
  "Compare bonuses": "docs/guides/bonuses.md",
  "Coming from elsewhere": "docs/guides/coming-from.md",
}
NAV: dict[str, Any] = {
  "Home": "README.md",
  "Start": "docs/start.md",
  "Guides": {
    **GUIDES,
    "Distributed": "docs/distributed.md",
    "Goals": "docs/goals.md",
    "Offline": "docs/offline.md",
    "Trackers": "docs/trackers.md",
    "Handing on a run": "docs/sharing.md",
    "FAQ": "docs/faq.md",
  },
  "Environments": {
    "All environments": "docs/environments.md",
    "Zipf's Labyrinth": "docs/labyrinth.md",
    "The hard eight": "docs/hard_eight.md",
    "environments": None,
  },
  "Methods": {
    "Agents and what they are made of": "docs/agents.md",
    "What bonuses pay for": "docs/bonuses.md",
    "Methods of your own": "docs/methods.md",
    **dict.fromkeys(kind for kind in methods.KINDS if kind != "environments"),
  },
  "Results": "docs/results",
  "Code": {
    "How it is laid out": "BUILD_NOTES.md",
    "Contributing": "CONTRIBUTING.md",
    "What stays": "docs/stability.md",
    "Changes": "CHANGELOG.md",
  },
}
"""The pages in order; None stands for the pages of a kind of methods, and a folder for its own."""


def main(arguments: Sequence[str]) -> int:
  """Builds into a folder, by default build/site; returns 0, or 1 for a link that leads nowhere."""
  out = Path(arguments[0] if arguments else ROOT / "build/site").resolve()
  staged = out.parent / f"{out.name}-pages"
  shutil.rmtree(staged, ignore_errors=True)
  logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
  config = _config(staged, out, stage(staged))
  config.plugins.on_startup(command="build", dirty=False)
  try:
    mkdocs_build.build(config)
  except mkdocs_build.Abort as error:
    print(f"docs: {error}", file=sys.stderr)
    return 1
  finally:
    config.plugins.on_shutdown()
  print(f"{out / 'index.html'}: {sum(1 for _ in out.rglob('*.html'))} pages")
  return 0


def stage(staged: Path) -> list[Any]:
  """Writes all pages as Markdown; returns how they are found, as mkdocs has it."""
  sources: set[str] = set()
  made: dict[str, dict[str, str]] = {}
  known = measured.sections(ROOT / "docs/results", ROOT)
  for kind in methods.KINDS:
    for page in methods.pages(kind, known, sources):
      made.setdefault(kind, {})[page.title] = page.path
      _write(staged / page.path, page.text)
  names = ("README.md", "BUILD_NOTES.md", "CONTRIBUTING.md", "CHANGELOG.md")
  texts = {ROOT / name: "" for name in names if (ROOT / name).exists()}
  for path in [*texts, *sorted((ROOT / "docs").rglob("*.md"))]:
    _write(staged / path.relative_to(ROOT), _page(path, staged, sources))
  for source in sorted(sources):
    if (ROOT / source).is_file() and not source.endswith(".md"):
      _write(staged / "source" / f"{source}.md", _source(source))
  shutil.copy(ROOT / "LICENSE", staged / "LICENSE.txt")
  for name in ("style.css", "iframe-worker.js"):
    shutil.copy(HERE / name, staged / name)
  return _nav(NAV, made)


def _write(path: Path, text: str) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text, "utf-8")


def _page(path: Path, staged: Path, sources: set[str]) -> str:
  """A page of the repository: what it links to that is no page is brought along."""
  up = "../" * (len(path.relative_to(ROOT).parts) - 1)

  def target(match: re.Match[str]) -> str:
    address, hash_mark, anchor = match[2].partition("#")
    if not address or re.match(r"[a-z]+:", address):
      return match[0]
    there = (path.parent / address).resolve()
    place = there.relative_to(ROOT)
    if there.is_dir():
      _folder(there, staged / place / "README.md")
      address = f"{address.rstrip('/')}/README.md"
    elif there.suffix in (".py", ".toml", ".sh", ""):
      sources.add(str(place))
      address = f"{up}source/{place}.md"
    elif there.suffix != ".md":
      (staged / place).parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(there, staged / place)
    return f"{match[1]}{address}{hash_mark}{anchor}"

  def code(match: re.Match[str]) -> str:
    if not (ROOT / match[1]).is_file():
      return match[0]
    sources.add(match[1])
    return f"[`{match[1]}`]({up}source/{match[1]}.md)"

  pieces = FENCE.split(path.read_text("utf-8"))
  for i in range(0, len(pieces), 2):
    pieces[i] = CODE_FILE.sub(code, TARGET.sub(target, pieces[i]))
  return "".join(pieces)


def _folder(folder: Path, page: Path) -> None:
  """A page that lists the files of a folder of data; they are in the repository alone."""
  files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
  rows = "\n".join(f"| `{path.relative_to(folder)}` | {path.stat().st_size:,} |" for path in files)
  name = folder.relative_to(ROOT)
  _write(
    page,
    f"---\nsearch:\n  exclude: true\n---\n\n# {name}\n\nThis folder of the repository holds:\n\n"
    f"| file | bytes |\n|---|---|\n{rows}\n",
  )


def _source(path: str) -> str:
  """A file of the repository as a page; search leaves it out."""
  text = (ROOT / path).read_text("utf-8")
  language = {".py": "python", ".toml": "toml", ".sh": "bash"}.get(Path(path).suffix, "text")
  head = "---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n"
  return f"{head}# {path}\n\n````{language}\n{text}````\n"


def _nav(tree: dict[str, Any], made: dict[str, dict[str, str]]) -> list[Any]:
  out: list[Any] = []
  for title, value in tree.items():
    if value is None and title == "environments":
      out += [{name: path} for name, path in list(made[title].items())[1:]]
    elif value is None:
      head, *rest = [{name: path} for name, path in made[title].items()]
      out.append({methods.KINDS[title].title: [*head.values(), *rest]})
    elif isinstance(value, dict):
      out.append({title: _nav(value, made)})
    elif value == "docs/results":
      pages = sorted(path.name for path in (ROOT / value).glob("*.md"))
      pages.sort(key=lambda name: (name != "README.md", name))
      out.append({title: [f"{value}/{name}" for name in pages]})
    elif (ROOT / value).exists():
      out.append({title: value})
  return out


def _config(staged: Path, out: Path, nav: list[Any]) -> MkDocsConfig:
  config = MkDocsConfig()
  config.load_dict({
    "site_name": "Rarebird",
    "site_description": "Exploration agents in JAX that learn from rare and hidden things",
    "docs_dir": str(staged),
    "site_dir": str(out),
    "nav": nav,
    "strict": True,
    "use_directory_urls": False,
    "validation": {"links": {"anchors": "warn", "absolute_links": "warn"}},
    "theme": {
      "name": "material",
      "font": False,
      "features": [
        *("navigation.tabs", "navigation.indexes", "navigation.prune", "navigation.top"),
        *("content.code.copy", "search.highlight", "search.share", "toc.follow"),
      ],
      "palette": [
        {
          "media": "(prefers-color-scheme: light)", "scheme": "default", "primary": "indigo",
          "toggle": {"icon": "material/weather-night", "name": "dark"},
        },
        {
          "media": "(prefers-color-scheme: dark)", "scheme": "slate", "primary": "indigo",
          "toggle": {"icon": "material/weather-sunny", "name": "light"},
        },
      ],
    },
    # A shim of ours: a page of a file cannot start the worker that searches.
    "extra": {"polyfills": ["iframe-worker.js"], "generator": False},
    "extra_css": ["style.css"],
    "plugins": ["search", "offline"],
    "markdown_extensions": [
      "tables", "attr_list", "md_in_html", "sane_lists", "pymdownx.superfences",
      "pymdownx.highlight", {"toc": {"slugify": slugify(case="lower"), "permalink": True}},
    ],
  })  # fmt: skip
  errors, warnings = config.validate()
  for _, problem in [*errors, *warnings]:
    print(f"docs: {problem}", file=sys.stderr)
  if errors:
    raise SystemExit(2)
  assert material  # mkdocs finds its theme by this package
  return config


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
