"""Environments on the host out of what builds a gymnasium.Env or a dm_env.Environment."""

from __future__ import annotations

import contextlib
import ctypes.util
import functools
import importlib
import inspect
import math
import numbers
import os
import warnings
from collections.abc import Callable
from typing import Any, Literal

import dm_env
import gymnasium
from dm_env import specs

from envs.adapters.gymnasium import FromGymnasium, UndeclaredMask, from_gymnasium
from envs.adapters.spaces import Masks, ignored
from envs.environment import Environment
from envs.host import building, words
from envs.host.canonical import Canonical
from envs.host.processes import ProcessVector, processes_available
from envs.host.serial import SerialVector, ThreadVector, cores
from envs.observation import Spec
from envs.vector import STEP_TIMEOUT, HostEnvironment, VectorEnvironment

Stepping = Literal["serial", "threads", "processes"]
STEPPINGS: tuple[Stepping, ...] = ("serial", "threads", "processes")
READING = ("masks", "text_words", "text_length")
"""Settings of `Host` that say how observations are read."""
FEW_CORES = 4
EPISODE_LIMIT = 10_000
"""Steps after which an episode is cut off where nothing else limits it."""


class Host(HostEnvironment):
  """An environment on the host, in canonical form (see `envs.host.canonical`)."""

  def __init__(
    self,
    build: Callable[[int], dm_env.Environment],
    stepping: Stepping | None = None,
    max_episode_steps: int = EPISODE_LIMIT,
    success_return: float = math.inf,
    cells: int | None = None,
    probe: dm_env.Environment | None = None,
    notes: tuple[str, ...] = (),
    masks: Masks = None,
    text_words: int | None = None,
    text_length: int | None = None,
  ):
    """Describes the environment that `build(seed)` makes.

    Args:
      build: makes one; the seed, in [0, 2**31), fixes its whole sequence of episodes.
      stepping: many of them are stepped "serial" (one after another, for what takes
        microseconds), by "threads" (for what releases the GIL) or by "processes"; None, for what
        takes a tenth of a millisecond, by processes where there are cores enough to gain by it.
        A system without worker processes (Windows) has threads in their place.
        The episodes are the same whichever it is.
      max_episode_steps, success_return: see `HostEnvironment`.
      cells: side of a cell, where what is seen is made of cells, else None.
      probe: one that was built already, to read the specs from; it is reset once.
      notes: see `HostEnvironment`; what the canonical form leaves out is added.
      masks: "ignored" leaves masks of actions out of the observations, and is noted; `build` leaves
        out those of infos (see `from_gym`).
      text_words: numbers for the words of a text, where it is not known which it can hold; by
        default `words.HASHED`.
      text_length: words of a text that are read; by default `words.LENGTH`.

    Raises:
      ValueError: one line, for another way of stepping, no steps, a success that is no number, or
        too few words.
    """
    if stepping is None:
      stepping = "serial" if cores() < FEW_CORES else "processes"
    if stepping not in STEPPINGS:
      raise ValueError(f"stepping is {stepping!r}; expected {', '.join(STEPPINGS)}.")
    check_limit(max_episode_steps)
    check_threshold(success_return)
    self._build = build
    self._stepping = stepping
    self._probe = probe
    self._notes = notes
    if ignored(masks):
      self._notes += ("masks of actions are ignored: masked actions are taken too",)
    check_number("text_words", text_words, 2)
    check_number("text_length", text_length, 1)
    self._reading: dict[str, Any] = {
      "masks": masks,
      "cells": cells,
      "text_words": first_given(text_words, words.HASHED),
      "text_length": first_given(text_length, words.LENGTH),
    }
    self._mask_in_info = False
    self.max_episode_steps = max_episode_steps
    self.success_return = success_return

  @functools.cached_property
  def _specs(self) -> tuple[Spec, specs.Array, tuple[str, ...]]:
    probe, self._probe = self._probe, None
    built = self._build(0) if probe is None else probe
    with contextlib.closing(self._canonical(built)) as env:
      if probe is not None:
        try:
          env.reset()  # one that breaks its own specs is told before a run starts
        except UndeclaredMask:
          self._mask_in_info = True
          env = self._canonical(built)
          env.reset()
      return env.observation_spec(), env.action_spec(), env.notes

  @property
  def notes(self) -> tuple[str, ...]:
    return self._notes + self._specs[2]

  def observation_spec(self) -> Spec:
    return self._specs[0]

  def action_spec(self) -> specs.Array:
    return self._specs[1]

  def make(self, seed: int) -> dm_env.Environment:
    return self._canonical(self._build(seed))

  def vector(self, num_envs: int, seed: int, timeout: float = STEP_TIMEOUT) -> VectorEnvironment:
    """As the contract says; only a step in a process can be timed out and go on."""
    if self._stepping == "serial":
      return SerialVector(self, num_envs, seed)
    if self._stepping == "processes" and not processes_available():
      warnings.warn(
        "this system has no worker processes (Linux and macOS have); environments are stepped by"
        " threads, where one that hangs ends the run.",
        RuntimeWarning,
        stacklevel=2,
      )
    elif self._stepping == "processes":
      return ProcessVector(self, num_envs, seed, timeout)
    return ThreadVector(self, num_envs, seed, timeout)

  def _canonical(self, built: dm_env.Environment) -> Canonical:
    if self._mask_in_info and isinstance(built, FromGymnasium):
      built.expect_mask()
    return Canonical(built, self.max_episode_steps, **self._reading)


def first_given(*values: Any) -> Any:
  """The first that is not None: 0 is a value."""
  return next(value for value in values if value is not None)


def check_limit(max_episode_steps: Any) -> None:
  """Raises ValueError for a limit of an episode's steps that is no integer above 0."""
  if not isinstance(max_episode_steps, numbers.Integral) or max_episode_steps < 1:
    raise ValueError(f"max_episode_steps is {max_episode_steps!r}; expected an integer above 0.")


def check_number(name: str, value: Any, least: int) -> None:
  """Raises ValueError for a setting that is neither None nor an integer from `least` on."""
  if value is not None and (not isinstance(value, numbers.Integral) or value < least):
    raise ValueError(f"{name} is {value!r}; expected an integer from {least} on.")


def check_threshold(success_return: Any) -> None:
  """Raises ValueError for a return that is no number."""
  if not isinstance(success_return, numbers.Real):
    raise ValueError(f"success_return is {success_return!r}; expected a number, or None.")


def extra(module: str, name: str) -> Any:
  """Imports the library behind a family of environments.

  Args:
    module: to import.
    name: of the optional extra that installs it.

  Raises:
    ValueError: one line that says how to install it.
  """
  try:
    return importlib.import_module(module)
  except ImportError as error:
    raise ValueError(
      f"{name} environments need what is not installed ({error}): pip install 'rarebird[{name}]'"
    ) from error


def has_display() -> bool:
  """Whether there is a screen to draw on."""
  return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def draw_without_screen() -> None:
  """Has simulators draw in memory where there is no screen; to be called before they are loaded.

  MuJoCo would ask for a window, and its windows end the process where there can be none.
  """
  if not has_display():
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pygame, with which many draw
    if ctypes.util.find_library("EGL"):
      os.environ.setdefault("MUJOCO_GL", "egl")


def from_gym(env: gymnasium.Env, seed: int, masks: Masks = None) -> dm_env.Environment:
  """A gymnasium environment as dm_env, which draws in memory where there is no screen.

  Raises:
    ValueError: for what `from_gymnasium` refuses.
  """
  draw_without_screen()
  return from_gymnasium(env, seed, masks)


def adopt(builder: Any) -> Any:
  """A user's own builder, which may then also build a gymnasium.Env or a dm_env.Environment.

  Its settings are the builder's, `stepping` and, unless the builder has a setting of that name,
  those of `READING`; see `Host`. A builder that has a setting `seed` is given one
  for each copy, unless it is given by hand; gymnasium environments are seeded by their `reset`
  too. One that has a setting `render_mode` is asked for pictures, where it offers them.
  """
  if not callable(builder) or (inspect.isclass(builder) and issubclass(builder, Environment)):
    return builder
  try:
    signature = inspect.signature(builder)
  except ValueError:  # a builtin, which builds no environment
    return builder
  if "stepping" in signature.parameters:  # it builds a HostEnvironment and knows all this
    return builder

  added = [name for name in ("stepping", *READING) if name not in signature.parameters]

  @functools.wraps(builder)
  def build(**settings: Any) -> Any:
    ours = {name: settings.pop(name, None) for name in added}
    make = functools.partial(builder, **settings)
    env, another = building.first_built(builder, make, settings)
    if isinstance(env, gymnasium.Env | dm_env.Environment):
      return _own(env, another, **ours)
    for name, value in ours.items():
      if value is not None:
        raise ValueError(f"a {type(env).__name__} has no setting {name!r}.")
    return env

  optional = inspect.Parameter("stepping", inspect.Parameter.KEYWORD_ONLY, default=None)
  known = {**signature.parameters, **{name: optional.replace(name=name) for name in added}}
  if "seed" in known and known["seed"].default is inspect.Parameter.empty:  # it is drawn
    known["seed"] = optional.replace(name="seed")
  own = sorted(known.values(), key=lambda parameter: parameter.kind)
  build.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
  return build


def _own(
  env: Any,
  another: Callable[[int], Any],
  stepping: Stepping | None = None,
  masks: Masks = None,
  **reading: Any,
) -> Host:
  spec = getattr(env, "spec", None)

  def own(name: str, registered: str, default: Any) -> Any:
    return first_given(getattr(env, name, None), getattr(spec, registered, None), default)

  def build(seed: int) -> dm_env.Environment:
    made = another(seed)
    return from_gym(made, seed, masks) if isinstance(made, gymnasium.Env) else made

  host = Host(
    build,
    first_given(stepping, "processes"),
    max_episode_steps=own("max_episode_steps", "max_episode_steps", EPISODE_LIMIT),
    success_return=own("success_return", "reward_threshold", math.inf),
    cells=getattr(env, "cell_pixels", None),
    probe=from_gym(env, 0, masks) if isinstance(env, gymnasium.Env) else env,
    masks=masks,
    **reading,
  )
  host.observation_spec()  # now, so that what is unsupported is told at once
  return host
