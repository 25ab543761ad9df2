"""`rarebird play`: a clip of a saved run's agent."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from experiments.commands import terminal
from experiments.evaluation import clips
from experiments.evaluation.clip_frames import NoClip
from experiments.runs import experiment as train
from experiments.settings import flags, reader
from experiments.settings.errors import UserError


@dataclasses.dataclass(frozen=True)
class PlayConfig:
  """Play a run's agent."""

  run: Path = flags.positional()
  """The run folder."""
  out: Path = Path("play.gif")
  """The clip, a GIF; a file that is there is replaced."""


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  config = reader.read("play", arguments, PlayConfig(flags.REQUIRED), about)
  if config.out.is_dir():
    raise UserError(
      f"--out {config.out} is a folder; give a file in it, {config.out / 'play.gif'}."
    )
  return functools.partial(run, config, terminal.console())


def run(config: PlayConfig, console: Console) -> int:
  """Plays the newest checkpoint and writes the clip; returns 0."""
  experiment, state = train.load(config.run)
  try:
    config.out.parent.mkdir(parents=True, exist_ok=True)
    clips.write_episode(config.out, experiment, experiment.loop.variables(state))
  except NoClip as error:
    raise UserError(f"{config.run} cannot be shown: {error}.") from error
  except OSError as error:
    raise UserError(f"cannot write to {config.out}: {error.strerror}; give --out.") from error
  step = experiment.steps(experiment.loop.updates(state))
  console.print(f"{config.out}: {config.run} at step {step:,}", highlight=False, markup=False)
  return 0
