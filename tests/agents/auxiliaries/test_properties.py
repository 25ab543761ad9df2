"""What every auxiliary loss over pairs, views and windows has in common."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import auxiliaries
from envs.observation import LABEL
from tests.agents.auxiliaries import slow

KEY = jax.random.key(7)
LENGTH, BATCH, CLASSES = 7, 4, 3
SMALL = {"projector_hidden": 8, "projector_size": 4}
PLAIN = {"mask": 0.0, "shift": 0, "brightness": 0.0}
METHODS = {
  "vicreg": {"gap": 1, **SMALL},
  "cpc": {"steps": 2, "neighbours": 2},
  "align_uniform": {"gap": 1, "neighbours": 1, **SMALL},
  "byol_image": {"neighbours": 1, **SMALL, **PLAIN},
  "supcon": {"neighbours": 1, "bins": 3, **SMALL},
  "classify": {"hidden": 8},
  "msn": {"masked": 2, "focal": 0, "mask": 0.0, "gap": 1, **SMALL},
  "pmsn": {"masked": 1, "focal": 0, "mask": 0.0, **SMALL},
  "brave": {"narrow": 2, "broad": 4, "stride": 2, **SMALL},
  "cmc": {"gap": 1, "neighbours": 1, "actions": 1, "graph": "full", **SMALL},
  "cosub": {"hidden": 8},
  "infomin": {"gap": 1, "neighbours": 1, "mask": 0.0, "adversary": 0.0, "bins": 3, **SMALL},
  "swav": {"long": 2, "shorts": 0, "gap": 1, "frozen": 0, **SMALL},
}
"""Settings by which the losses fit the small inputs, and draw no random numbers for single entries,
so that columns may change places."""


class Case(NamedTuple):
  """A method, a batch, and the compiled loss and gradient of `slow.Given`."""

  params: Any
  state: Any
  given: slow.Given
  value: Any
  gradient: Any


def test_every_method_of_this_kind_is_here():
  others = {"byol", "consistency", "crd", "kd", "outcomes", "policy_kl"}
  assert set(auxiliaries.registry.names()) == set(METHODS) | others


def batch(seed=0):
  label = np.random.default_rng(seed).integers(-1, CLASSES, size=(LENGTH + 1, BATCH))
  return slow.given(seed, LENGTH, BATCH, {LABEL: jnp.asarray(label)})


@pytest.fixture(params=METHODS, scope="module")
def case(request):
  settings = METHODS[request.param]
  method, params, state = slow.build(request.param, LENGTH, BATCH, classes=CLASSES, **settings)

  def loss(params, state, given):
    return method.loss(params, state, slow.of(given), KEY)[:2]

  def first(params, kept, floats, given):
    given = given._replace(**floats)
    return loss(params, kept, given)[0]

  state = jax.tree.map(jnp.asarray, state)
  gradient = jax.jit(jax.grad(first, (0, 1, 2), allow_int=True))
  return Case(params, state, batch(), jax.jit(loss), gradient)


def value(case, **changes):
  return case.value(case.params, case.state, case.given._replace(**changes))[0]


def test_it_is_a_number_but_not_zero_and_so_are_its_metrics(case):
  loss, metrics = case.value(case.params, case.state, case.given)
  assert abs(float(loss)) > 1e-3
  assert all(np.isfinite(x) and np.shape(x) == () for x in (loss, *metrics.values()))


def test_entries_that_do_not_count_change_nothing(case):
  weights = case.given.weights.at[5, 1].set(0.0)
  rng = np.random.default_rng(1)

  def changed(x):
    noise = jnp.asarray(rng.normal(size=x.shape).astype(np.float32))
    return jnp.where((weights > 0.0).reshape(*weights.shape, *[1] * (x.ndim - 2)), x, x + noise)

  # The reward of an entry is that of the one before.
  others = {
    "observation": changed(case.given.observation),
    "beliefs": changed(case.given.beliefs),
    "reward": case.given.reward.at[0].add(1.0),
  }
  one, other = value(case, weights=weights), value(case, weights=weights, **others)
  np.testing.assert_allclose(other, one, rtol=1e-5)


def test_nothing_that_counts_is_no_loss(case):
  nothing = value(case, weights=jnp.zeros_like(case.given.weights))
  np.testing.assert_allclose(nothing, 0.0, atol=1e-6)


def test_the_order_of_the_environments_does_not_matter(case):
  order = jnp.array([2, 0, 3, 1])
  over = case.given._asdict()
  moved = {
    name: jax.tree.map(lambda x: x[:, order], x)
    for name, x in over.items()
    if name not in ("online", "target")
  }
  np.testing.assert_allclose(value(case, **moved), value(case), rtol=1e-4, atol=1e-5)


def test_gradients_are_finite_also_where_everything_is_zero(case):
  for scale in (0.0, 1.0):
    floats = {
      "online": scale * case.given.online,
      "target": scale * case.given.target,
      "beliefs": scale * case.given.beliefs,
    }
    of_params, of_state, of_given = case.gradient(case.params, case.state, floats, case.given)
    every = jax.tree.leaves((of_params, of_given))
    assert all(np.all(np.isfinite(x)) for x in every)
    # None goes to the target encoder, or to what is kept.
    assert not np.any(of_given["target"])
    kept = [x for x in jax.tree.leaves(of_state) if x.dtype == np.float32]
    assert not any(np.any(x) for x in kept)
  assert np.any(of_given["online"]) or np.any(of_given["beliefs"])
