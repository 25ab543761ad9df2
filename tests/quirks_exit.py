"""A module that exits where it is imported."""

import sys

sys.exit(6)
