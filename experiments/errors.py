"""Errors that are told to a person in one line."""


class UserError(Exception):
  """What was wrong, where, and what to do, in one line; the command line prints it and exits 2."""
