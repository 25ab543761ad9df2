"""`python -m experiments` is `rarebird`."""

import importlib.util
import sys
from pathlib import Path


def main() -> None:
  """Loads and runs the command line; Ctrl-C ends it with status 130 while it loads, too.

  Where another distribution's package hides one of ours, one line says so, with status 2.
  """
  try:
    for name in ("agents", "envs"):
      if (where := _hidden_by(name)) is not None:
        print(
          f"rarebird: the package {name!r} in {where} is another distribution's and hides ours:"
          " install Rarebird in a virtual environment of its own.",
          file=sys.stderr,
        )
        sys.exit(2)
    from experiments import cli

    cli.main()
  except KeyboardInterrupt:
    sys.exit(130)


def _hidden_by(name: str) -> Path | None:
  """The folder of another package that `import name` would find in place of ours, or None."""
  spec = importlib.util.find_spec(name)
  places = list(spec.submodule_search_locations or ()) if spec else []
  folder = Path(places[0]) if places else Path()
  init = folder / "__init__.py"
  ours = init.is_file() and "Rarebird" in init.read_text("utf-8")
  return None if ours else folder


if __name__ == "__main__":
  main()
