"""Environments on the host out of what builds a gymnasium.Env or a dm_env.Environment."""

from __future__ import annotations

import contextlib
import ctypes.util
import functools
import math
import numbers
import os
from collections.abc import Callable
from typing import Any

import dm_env
import gymnasium
from dm_env import specs

from envs.adapters.from_gymnasium import FromGymnasium, UndeclaredMask, from_gymnasium
from envs.adapters.spaces import Masks, ignored
from envs.host import words
from envs.host.canonical import Canonical
from envs.host.environment import STEPPINGS, HostEnvironment, Stepping
from envs.host.serial import cores
from envs.observation import Spec

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
    apart: bool = False,
    probe: dm_env.Environment | None = None,
    notes: tuple[str, ...] = (),
    masks: Masks = None,
    text_words: int | None = None,
    text_length: int | None = None,
  ):
    """Describes the environment that `build(seed)` makes.

    Args:
      build: makes one; the seed, in [0, 2**31), fixes its whole sequence of episodes.
      stepping: how many of them are stepped, see `envs.host.vector`; None, for what takes a tenth
        of a millisecond, by processes where there are cores enough to gain by it.
      max_episode_steps, success_return: see `HostEnvironment`.
      cells: side of a cell, where what is seen is made of cells, else None.
      apart: whether each part of what is seen is a leaf of its own, of numbers too.
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
    self.stepping = stepping
    self._probe = probe
    self._notes = notes
    if ignored(masks):
      self._notes += ("masks of actions are ignored: masked actions are taken too",)
    check_number("text_words", text_words, 2)
    check_number("text_length", text_length, 1)
    self._reading: dict[str, Any] = {
      "masks": masks,
      "cells": cells,
      "apart": apart,
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
