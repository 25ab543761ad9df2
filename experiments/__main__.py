"""`python -m experiments` is `rarebird`."""

import sys


def main() -> None:
  """Loads and runs the command line; Ctrl-C ends it with status 130 while it loads, too."""
  try:
    from experiments import cli

    cli.main()
  except KeyboardInterrupt:
    sys.exit(130)


if __name__ == "__main__":
  main()
