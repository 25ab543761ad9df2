"""Bonuses in worlds whose observations are trees: each leaf is read in its way, masks are not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dm_env import specs

from agents import bonuses
from agents.bonuses.ndigo import log_loss
from agents.byol_explore import build
from envs.observation import LEGAL, Cells, Tokens
from envs.registry import Choice
from experiments.runtimes import on_device
from tests.agents.latent.test_probes_learned import CONFIG
from tests.worlds_of_trees import OneLeafTells

READING = (
  *("counts", "e3b", "etd", "icm", "ngu", "noveld", "re3", "recode", "ride", "rle", "rnd"),
)
CHOICES = [
  *(bonuses.registry.choice(name) for name in READING),
  bonuses.registry.choice("ndigo", form="decoded", horizon=2),
]


class MaskedTree(OneLeafTells):
  """All kinds of leaves, and a mask that allows everything."""

  def show(self, cue):
    return super().show(cue) | {LEGAL: jnp.ones(2, bool)}

  def observation_spec(self):
    return super().observation_spec() | {LEGAL: specs.BoundedArray((2,), bool, False, True)}


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_a_bonus_reads_every_leaf_but_the_mask(choice):
  model = dataclasses.replace(CONFIG.world_model, torso=Choice("linear"))
  config = dataclasses.replace(CONFIG, bonus=choice, world_model=model)
  env = MaskedTree("text")
  runtime = on_device.build(env, build(config, env), 1)
  # Tracing tells all that can go wrong with shapes, without the time of a compiler.
  carry = jax.eval_shape(runtime.init, jax.random.key(0)[None])
  after, metrics = jax.eval_shape(runtime.run, carry)
  assert jax.tree.map(lambda x: x.shape, after) == jax.tree.map(lambda x: x.shape, carry)
  assert metrics["loss"].dtype == jnp.float32


def test_what_is_decoded_of_a_tree_is_the_mean_over_the_features_of_all_leaves():
  spec = {
    "a": specs.Array((2,), np.float32),
    "b": Cells((1, 2, 1), np.int32, 0, 2, 1),
    "c": Tokens(3, 4),
  }
  rng = np.random.default_rng(0)
  observation = {
    "a": rng.normal(size=(5, 2)).astype(np.float32),
    "b": rng.integers(0, 3, (5, 1, 2, 1)).astype(np.int32),
    "c": np.array([[1, 3, 0]] * 5, np.int32),
  }
  sizes = {"a": 2, "b": 6, "c": 3}
  parts = {name: rng.normal(size=(5, n)).astype(np.float32) for name, n in sizes.items()}
  found = log_loss(spec, np.concatenate(list(parts.values()), axis=-1), observation)
  counts = {"a": 2, "b": 2, "c": 3}  # a cell is one feature, whatever its symbols
  each = {name: log_loss(spec[name], parts[name], observation[name]) for name in spec}
  expected = sum(counts[name] * each[name] for name in spec) / sum(counts.values())
  np.testing.assert_allclose(found, expected, rtol=1e-5)
