"""What to say of a flag that there is not: the nearest right one, and whose it is."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from experiments.settings.flags import Flag, of_others


def told(command: str, flags: list[Flag], rest: list[str]) -> str:
  """What to say of arguments that no flag takes."""
  word = next((word for word in rest if word.startswith("--")), None)
  if word is None:
    return f"{rest[0]!r} is not expected here; see rarebird {command} --help."
  name = word.partition("=")[0].removeprefix("--")
  others = list(of_others(flags))
  if told := _of_a_method(name, [*_chosen_methods(flags), *others]):
    return told
  known = {spelled: spelled for flag in flags for spelled in _spellings(flag)}
  theirs = {f.name: f"{f.name} (with --{c.name} {m})" for c, m, more in others for f in more}
  lasts = {n.rpartition(".")[2]: shown for n, shown in (theirs | known).items() if "." in n}
  for names in (known, lasts | theirs):
    if near := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
      return f"there is no --{name}; did you mean --{names[near[0]]}?"
  return f"there is no --{name}; see rarebird {command} --help{' all' if others else ''}."


def _of_a_method(name: str, methods: list[tuple[Flag, str, list[Flag]]]) -> str:
  """What to say of a flag that is a method's, by its whole name, or its method's before it."""
  belongs = [
    (choice, method)
    for choice, method, flags in methods
    if any(name in _spellings(flag) for flag in flags)
  ]
  if belongs:
    choice, first = belongs[0]
    every = ", ".join(method for _, method in belongs)
    give = f"{choice.name} {first}" if len(belongs) == 1 else f"{choice.name} with one of them"
    now = " ".join(choice.methods) or "none"
    return f"--{name} belongs to {every}, and --{choice.name} is {now}; give --{give}."
  for choice, method, flags in methods:
    for flag in flags:
      last = flag.name.removeprefix(choice.under(method))
      mine = method in choice.methods
      if name == f"{method}-{last}".replace("_", "-") or (mine and name == last):
        give = "" if mine else f"--{choice.name} {method} "
        return f"there is no --{name}; {method} has it: give {give}--{flag.name}."
  return ""


def _spellings(flag: Flag) -> tuple[str, ...]:
  return (flag.name, flag.off) if flag.kind is bool else (flag.name,)


def _chosen_methods(flags: list[Flag]) -> Iterator[tuple[Flag, str, list[Flag]]]:
  """Of every choice the method that is chosen, with its flags."""
  for choice in flags:
    if choice.registry is not None:
      for method in choice.methods:
        yield choice, method, [flag for flag in flags if flag.name.startswith(choice.under(method))]
