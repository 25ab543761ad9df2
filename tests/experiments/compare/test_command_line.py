"""A command gives back the config that it was made of."""

import dataclasses
import shlex

from agents import objectives
from agents.optimisers import optimiser as optimisers
from experiments.compare import command_line
from experiments.settings import reader
from experiments.settings.compare import CompareConfig
from experiments.settings.train import TrainConfig


def parse(kind, words):
  return reader.read("train", words, kind())


def test_a_run_of_a_comparison_is_read_back_as_it_was(small):
  config = small.train_config("byol_explore", "deep_sea?size=4", 0.003)
  config = dataclasses.replace(
    config,
    agent=dataclasses.replace(
      config.agent,
      optimiser=optimisers.registry.choice("adam", epsilon=1e-9),
      objective=objectives.registry.choice("ppo", clip=0.2),
    ),
  )
  words = shlex.split(command_line.command("train", config))
  assert words[:2] == ["rarebird", "train"]
  assert parse(TrainConfig, words[2:]) == config


def test_flags_that_are_switched_off_are_read_back(small):
  payment = dataclasses.replace(small.agent.payment, clip_at_mean=False)
  config = dataclasses.replace(
    small, tune=False, agent=dataclasses.replace(small.agent, payment=payment)
  )
  words = shlex.split(command_line.command("compare", config))
  assert parse(CompareConfig, words[2:]) == config


def test_what_is_at_its_default_is_not_said():
  assert command_line.command("train", TrainConfig(seeds=3)) == "rarebird train --seeds 3"
