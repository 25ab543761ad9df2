"""An agent that sees several leaves learns from whichever tells what to do."""

import dataclasses

import pytest

from envs.registry import Choice
from tests.agents.latent.test_probes_learned import CONFIG, learn
from tests.worlds_of_trees import OneLeafTells


@pytest.mark.parametrize("leaf", ["picture", "text", "vector"])
def test_the_leaf_that_tells_the_right_action_is_learned_from(leaf):
  model = dataclasses.replace(CONFIG.world_model, torso=Choice("linear"))
  config = dataclasses.replace(CONFIG, world_model=model)
  _, _, metrics = learn(OneLeafTells(leaf), 150, config)
  assert metrics["return_sum"] / metrics["episodes"] > 0.9
