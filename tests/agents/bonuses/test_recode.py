"""The bonus recode: clusters in lists, one embedding after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.bonuses import inverse_dynamics, recode
from agents.bonuses.recode import RECODEConfig
from tests.agents.bonuses.small_world import (
  KEY,
  LATENT,
  SIZE,
  context,
  outputs,
  reward_of,
  starting,
  walk,
)

LENGTH, BATCH = 12, 4


class SlowClusters:
  """Algorithm 1 of the paper over Python lists, and the rules for places not yet taken."""

  def __init__(self, places, decay, insertion):
    self.atoms, self.counts = [None] * places, [0.0] * places
    self.decay, self.insertion = decay, insertion
    self.scale, self.met = 0.0, 0

  def meet(self, e, chances):
    taken = [i for i, atom in enumerate(self.atoms) if atom is not None]
    squares = {i: np.sum((self.atoms[i] - e) ** 2) for i in taken}
    visits = 0.0
    for i in taken:
      if squares[i] <= self.scale:
        visits += (1 + self.counts[i]) * 0.01 / (0.01 + squares[i] / max(self.scale, 1e-12))
    reward = 1 / (np.sqrt(visits) + 0.1)
    if self.met > 0:
      mean = np.mean(sorted(squares.values())[:20])
      self.scale += max(1e-3, 1 / self.met) * (mean - self.scale)
    self.met += 1
    self.counts = [self.decay * c for c in self.counts]
    room = len(taken) < len(self.atoms)
    nearest = min(taken, key=squares.get, default=None)
    far = nearest is None or squares[nearest] > 0.2 * self.scale
    if far and (room or chances[0] < self.insertion):
      if room:
        odds = np.array([float(atom is None) for atom in self.atoms])
      else:
        odds = 1 / np.array(self.counts) ** 2
      out = int(np.searchsorted(np.cumsum(odds) / odds.sum(), chances[1], side="right"))
      if not room:
        others = [i for i in taken if i != out]
        heir = min(others, key=lambda i: np.sum((self.atoms[i] - self.atoms[out]) ** 2))
        self.counts[heir] += self.counts[out]
      self.atoms[out], self.counts[out] = e, 1.0
    else:
      c = self.counts[nearest]
      self.atoms[nearest] = c / (c + 1) * self.atoms[nearest] + e / (c + 1)
      self.counts[nearest] = c + 1
    return reward


@pytest.mark.parametrize(
  ("of", "jitted"), [("inverse_dynamics", True), ("inverse_dynamics", False), ("latent", True)]
)
def test_rewards_of_three_batches_equal_a_slow_version(make_trajectory, of, jitted):
  config = RECODEConfig(of=of, size=4, atoms=6, decay=0.98, insertion=0.6)
  bonus = recode.build(config, context())
  params, clusters = bonus.init(KEY)
  slow = SlowClusters(6, 0.98, 0.6)
  reward = reward_of(bonus, jitted)
  rng = np.random.default_rng(0)
  for batch in range(3):
    trajectory = starting(make_trajectory(rng, LENGTH, BATCH, size=SIZE), ())
    out, key = outputs(rng, trajectory), jax.random.key(batch)
    rewards, clusters, _ = reward(params, clusters, trajectory, out, key)
    embedded = out.latents
    if of == "inverse_dynamics":
      embedded = inverse_dynamics.build(context(), 4).embed(params, trajectory.observation)
    embedded = np.asarray(embedded, np.float64)
    chances = np.asarray(jax.random.uniform(key, (LENGTH * BATCH, 2)), np.float64)
    for t, b in np.argwhere(np.asarray(trajectory.mask)):
      expected = slow.meet(embedded[t + 1, b], chances[t * BATCH + b])
      np.testing.assert_allclose(rewards[t, b], expected, rtol=1e-3)
    np.testing.assert_allclose(clusters.atoms.T, np.stack(slow.atoms), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(clusters.counts, slow.counts, rtol=1e-3)
    np.testing.assert_allclose(clusters.scale, slow.scale, rtol=1e-3)


def paid(observations, clusters=None, lengths=None, **settings):
  bonus = recode.build(RECODEConfig(atoms=16, **settings), context())
  params, empty = bonus.init(KEY)
  lengths = lengths or [len(observations)]
  trajectory = walk(observations, lengths)
  rewards, clusters, _ = bonus.reward(params, clusters or empty, trajectory, None, KEY)
  return np.asarray(rewards)[:, 0], clusters


def test_a_familiar_loop_pays_ever_less():
  loop = np.resize(np.eye(SIZE), (61, SIZE))
  rewards, clusters = paid(loop)
  assert rewards[:2].min() > 9.0  # nothing is near: 1 / c
  assert (np.diff(rewards[6:].reshape(-1, 3), axis=0) < 0).all()
  # Twenty visits of each, less what the decay took: 1 / (sqrt(1 + c) + .1).
  np.testing.assert_allclose(rewards[-1], 1 / (np.sqrt(20) + 0.1), rtol=0.05)
  assert int(jnp.sum(clusters.counts > 0)) == SIZE


def test_standing_still_pays_ever_less():
  rewards, clusters = paid(np.ones((20, SIZE)))
  assert (np.diff(rewards) < 0)[1:].all()
  assert int(jnp.sum(clusters.counts > 0)) == 1


def test_all_that_is_kept_is_finite():
  _, clusters = paid(np.eye(SIZE))  # most of the atoms are still to come
  assert all(np.isfinite(x).all() for x in clusters)


def test_clusters_outlast_episodes():
  loop = np.resize(np.eye(SIZE), (31, SIZE))
  rewards, clusters = paid(loop, lengths=[15, 16])
  assert rewards[15:].max() < 1.0
  assert int(clusters.met) == 29  # the step from one episode to the next is no transition


def test_counts_are_kept_when_an_atom_gives_way():
  rng = np.random.default_rng(1)
  config = RECODEConfig(atoms=8, decay=1.0, insertion=1.0)
  clusters = recode.empty(8, 2)
  meet = jax.jit(lambda c, e, u: recode.meet(config, c, e, jnp.bool_(True), u))
  for n in range(60):
    e = jnp.asarray(10 * rng.normal(size=2), jnp.float32)
    clusters, _ = meet(clusters, e, jnp.asarray(rng.uniform(size=2), jnp.float32))
    np.testing.assert_allclose(jnp.sum(clusters.counts), n + 1, rtol=1e-5)
  assert np.isfinite(clusters.atoms).all()


def test_latents_need_no_network_and_get_no_gradient(make_trajectory):
  bonus = recode.build(RECODEConfig(of="latent", atoms=4), context())
  params, clusters = bonus.init(KEY)
  assert params == ()
  assert clusters.atoms.shape == (LATENT, 4)
  rng = np.random.default_rng(2)
  trajectory = make_trajectory(rng, LENGTH, BATCH)
  out = outputs(rng, trajectory)

  def total(latents):
    return jnp.sum(
      bonus.reward(params, clusters, trajectory, out._replace(latents=latents), KEY)[0]
    )

  np.testing.assert_array_equal(jax.grad(total)(out.latents), np.zeros_like(out.latents))


def test_a_decay_above_one_is_a_clear_error():
  with pytest.raises(ValueError, match="decay is 2"):
    RECODEConfig(decay=2.0)
