"""Which names the files of a folder register, read without importing them.

A method's file registers itself by a call that is written out, its name a literal:

  @registry.register("rnd", RNDConfig, summary="error in predicting a random network's output")

so that names and summaries can be had without what the file itself imports. Where a folder holds a
method a file, the file's name is the method's.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CALLS = re.compile(r"""registry\.(register|family|hint)\b""")


class Listed(NamedTuple):
  """A name that a file registers.

  Attributes:
    name: as it is given; of a family with what stands for the rest, "atari/<game>".
    summary: one line; of a file that cannot be taken, what is wrong with it.
    module: the file's, as in an import statement.
    path: of the file.
    prefix: "atari/" of a family, else "".
    error: what is wrong with the file, one line, or "".
  """

  name: str
  summary: str
  module: str
  path: Path
  prefix: str = ""
  error: str = ""


class Folder(NamedTuple):
  """What the files of a folder register.

  Attributes:
    listed: by name, in order; a name that two files register stands twice.
    hints: modules that know how names of others are spelled here (`registry.hint`).
  """

  listed: tuple[Listed, ...]
  hints: tuple[str, ...]


def folder_of(package: str) -> Path:
  """The folder of "agents.bonuses"; nothing is imported.

  Raises:
    ModuleNotFoundError: if there is no such package.
  """
  top, *below = package.split(".")
  spec = importlib.util.find_spec(top)
  if spec is None or not spec.submodule_search_locations:
    raise ModuleNotFoundError(f"no package {top!r}", name=top)
  return Path(spec.submodule_search_locations[0]).joinpath(*below)


def read(package: str, several: bool = False) -> Folder:
  """Reads the files of a package's folder.

  Args:
    package: such as "agents.bonuses".
    several: a file may register any number of names, and lie in a folder below; else one a file,
      the file's own.
  """
  folder = folder_of(package)
  listed: list[Listed] = []
  hints = []
  for path in sorted(folder.glob("**/*.py" if several else "*.py")):
    text = path.read_text("utf-8")
    if not CALLS.search(text):
      continue
    module = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
    try:
      tree = ast.parse(text)
    except SyntaxError as error:
      wrong = f"{path} is no Python: {error.msg}, line {error.lineno}."
      if several or f'registry.register("{path.stem}"' in text.replace("\n", "").replace("( ", "("):
        listed.append(Listed(path.stem, wrong, module, path, error=wrong))
      continue
    named = list(_names(tree, module, path))
    listed += named if several else _one(named, path)
    if any(isinstance(n, ast.Attribute) and n.attr == "hint" for n in ast.walk(tree)):
      hints.append(module)
  return Folder(tuple(sorted(listed, key=lambda line: (line.name, line.module))), tuple(hints))


def _one(named: list[Listed], path: Path) -> list[Listed]:
  """The one name that a file of a single method registers; what is wrong with others is told."""
  if [line.name for line in named] in ([], [path.stem]):
    return named
  others = " and ".join(repr(line.name) for line in named if line.name != path.stem)
  wrong = f"{path} registers {others}; a file registers its own name alone, {path.stem!r}."
  return [named[0]._replace(name=path.stem, summary=wrong, error=wrong)]


def _names(tree: ast.Module, module: str, path: Path) -> Iterator[Listed]:
  """The calls of `registry.register` and `registry.family` in a file."""
  documented = {
    id(decorator): ast.get_docstring(node)
    for node in ast.walk(tree)
    if isinstance(node, ast.FunctionDef | ast.ClassDef)
    for decorator in node.decorator_list
  }
  for node in ast.walk(tree):
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
      continue
    owner, kind = node.func.value, node.func.attr
    if not (isinstance(owner, ast.Name) and owner.id == "registry"):
      continue
    words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if kind not in ("register", "family") or not words:
      continue
    summary = next((_text(k.value) for k in node.keywords if k.arg == "summary"), "")
    if not summary:
      own = documented.get(id(node)) or ast.get_docstring(tree) or ""
      summary = own.strip().partition("\n")[0]
    if kind == "family":
      yield Listed(f"{words[0]}<{words[1]}>", summary, module, path, prefix=words[0])
    else:
      yield Listed(words[0], summary, module, path)


def _text(node: ast.expr) -> str:
  """The value of a literal string, or "" of anything else."""
  try:
    value = ast.literal_eval(node)
  except ValueError:
    return ""
  return value if isinstance(value, str) else ""
