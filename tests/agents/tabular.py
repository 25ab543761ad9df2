"""Small random MDPs in float64, all of their paths with their chances, and their soft optimum.

State 0 is where episodes start; the last state terminates and the one before it truncates, and from
either the next episode starts whatever is done.
"""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from agents.objectives.action_values import Duals
from agents.trajectory import Trajectory
from envs.environment import FIRST, LAST, MID
from tests.agents.slow_action_values import ACTIONS, GAMMA

STATES = 4
TYPES = np.array([FIRST, MID, LAST, LAST], np.int32)


class MDP(NamedTuple):
  """Chances [S, A, S] of what follows, and rewards [S, A, S]."""

  chance: np.ndarray
  reward: np.ndarray


def random_mdp(seed, deterministic=False):
  rng = np.random.default_rng(seed)
  chance = rng.dirichlet(np.ones(STATES - 1), (STATES, ACTIONS))
  if deterministic:
    chance = np.eye(STATES - 1)[np.argmax(chance, axis=-1)]
  chance = np.concatenate([np.zeros((STATES, ACTIONS, 1)), chance], axis=-1)  # never back to FIRST
  chance[TYPES == LAST] = np.eye(STATES)[0]
  return MDP(chance, rng.normal(size=(STATES, ACTIONS, STATES)))


class Paths(NamedTuple):
  """Paths of T actions: states [T+1, N] and actions [T+1, N]; the last action is a place-holder."""

  states: np.ndarray
  actions: np.ndarray


def all_paths(mdp, length):
  """Every path of `length` actions, from any state, that may happen."""
  states = np.array(list(itertools.product(range(STATES), repeat=length + 1))).T
  follows = np.all(mdp.chance[states[:-1], :, states[1:]].max(axis=-1) > 0, axis=0)
  states = states[:, follows]
  actions = np.array(list(itertools.product(range(ACTIONS), repeat=length))).T
  count = actions.shape[1]
  actions = np.tile(actions, states.shape[1])
  states = np.repeat(states, count, axis=1)
  possible = np.all(mdp.chance[states[:-1], actions, states[1:]] > 0, axis=0)
  actions = np.concatenate([actions, np.zeros((1, actions.shape[1]), int)])
  return Paths(states[:, possible], actions[:, possible])


def chances(mdp, paths, policy):
  """[N], of the paths under a policy [S, A], their first state uniform."""
  s, a = paths.states, paths.actions[:-1]
  return jnp.prod(policy[s[:-1], a] * mdp.chance[s[:-1], a, s[1:]], axis=0) / STATES


def trajectory(mdp, paths, policy_logits):
  """The paths as a trajectory [T+1, N], and its rewards [T, N]."""
  s, a = paths
  rewards = mdp.reward[s[:-1], a[:-1], s[1:]]
  made = Trajectory(
    observation=jnp.asarray(s),
    action=jnp.asarray(a, jnp.int32),
    reward=jnp.concatenate([jnp.zeros_like(rewards[:1]), rewards]),
    discount=jnp.where(s == STATES - 1, 0.0, jnp.ones_like(rewards, shape=s.shape)),
    step_type=jnp.asarray(TYPES)[s],
    extras={"policy": jnp.asarray(policy_logits)[s], "sample": jnp.asarray(a, jnp.int32)},
    memory=(),
  )
  return made, jnp.asarray(rewards)


def duals(tau, reference):
  """Of a temperature and a reference policy [A]."""
  return Duals(jnp.log(tau), jnp.log(jnp.asarray(reference)))


def random_policy(seed, shape=()):
  return np.random.default_rng(seed).dirichlet(np.ones(ACTIONS), shape)


def soft_optimum(mdp, tau, reference):
  """The optimal soft action values [S, A], by iteration; a truncation is no end of the world."""
  q = np.zeros((STATES, ACTIONS))
  discount = GAMMA * np.where(np.arange(STATES) == STATES - 1, 0.0, 1.0)
  for _ in range(1000):
    top = q.max(axis=-1, keepdims=True)
    value = top[:, 0] + tau * np.log(np.sum(reference * np.exp((q - top) / tau), axis=-1))
    q = np.sum(mdp.chance * (mdp.reward + discount * value), axis=-1)
  return q
