"""Small runs of every objective and agent, for what must work in every runtime."""

import dataclasses

from agents import auxiliaries, bonuses, objectives, planners
from agents.cores import core as cores
from agents.torsos import torso as torsos
from experiments.settings.train import TrainConfig, agent_config

OBJECTIVES = objectives.registry.names()
CONTINUOUS = ("sac",)
"""Objectives that take continuous actions alone."""
ON_POLICY = ("pqn", "ppo", "vmpo", "vtrace")
"""Objectives that refuse a replay."""
PLANNED = ("muzero",)
"""Objectives that learn what a planner plans."""
ONE_VALUE = ("none", "pcl", "pqn")
"""Objectives that refuse two streams of rewards."""
GOALS = ("her", "reach")
"""Agents that need an environment with goals."""
UPDATES = 4
PROJECTED = {"projector_hidden": 8, "projector_size": 4}
AUXILIARIES = {
  "align_uniform": {"gap": 1, **PROJECTED},
  "brave": {"narrow": 2, "broad": 8, **PROJECTED},
  "byol": {},
  "byol_image": PROJECTED,
  "classify": {"hidden": 8},
  "cmc": {"gap": 1, "actions": 2, **PROJECTED},
  "consistency": {},
  "cpc": {"steps": 2},
  "infomin": {"gap": 2, "bins": 2, **PROJECTED},
  "msn": {"block": 2, **PROJECTED},
  "outcomes": {"hidden": 8},
  "pmsn": {"block": 2, **PROJECTED},
  "supcon": {"bins": 2, **PROJECTED},
  "swav": {"long": 3, "short": 2, "frozen": 1, **PROJECTED},
  "vicreg": {"gap": 1, **PROJECTED},
}
"""All auxiliary losses but `cosub`, which needs a torso that takes long to compile, and `crd`,
`kd` and `policy_kl`, which need a teacher."""


def small(agent_name, objective=None, runtime="on_device", replay=False, **changes):
  """A run of a few updates that compiles in seconds, in the plainest world that fits."""
  agent = agent_config(agent_name)
  chosen = objectives.registry.choice(objective) if objective else agent.objective
  goals = agent_name in GOALS
  world_model = dataclasses.replace(
    agent.world_model, latent_size=8, core_size=8, predictor_hidden=8, horizon=2
  )
  if not goals:
    linear = torsos.registry.choice("linear")
    world_model = dataclasses.replace(world_model, torso=linear)
  agent = dataclasses.replace(
    agent,
    objective=chosen,
    batch_size=4,
    unroll_length=4,
    head_hidden=8,
    head_layers=1,
    world_model=world_model,
    replay=dataclasses.replace(
      agent.replay,
      replay_capacity=16 if replay else 0,
      replay_min_size=4,
      samples_per_insert=1,
      replay_environments=4,
    ),
  )
  if chosen.name in PLANNED:
    search = planners.registry.choice("mcts", simulations=2, bonus=True)
    again = dataclasses.replace(objectives.registry.settings_of(chosen), reanalyse=0.5)
    chosen = dataclasses.replace(chosen, settings=again)
    agent = dataclasses.replace(agent, planner=search, objective=chosen)
  if goals:
    agent = dataclasses.replace(
      agent,
      goals=dataclasses.replace(agent.goals, goal_capacity=8, walks_kept=4, walk_pairs=8),
    )
  env = "goals/u_maze" if goals else "pendulum" if chosen.name in CONTINUOUS else "deep_sea"
  asked = {
    "env": env,
    "env_args": ("size=4",) if env == "deep_sea" else (),
    "runtime": runtime,
    "steps": 16 * UPDATES + (16 if replay else 0),
    "log_updates": 1,
    "eval_episodes": 2,
    "agent_name": agent_name,
    "agent": agent,
  }
  return TrainConfig(**asked | changes)


def plain(objective, runtime="on_device", replay=False):
  """A run of `byol_explore` without a bonus and a memory, which objectives do not read."""
  config = small("byol_explore", objective, runtime, replay)
  feedforward = cores.registry.choice("feedforward")
  agent = dataclasses.replace(
    config.agent,
    bonus=bonuses.registry.choice("none"),
    # Something has to learn.
    auxiliary=(auxiliaries.registry.choice("byol"),) if objective == "none" else (),
    world_model=dataclasses.replace(config.agent.world_model, core=feedforward),
  )
  return dataclasses.replace(config, agent=agent)


def with_auxiliaries(runtime="on_device", replay=False, names=tuple(AUXILIARIES)):
  """A run with these auxiliary losses at once, in a world of labelled pictures."""
  config = plain("soft_q", runtime, replay)
  choices = tuple(auxiliaries.registry.choice(name, **AUXILIARIES[name]) for name in names)
  agent = dataclasses.replace(config.agent, auxiliary=choices, unroll_length=8)
  return dataclasses.replace(
    config, env="tests.worlds_of_trees:Labelled", env_args=(), agent=agent, steps=2 * config.steps
  )


def with_core(config, name):
  """The run with this memory, as small as it goes."""
  core = cores.registry.choice(name, layers=1)
  world_model = dataclasses.replace(config.agent.world_model, core=core)
  return dataclasses.replace(
    config, agent=dataclasses.replace(config.agent, world_model=world_model)
  )


def with_two_values(config):
  """The run, learning two values where its objective can."""
  if config.agent.objective.name in ONE_VALUE:
    return config
  returns = dataclasses.replace(config.agent.returns, value_streams="separate")
  return dataclasses.replace(config, agent=dataclasses.replace(config.agent, returns=returns))
