"""Zipf's Gridworld replayed against frames of the reference implementation.

`golden/zipf_frames.json` was recorded from google-deepmind/zipfian_environments on pycolab 1.2:
one episode for each of the 20 maps x 20 targets, with random, noisily optimal, or object-avoiding
actions in turn: 16,939 steps, 106 targets touched, 157 wrong objects, 137 truncations. Its frames,
the first one included, are float32; each equals uint8 / 255 exactly, and the SHA-256 is that of
the episode's uint8 frames one after the other.
"""

import hashlib
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.zipf.gridworld import ZipfGridworld

EPISODES = json.loads((pathlib.Path(__file__).parent / "golden" / "zipf_frames.json").read_text())
STEPS = 100
END = {"target": (1.0, 0.0), "wrong": (0.0, 0.0), "time": (0.0, 1.0)}
"""Reward and discount of the last step."""


@jax.jit
@jax.vmap
def replay(map_index, target_index, actions):
  env = ZipfGridworld()
  state, first = env.reset_to(jax.random.key(0), map_index, target_index)
  _, rest = jax.lax.scan(env.step, state, actions)
  return first, rest


@pytest.mark.parametrize("k", range(20))
def test_replay_equals_the_reference(k):
  episodes = [episode for episode in EPISODES if episode["map"] == k]
  assert [episode["target"] for episode in episodes] == list(range(20))
  actions = np.zeros((20, STEPS), np.int32)
  for row, episode in zip(actions, episodes, strict=True):
    row[: len(episode["actions"])] = list(map(int, episode["actions"]))
  played = replay(jnp.full(20, k), jnp.arange(20), jnp.asarray(actions))
  for i, episode in enumerate(episodes):
    first, rest = jax.tree.map(lambda x, i=i: np.asarray(x[i]), played)
    length = len(episode["actions"])
    frames = np.concatenate([first.observation[None], rest.observation[:length]])
    assert hashlib.sha256(frames.tobytes()).hexdigest() == episode["sha256"], episode
    assert rest.step_type[:length].tolist() == [envs.MID] * (length - 1) + [envs.LAST]
    assert rest.reward[: length - 1].tolist() == [0.0] * (length - 1)
    assert rest.discount[: length - 1].tolist() == [1.0] * (length - 1)
    assert (rest.reward[length - 1], rest.discount[length - 1]) == END[episode["end"]]
