"""A page for each method and environment, made from its docstring, settings and results."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agents import agent, auxiliaries, bonuses, objectives, planners
from agents.cores import core
from agents.optimisers import optimiser
from agents.torsos import torso
from docs.site import measured, typeset
from envs import environment
from envs.environment import Environment
from envs.method_files import Listed, read
from envs.registry import Registry
from experiments.settings import flags

UP = "../../"
"""From a page, reference/KIND/NAME.md, to the root."""


class Kind(NamedTuple):
  """A kind of method.

  Attributes:
    title: of its pages.
    singular: of one.
    flag: what names one on the command line; what its settings begin with, where that differs, is
      after a colon.
    registry: where they are found.
    package: of their files.
    about: the page that tells of all.
  """

  title: str
  singular: str
  flag: str
  registry: Registry
  package: str
  about: str


KINDS = {
  "bonuses": Kind("Bonuses", "bonus", "bonus", bonuses.registry, "agents.bonuses", "bonuses.md"),
  "auxiliaries": Kind(
    *("Auxiliary losses", "auxiliary loss", "auxiliary", auxiliaries.registry),
    *("agents.auxiliaries", "agents.md"),
  ),
  "agents": Kind("Agents", "agent", "agent", agent.registry, "agents", "agents.md"),
  "objectives": Kind(
    *("Objectives", "objective", "objective", objectives.registry),
    *("agents.objectives", "agents.md"),
  ),
  "torsos": Kind("Encoders", "encoder", "torso", torso.registry, "agents.torsos", "agents.md"),
  "cores": Kind("Memories", "memory", "core", core.registry, "agents.cores", "agents.md"),
  "planners": Kind(
    "Planners", "planner", "planner", planners.registry, "agents.planners", "methods.md"
  ),
  "optimisers": Kind(
    "Optimisers", "optimiser", "optimiser", optimiser.registry, "agents.optimisers", "agents.md"
  ),
  "environments": Kind(
    "Environments", "environment", "env", environment.registry, "envs", "environments.md"
  ),
}


class Page(NamedTuple):
  """A page: its path below the root, its title, and its text."""

  path: str
  title: str
  text: str


def file_name(name: str) -> str:
  """The file of a method's page: "atari/<game>" is atari_game."""
  return re.sub(r"\W+", "_", name).strip("_")


def pages(kind_name: str, known: list[measured.Section], sources: set[str]) -> Iterator[Page]:
  """The pages of a kind, that which lists the others first.

  Args:
    kind_name: of KINDS.
    known: the sections of results.
    sources: takes the paths of files that the pages link.
  """
  kind = KINDS[kind_name]
  root = Path(__file__).parents[2]
  several = kind_name == "environments"
  listed = [line for line in read(kind.package, several).listed if not line.error]
  folder = f"reference/{kind_name}"
  rows = "\n".join(
    f"| [`{line.name}`]({file_name(line.name)}.md) | {typeset.prose(line.summary)} |"
    for line in listed
  )
  yield Page(
    f"{folder}/README.md",
    kind.title,
    f"# {kind.title}\n\nAll that `rarebird list {kind_name.replace('ironment', '')}` names; [what"
    f" holds for all of them]({UP}docs/{kind.about}), [one of your own]({UP}docs/methods.md).\n\n"
    f"| name | what it is |\n|---|---|\n{rows}\n",
  )
  for line in listed:
    path = str(line.path.relative_to(root))
    sources.add(path)
    body = _environment(kind, line) if several else _settings(kind, line)
    yield Page(
      f"{folder}/{file_name(line.name)}.md",
      re.sub(r"<.*>", "...", line.name),  # which navigation would take for a tag
      "\n\n".join([
        f"# {typeset.prose(line.name)}",
        f"*{typeset.prose(line.summary.strip())}*",
        _told(kind, line, several, sources),
        body,
        _measured(line, known),
        f"## Code\n\n[`{path}`]({UP}source/{path}.md) of [{kind.title.lower()}](README.md).",
      ]) + "\n",
    )  # fmt: skip


def _told(kind: Kind, line: Listed, several: bool, sources: set[str]) -> str:
  """The docstring of a method's file, or of an environment that shares its file."""
  text = ast.get_docstring(ast.parse(line.path.read_text("utf-8"))) or ""
  if several:
    text = f"{text}\n\n{_without_arguments(_builder(kind, line))}"
  told = typeset.document(text)
  parts = [told.summary and typeset.prose(told.summary), told.about]
  for label in typeset.FIELDS:
    if label in told.fields:
      parts.append(f"## {label}\n\n{told.fields[label]}")
  return typeset.linked("\n\n".join(filter(None, parts)), UP, sources)


def _builder(kind: Kind, line: Listed) -> Any:
  """The function or class that makes an environment, or any of a family."""
  if line.prefix:
    return kind.registry.family_of(line.prefix).entry.builder
  return kind.registry.get(line.name)


def _without_arguments(builder: Any) -> str:
  """A builder's docstring after its first line, up to its arguments."""
  kept = itertools.takewhile(
    lambda row: not re.match(r"(Args|Raises|Returns|Attributes):$", row),
    (inspect.getdoc(_made_by(builder)) or "").splitlines()[1:],
  )
  return "\n".join(kept).strip()


def _made_by(builder: Any) -> Any:
  while isinstance(builder, functools.partial):
    builder = builder.func
  return builder


def _arguments(builder: Any) -> dict[str, str]:
  """What the docstrings of a builder say of its arguments."""
  out: dict[str, str] = {}
  for thing in (builder, getattr(builder, "__init__", None)):
    text = inspect.getdoc(thing) or ""
    block = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)+)", text, re.M)
    for name, about in re.findall(
      r"^(\w+): ((?:.*)(?:\n +.*)*)", textwrap.dedent(block[1]) if block else "", re.M
    ):
      out[name] = " ".join(about.split())
  return out


def _environment(kind: Kind, line: Listed) -> str:
  """How an environment is used, and its settings."""
  builder = _builder(kind, line)
  told = _arguments(_made_by(builder))
  signature = inspect.signature(builder)
  rows = [
    (f"`{name}`", _value(p.default), typeset.prose(told.get(name, "")))
    for name, p in signature.parameters.items()
    if p.default is not inspect.Parameter.empty and p.kind != p.VAR_KEYWORD
  ]
  out = []
  if not line.prefix:
    out.append(f"```\nrarebird look {line.name}\nrarebird train --env {line.name}\n```")
    made = _made_by(builder)
    if inspect.isclass(made) and issubclass(made, Environment):
      out.append(_specs(builder))
  out.append("## Settings\n\n" + (_table(("--env-args", "default", ""), rows) or "It has none."))
  return "\n\n".join(out)


def _specs(builder: Any) -> str:
  """What is seen and done in an environment of JAX, as it tells it."""
  env = builder()
  rows = [
    ("observation", typeset.prose(str(env.observation_spec()))),
    ("action", typeset.prose(str(env.action_spec()))),
    ("longest episode", f"{getattr(env, 'max_episode_steps', 'no limit')} steps"),
    ("splits", ", ".join(f"`{name}`" for name in env.splits())),
  ]
  return "## Specs\n\n" + _table(("what", "is"), rows)


def _settings(kind: Kind, line: Listed) -> str:
  """A method's settings, each with its default and its source."""
  show = f"```\nrarebird train --{kind.flag} {line.name} --help\n```"
  if line.name == "fresh":  # learned by another command
    show = "```\nrarebird offline --help\n```"
  if kind.flag == "agent":  # a set of defaults
    settings = kind.registry.get(line.name).config
  else:
    settings = kind.registry.settings(line.name)
  if settings is None:
    return f"## Settings\n\nIt has none of its own.\n\n{show}"
  prefix = f"{kind.flag}."
  if kind.flag == "agent":
    prefix = ""
  elif kind.flag == "auxiliary":
    prefix = f"auxiliary.{line.name.replace('_', '-')}."
  groups: dict[str, list[tuple[str, ...]]] = {}
  for flag in flags.walk(settings(), (), prefix):
    row = (f"`--{flag.name}`", _value(flag.default), typeset.prose(flag.help))
    groups.setdefault(flag.group, []).append(row)
  if len(groups) == 1:
    (rows,) = groups.values()
    tables = _table(("flag", "default", "what it is, and its source"), rows)
  else:
    tables = "\n\n".join(
      f"### {typeset.prose(title)}\n\n{_table(('flag', 'default', 'what it is'), rows)}"
      for title, rows in groups.items()
    )
  return f"## Settings\n\n{typeset.linked(tables)}\n\n{show}"


def _value(value: Any) -> str:
  """A default as it is given on the command line."""
  text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
  return f"`{text}`" if text else "none"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
  if not rows:
    return ""
  lines = [head, ("---",) * len(head), *rows]
  return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _measured(line: Listed, known: list[measured.Section]) -> str:
  """Links to the sections of results that tell of a method."""
  told = [] if line.name in ("none", "auto") else measured.of(line.name, known)
  if not told:
    return "## Measured\n\nNo page of results tells of it."
  links = "\n".join(f"- [{s.page}{': ' if s.title else ''}{s.title}]({UP}{s.target})" for s in told)
  return f"## Measured\n\n{links}"
