"""`rarebird look`: what an environment looks like, ten episodes of random play on one sheet."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from envs.environment import Environment
from envs.host.environment import HostEnvironment
from experiments.acting.policy import RandomPolicy
from experiments.commands import terminal
from experiments.evaluation import clip_frames, clips, host_clips
from experiments.evaluation.clip_frames import Episode, NoClip
from experiments.runs.files import write_atomically
from experiments.settings import flags, reader
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, build_environment


@dataclasses.dataclass(frozen=True)
class LookConfig:
  """Look at an environment."""

  env: str = flags.positional()
  """A name of `rarebird list envs`, or module:Name for one of your own."""
  env_args: tuple[str, ...] = ()
  """Settings of the environment, as name=value."""
  split: str = ""
  """Which of its splits, its first by default."""
  episodes: int = 10
  """Episodes of random play, a row each."""
  frames: int = 8
  """Pictures of an episode, from its first step to its last."""
  out: Path = Path("look.png")
  """The sheet, a PNG; a file that is there is replaced."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("look", arguments, LookConfig(flags.REQUIRED), about)
  for name in ("episodes", "frames"):
    if (value := getattr(config, name)) < 1:
      raise UserError(f"--{name} is {value}; it must be at least 1.")
  if config.out.is_dir():
    raise UserError(
      f"--out {config.out} is a folder; give a file in it, {config.out / 'look.png'}."
    )
  return functools.partial(run, config, terminal.console())


def run(config: LookConfig, console: Console) -> int:
  """Plays at random and writes the sheet; returns 0."""
  env = build_environment(TrainConfig(env=config.env, env_args=config.env_args))
  try:
    config.out.parent.mkdir(parents=True, exist_ok=True)  # now, not after minutes of play
    episodes = _functional(env, config) if isinstance(env, Environment) else _hosted(env, config)
    write_atomically(config.out, clip_frames.sheet(list(episodes), config.frames))
  except NoClip as error:
    hint = "; give it render()." if str(error) == clip_frames.UNDRAWN else "."
    raise UserError(f"{config.env} cannot be looked at: {error}{hint}") from error
  except OSError as error:
    raise UserError(f"cannot write to {config.out}: {error.strerror}; give --out.") from error
  console.print(f"{config.out}: {config.episodes} x random play", highlight=False, markup=False)
  return 0


def _functional(env: Environment, config: LookConfig) -> Iterator[Episode]:
  splits = env.splits()
  name = config.split or next(iter(splits))
  if name not in splits:
    raise UserError(f"--split is {name!r}; {config.env} has {', '.join(splits)}.")
  env, count = splits[name], config.episodes
  policy = RandomPolicy(env.action_spec())
  play = clips.episodes_player(env, policy, count, max(config.frames - 1, 1))
  return play((), lambda success, length: range(count))


def _hosted(env: HostEnvironment, config: LookConfig) -> Iterator[Episode]:
  if config.split:
    raise UserError(f"--split is {config.split!r}; {config.env} has no splits.")
  policy = RandomPolicy(env.action_spec())
  for seed in range(config.episodes):
    length = host_clips.length(env, policy, (), seed, time.monotonic)
    yield host_clips.draw(env, policy, (), seed, length, time.monotonic)
