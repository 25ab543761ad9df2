"""What a comparison varies: one choice of a training, under each of several names."""

from __future__ import annotations

import functools
import typing
from typing import Any, Literal

from agents import agent as agents
from experiments.settings import choices, flags
from experiments.settings.errors import UserError
from experiments.settings.flags import Flag
from experiments.settings.train import agent_config

Vary = Literal["bonus", "objective", "core", "torso", "optimiser", "agent", "auxiliary", "planner"]
WHATS: tuple[str, ...] = typing.get_args(Vary)


def every(vary: str, agent: Any) -> list[str]:
  """All names that there are of what is varied, those of ours."""
  if vary == "agent":
    names = agents.registry.names()
    return [name for name in names if not agents.registry.get(name).offline]
  flag = _flag(vary, agent)
  names = flag.registry.names() if flag.registry else list(typing.get_args(flag.kind))
  return [flags.NOTHING, *names] if flag.several else names


def varied(vary: str, word: str, agent_name: str, agent: Any) -> tuple[str, Any]:
  """The name and the settings of the agent of one variant.

  Args:
    vary: one of `WHATS`.
    word: the variant's name, with settings or without: `rnd?size=8`; of auxiliary losses any
      number, as `byol+swav`, or `none`.
    agent_name, agent: of the agent that is varied.

  Raises:
    UserError: for a name or setting that there is not.
  """
  if vary == "agent":
    return _another(word, agent_name, agent)
  flag, what = _flag(vary, agent), f"--vary {vary}"
  if word == _default(flag):  # with the settings that this agent has for it
    return agent_name, agent
  if flag.several:
    assert flag.registry is not None
    words = () if word == flags.NOTHING else tuple(word.split("+"))
    several = choices.parse_several(flag.registry, words, what)
    return agent_name, flags.changed(agent, {flag.path: several})
  if flag.registry is not None:
    return agent_name, flags.changed(agent, {flag.path: choices.parse(flag.registry, word, what)})
  if word not in (known := typing.get_args(flag.kind)):
    raise UserError(f"{what}: {word!r} is none of {', '.join(known)}.")
  return agent_name, flags.changed(agent, {flag.path: word})


def own(vary: str, agent_name: str, agent: Any) -> str:
  """The name of what the agent has where nothing is varied."""
  return agent_name if vary == "agent" else _default(_flag(vary, agent))


def path(vary: str, agent: Any) -> tuple[str, ...]:
  """Where in the agent's settings what is varied stands; () for all of it."""
  return () if vary == "agent" else _flag(vary, agent).path


def _default(flag: Flag) -> str:
  return ("+".join(flag.methods) or flags.NOTHING) if flag.several else flag.default


def _flag(vary: str, agent: Any) -> Flag:
  for flag in flags.walk(agent):
    if flag.name == vary:
      return flag
  raise UserError(f"--vary {vary}: agent settings of {type(agent).__name__} have no {vary}.")


def _another(word: str, agent_name: str, agent: Any) -> tuple[str, Any]:
  """The agent of a name, with what was changed of the first one, and settings given to it."""
  name, pairs = choices.split(word, "--vary agent")
  new = agent if name == agent_name else _carried(name, agent_name, agent)
  by_name = {flag.name.replace("-", "_"): flag for flag in flags.walk(new)}
  kinds = {setting: flag.kind for setting, flag in by_name.items()}
  changes: dict[tuple[str, ...], Any] = {}
  try:
    for setting, value in choices.texts(pairs, "--vary agent").items():
      if setting not in by_name:
        raise ValueError(f"{name} has no setting {setting!r}")
      changes[by_name[setting].path] = choices.converted(kinds, setting, value)
    return name, flags.changed(new, changes) if changes else new
  except ValueError as error:
    raise UserError(f"--vary agent {word!r}: {error}") from error


def _carried(name: str, agent_name: str, agent: Any) -> Any:
  """Another agent with what was changed of the first one's defaults: numbers, and methods with
  their settings where both agents have the same one by default (objectives make the agent)."""
  new, usual = agent_config(name), agent_config(agent_name)
  known, first = {flag.path for flag in flags.walk(new)}, {flag.path for flag in flags.walk(usual)}
  chosen = [flag.path for flag in flags.walk(agent) if flag.registry is not None]
  changes: dict[tuple[str, ...], Any] = {}
  for flag in flags.walk(agent):
    if any(flag.path[: len(path)] == path for path in chosen if path != flag.path):
      continue  # a method's settings go with it
    value = _at(agent, flag.path)
    if flag.path in first and value == _at(usual, flag.path):
      continue
    if flag.path not in known:
      if flag.several:  # losses that a comparison adds by itself
        continue
      raise UserError(f"--vary agent: {name} has no {flag.path[-1]}, which was given.")
    if flag.registry is None or _at(new, flag.path) == _at(usual, flag.path):
      changes[flag.path] = value
  return flags.changed(new, changes) if changes else new


def _at(config: Any, path: tuple[str, ...]) -> Any:
  return functools.reduce(getattr, path, config)


def checked(vary: tuple[str, ...]) -> None:
  """Raises UserError unless --vary names what is varied and what it is to be."""
  if vary and vary[0] not in WHATS:
    raise UserError(f"--vary {vary[0]!r}: name first what is varied, one of {', '.join(WHATS)}.")
  if len(vary) == 1:
    raise UserError(f"--vary {vary[0]}: name at least one after it.")
