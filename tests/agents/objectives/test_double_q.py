"""Double Q-learning against NumPy, and how it explores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.agents import slow_action_values as slow
from tests.agents.slow_action_values import ACTIONS


@pytest.mark.parametrize(("n", "jitted"), [(1, True), (3, True), (20, True), (3, False)])
def test_it_equals_numpy(make_trajectory, n, jitted):
  inputs = slow.random_inputs(make_trajectory, seed=n)
  outcome = slow.run(slow.build("double_q", n_steps=n), inputs, jitted)
  online, target = slow.read(inputs, inputs.q), slow.read(inputs, inputs.lagging)
  best = online.q.argmax(axis=-1)
  assert (best != target.q.argmax(axis=-1)).any()
  bootstrap = np.take_along_axis(target.q, best[..., None], axis=-1)[..., 0]
  wanted = slow.returns(online, bootstrap, n, lambda t, s, b: online.rewards[s, b])
  slow.assert_equal(outcome, *slow.squared(online, wanted), online)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_it_acts_greedily_but_for_a_share(epsilon):
  objective = slow.build("double_q", epsilon=epsilon)
  q = jnp.asarray([[0.1, 3.0, -2.0], [5.0, 4.0, 3.0]])
  p = objective.parameters(objective.init(), q)
  expected = np.full((2, ACTIONS), epsilon / ACTIONS)
  expected[0, 1] += 1.0 - epsilon
  expected[1, 0] += 1.0 - epsilon
  np.testing.assert_allclose(jnp.exp(p), expected, rtol=1e-5)
  many = jnp.broadcast_to(p, (20_000, *p.shape))
  samples = objective.policy.sample(jax.random.key(0), many)
  drawn = jnp.mean(jax.nn.one_hot(samples, ACTIONS), axis=0)
  np.testing.assert_allclose(drawn, expected, atol=0.02)


def test_its_mode_is_greedy():
  objective = slow.build("double_q")
  q = jnp.asarray([[0.1, 3.0, -2.0], [5.0, 4.0, 3.0]])
  np.testing.assert_array_equal(objective.policy.mode(objective.parameters({}, q)), [1, 0])
