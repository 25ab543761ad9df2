"""Small functional worlds whose observations are trees, for tests of what reads them."""

import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs.environment import Environment, restart, transition
from envs.observation import LABEL, LEGAL, Cells, Tokens, entries

ACTIONS = 3


class OneLeafTells(Environment):
  """Episodes of one step: the action that pays is shown by one leaf, while the others are noise.

  The picture tells it by which third is white, the vector by its sign, the text by its word.
  """

  max_episode_steps = 1

  def __init__(self, leaf: str):
    self.leaf = leaf

  def reset(self, key):
    cue_key, *keys = jax.random.split(key, 4)
    cues = {
      name: jax.random.randint(k, (), 0, 2)
      for name, k in zip(("picture", "text", "vector"), keys, strict=True)
    }
    right = jax.random.randint(cue_key, (), 0, 2)
    return right, restart(self.show(cues | {self.leaf: right}))

  def show(self, cue):
    picture = jnp.zeros((8, 8, 1), jnp.uint8)
    half = jnp.arange(8)[None, :, None] // 4
    return {
      "picture": jnp.where(half == cue["picture"], jnp.uint8(255), picture),
      "text": jnp.array([1, 0, 3], jnp.int32).at[1].set(4 + cue["text"]),
      "vector": (2.0 * cue["vector"] - 1.0)[None].astype(jnp.float32),
    }

  def step(self, state, action):
    nothing = self.show({"picture": 0, "text": 0, "vector": 0.5 * jnp.ones(())})
    return state, transition(nothing, (action == state).astype(jnp.float32), True)

  def observation_spec(self):
    return {
      "picture": specs.BoundedArray((8, 8, 1), np.uint8, 0, 255),
      "text": Tokens(3, 6),
      "vector": specs.BoundedArray((1,), np.float32, -1, 1),
    }

  def action_spec(self):
    return specs.DiscreteArray(2)


class Masked(Environment):
  """Masks drawn anew at each step; an action that is not allowed costs 1, which nothing else does.

  At the last step of an episode nothing is allowed, as in games that are over.
  """

  max_episode_steps = 5
  success_return = 0.0

  def __init__(self, actions=None):
    self.actions = specs.DiscreteArray(ACTIONS) if actions is None else actions

  def draw(self, key, ended=False):
    mask = jax.random.bernoulli(key, 0.4, (entries(self.actions),))
    counts = np.ravel(self.actions.maximum) + 1
    ends = np.cumsum(counts)
    parts = jnp.split(mask, ends[:-1])
    mask = jnp.concatenate([p.at[-1].set(p[-1] | ~p.any()) for p in parts])
    return mask & ~jnp.asarray(ended)

  def reset(self, key):
    key, mask_key = jax.random.split(key)
    mask = self.draw(mask_key)
    return (key, mask, jnp.int32(0)), restart(self.show(mask))

  def show(self, mask):
    return {"x": mask.astype(jnp.float32), LEGAL: mask}

  def step(self, state, action):
    key, mask, time = state
    counts = np.ravel(self.actions.maximum) + 1
    begins = np.cumsum(counts) - counts
    allowed = mask[begins + jnp.ravel(action)].all()
    key, mask_key = jax.random.split(key)
    ended = time + 1 >= self.max_episode_steps
    mask = self.draw(mask_key, ended)
    reward = jnp.where(allowed, 0.0, -1.0)
    return (key, mask, time + 1), transition(self.show(mask), reward, ended)

  def observation_spec(self):
    count = entries(self.actions)
    return {
      "x": specs.BoundedArray((count,), np.float32, 0, 1),
      LEGAL: specs.BoundedArray((count,), bool, False, True),
    }

  def action_spec(self):
    return self.actions


class Nothing(Masked):
  """Breaks the contract: at its second step nothing is allowed."""

  def draw(self, key, ended=False):
    return super().draw(key, True)

  def reset(self, key):
    state, timestep = super().reset(key)
    mask = jnp.ones_like(state[1])
    return (state[0], mask, state[2]), timestep._replace(observation=self.show(mask))


class Labelled(Environment):
  """Pictures of nine cells, each as bright as a number that is drawn anew; the label, which no
  network reads, is the brightest cell's, and the action that names its column pays."""

  max_episode_steps = 12

  def reset(self, key):
    state = jax.random.uniform(key, (3, 3)), jnp.int32(0), key
    return state, restart(self.show(state))

  def show(self, state):
    bright = jnp.round(255.0 * state[0]).astype(jnp.uint8)
    picture = jnp.repeat(jnp.repeat(bright, 2, axis=0), 2, axis=1)[..., None]
    return {"view": picture, LABEL: jnp.argmax(state[0]).astype(jnp.int32)}

  def step(self, state, action):
    cells, time, key = state
    reward = (action == jnp.argmax(cells) % 3).astype(jnp.float32)
    key, own = jax.random.split(key)
    state = jax.random.uniform(own, (3, 3)), time + 1, key
    return state, transition(self.show(state), reward, time + 1 >= self.max_episode_steps)

  def observation_spec(self):
    return {
      "view": Cells((6, 6, 1), np.uint8, 0, 255, 2),
      LABEL: specs.BoundedArray((), np.int32, 0, 8),
    }

  def action_spec(self):
    return specs.DiscreteArray(3)
