"""`python -m experiments` is `rarebird`."""

from experiments.cli import main

main()
