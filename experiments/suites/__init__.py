"""Suites of comparisons, as data; see `experiments.settings.suites`."""
