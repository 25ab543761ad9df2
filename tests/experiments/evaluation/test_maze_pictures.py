"""The picture of a goal memory: drawn where there is one, of a maze of places."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import envs
from agents import reach
from agents.cores import core as cores
from agents.torsos import torso as torsos
from agents.world_model.world_model import WorldModelConfig
from experiments.evaluation import maze_pictures

ENV = envs.make("goals/u_maze", free=True)


@pytest.fixture(scope="module")
def agent():
  goals = dataclasses.replace(reach.ReachConfig().goals, goal_capacity=6, walks_kept=16)
  model = WorldModelConfig(
    torso=torsos.registry.choice("siamese"),
    core=cores.registry.choice("feedforward"),
    latent_size=8,
    core_size=8,
  )
  config = reach.ReachConfig(auxiliary=(), head_hidden=8, world_model=model, goals=goals)
  return reach.build(config, ENV)


@pytest.fixture(scope="module")
def empty(agent):
  return agent.init(jax.random.key(0))


def test_it_shows_memory_walks_and_graph(agent, empty, tmp_path):
  views = jax.vmap(lambda key: ENV.view(ENV.anywhere(key)))(jax.random.split(jax.random.key(1), 6))
  state = empty._replace(
    memory=empty.memory._replace(views=views, size=jnp.int32(4)),
    graph=empty.graph._replace(weights=empty.graph.weights.at[0, 1:4].set(1.0)),
    walks=empty.walks._replace(segments=empty.walks.segments.at[0].set(0)),
  )
  assert maze_pictures.write_memory(tmp_path / "goals.png", ENV, agent, state)
  picture = np.asarray(Image.open(tmp_path / "goals.png").convert("RGB"))
  assert picture.shape == (760, 1720, 3)
  assert (np.abs(picture.astype(int) - (0, 0x72, 0xB2)).max(axis=-1) < 8).sum() > 100


def test_without_a_memory_or_a_maze_there_is_nothing_to_draw(agent, empty, tmp_path):
  path = tmp_path / "goals.png"
  full = empty._replace(memory=empty.memory._replace(size=jnp.int32(4)))
  assert not maze_pictures.write_memory(path, ENV, agent, empty)
  assert not maze_pictures.write_memory(path, envs.make("goals/reacher"), agent, full)
  assert not maze_pictures.write_memory(path, ENV, agent._replace(probe=None), full)
  assert not path.exists()
