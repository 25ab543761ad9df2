"""Errors that are told to a person in one line."""


class UserError(Exception):
  """What was wrong, where, and what to do, in one line; the command line prints it and exits 2."""


def one_line(error: BaseException) -> str:
  """An error in one line; what a person got wrong is told as it is."""
  if isinstance(error, UserError):
    return str(error)
  return f"{type(error).__name__}: {error}".split("\n")[0][:300]
