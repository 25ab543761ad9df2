"""How the project is built: imports run down, methods are files, files and functions are small.

What does not keep to it yet is listed here by name. A list may only shrink: an entry that keeps to
the rule by now fails the test until it is taken out.
"""

import ast
import functools
import importlib
import inspect
from pathlib import Path

import pytest

from envs import method_files
from experiments.commands.list_names import FOLDERS

ROOT = Path(__file__).parents[1]
PACKAGES = ("envs", "agents", "experiments")
"""From the lowest to the highest: each may import those before it."""
LONGEST_FILE, LONGEST_FUNCTION = 400, 80

LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
LAZY_IMPORTS = {"experiments.commands.bench:run -> experiments.bench.offline"}
UPWARD_IMPORTS: set[str] = set()
CIRCLES: set[str] = set()


OPTIONAL = {
  "envs.xminigrid.rooms": "xminigrid",
  "experiments.report": "rliable",
  "experiments.experience.reverb": "reverb",
  "experiments.experience.reverb_server": "reverb",
}
"""What needs a library that may be missing, or is heavy, and so is imported when it is used."""


@functools.cache
def modules():
  """The text and the syntax tree of every file, by its name in an import statement."""
  found = {}
  for package in PACKAGES:
    for path in sorted((ROOT / package).rglob("*.py")):
      parts = path.relative_to(ROOT).with_suffix("").parts
      name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
      text = path.read_text("utf-8")
      found[name] = text, ast.parse(text)
  return found


def imported(node):
  """The modules of ours that a statement imports: of `from a.b import c` both a.b and a.b.c."""
  if isinstance(node, ast.Import):
    names = [alias.name for alias in node.names]
  elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
    names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
  else:
    return set()
  return {name for name in names if name in modules()}


def for_types(tree):
  """The statements below `if TYPE_CHECKING`, which are never run."""
  blocks = [
    node.body
    for node in ast.walk(tree)
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
  ]
  return {id(inner) for body in blocks for node in body for inner in ast.walk(node)}


def within_functions(tree):
  """The statements that run when a function is called, with its name."""
  for node in ast.walk(tree):
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
      for inner in ast.walk(node):
        yield node.name, inner


def functions(tree, prefix=""):
  """Every function with its lines, by the names of what it lies in."""
  for node in ast.iter_child_nodes(tree):
    named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    name = f"{prefix}{node.name}." if named else prefix
    if named and not isinstance(node, ast.ClassDef):
      yield name[:-1], node.end_lineno - node.lineno + 1
    yield from functions(node, name)


def imports_at_start():
  """Of every module those that importing it imports, directly."""
  graph = {}
  for name, (_, tree) in modules().items():
    later = {id(inner) for _, inner in within_functions(tree)} | for_types(tree)
    graph[name] = set().union(*(imported(n) for n in ast.walk(tree) if id(n) not in later)) - {name}
    # A package's __init__ that imports what lies in it is no circle: it is done when that begins.
    graph[name] -= {other for other in graph[name] if name.startswith(f"{other}.")}
  return graph


def strongly_connected(graph):
  """The sets of nodes that reach one another, of more than one (Tarjan 1972)."""
  number, low, stack, found = {}, {}, [], []

  def visit(node):
    number[node] = low[node] = len(number)
    stack.append(node)
    for other in graph[node]:
      if other not in number:
        visit(other)
        low[node] = min(low[node], low[other])
      elif other in stack:
        low[node] = min(low[node], number[other])
    if low[node] == number[node]:
      part = stack[stack.index(node) :]
      del stack[stack.index(node) :]
      if len(part) > 1:
        found.append(sorted(part))

  for node in graph:
    if node not in number:
      visit(node)
  return found


def check(found, known):
  """What breaks a rule is what is known to, no more and no less."""
  assert sorted(found - known) == [], "new ones"
  assert sorted(known - found) == [], "take out what keeps to the rule by now"


def test_files_are_short():
  found = {n for n, (text, _) in modules().items() if len(text.splitlines()) > LONGEST_FILE}
  check(found, LONG_FILES)


def test_functions_are_short():
  found = {
    f"{module}:{name}"
    for module, (_, tree) in modules().items()
    for name, lines in functions(tree)
    if lines > LONGEST_FUNCTION
  }
  check(found, LONG_FUNCTIONS)


def test_imports_run_down():
  found = set()
  for module, (_, tree) in modules().items():
    height = PACKAGES.index(module.partition(".")[0])
    for other in set().union(*(imported(node) for node in ast.walk(tree))):
      if PACKAGES.index(other.partition(".")[0]) > height:
        found.add(f"{module} -> {other}")
  check(found, UPWARD_IMPORTS)


def test_imports_make_no_circle():
  check({" ".join(part) for part in strongly_connected(imports_at_start())}, CIRCLES)


def test_nothing_of_ours_is_imported_late():
  """But the command that was chosen, by the command line, and names that cost an import of JAX."""
  found = {
    f"{module}:{function} -> {other}"
    for module, (_, tree) in modules().items()
    for function, node in within_functions(tree)
    for other in imported(node)
    if module not in ("experiments.cli", "experiments.__main__")
    # `from a import b` counts as a and as b; a package alone is none.
    if (ROOT / other.replace(".", "/")).with_suffix(".py").exists() or other in OPTIONAL
    if not any(f"{other}.".startswith(f"{optional}.") for optional in OPTIONAL)
  }
  check(found, LAZY_IMPORTS)


@pytest.mark.parametrize("what", sorted(FOLDERS))
def test_a_methods_file_registers_its_own_name_and_no_other(what):
  package, several = FOLDERS[what], what == "envs"
  lines = method_files.read(package, several).listed
  assert [line.error for line in lines if line.error] == []
  names = [line.name for line in lines]
  assert len(set(names)) == len(names)
  if not several:
    assert all(line.path.stem == line.name for line in lines)
  for line in lines:
    importlib.import_module(line.module)
    assert line.summary, f"{line.path} says nothing of {line.name}"


@pytest.mark.parametrize(
  "what", ["bonuses", "objectives", "torsos", "cores", "optimisers", "planners"]
)
def test_a_method_is_registered_with_the_settings_that_its_builder_takes(what):
  package = FOLDERS[what]
  contract = {"bonuses": "bonus", "objectives": "objective"}.get(what, what[:-1])
  registry = importlib.import_module(f"{package}.{contract}").registry
  for name in (line.name for line in method_files.read(package).listed):
    entry = registry.entry(name)
    if inspect.isclass(entry.builder):
      continue
    taken = next(iter(inspect.signature(entry.builder).parameters.values())).annotation
    asked = "None" if entry.settings is None else entry.settings.__name__
    assert str(taken) in (asked, "Any"), name
