"""swav: against NumPy, where its windows lie, and prototypes that stay at first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.auxiliaries import swav
from tests.agents.auxiliaries import slow

KEY = jax.random.key(0)
SETTINGS = {"projector_hidden": 8, "projector_size": 4, "prototypes": 2}


def stretches(length):
  """Where a stretch of so many entries lies within an episode, and all its entries count."""
  first = slow.firsts(8)
  return [
    (t, b)
    for t in range(1, 10 - length)
    for b in range(3)
    if not first[t + 1 : t + length, b].any()
  ]


def log_softmax(x):
  return x - np.log(np.exp(x).sum(-1, keepdims=True))


@pytest.mark.parametrize("windows", [(2, 2, 0, 1), (3, 3, 1, 0)])
def test_swav_equals_numpy(windows):
  long, short, shorts, gap = windows
  method, params, state = slow.build(
    "swav", length=8, long=long, short=short, shorts=shorts, gap=gap, **SETTINGS
  )
  inputs = slow.inputs(length=8)
  latents, own = slow.numpy(inputs.latents), slow.normal(slow.numpy(params["prototypes"]))
  rows = stretches(long + gap)
  begins = [0, gap] + [0] * shorts
  scores = []
  for begin in begins:
    mean = np.stack([latents[t + begin : t + begin + long, b].mean(0) for t, b in rows])
    scores.append(slow.normal(slow.mlp(params["projector"], mean)) @ own.T)
  errors = []
  for i in range(2):
    q = np.exp(scores[i] / 0.05)
    for _ in range(3):
      q *= 1 / 2 / q.sum(0)
      q *= 1 / len(q) / q.sum(1, keepdims=True)
    q /= q.sum(1, keepdims=True)
    errors += [
      np.mean(-np.sum(q * log_softmax(scores[v] / 0.1), -1)) for v in range(len(scores)) if v != i
    ]
  loss, _, after = slow.loss(method, params, state, inputs, KEY)
  np.testing.assert_allclose(loss, np.mean(errors), rtol=1e-3)
  assert int(after.calls) == int(state.calls) + 1


def test_short_windows_lie_within_the_stretch():
  settings = swav.SwAVConfig(long=3, short=2, shorts=2, gap=1)
  latents = jnp.asarray(np.random.default_rng(0).normal(size=(7, 2, 3)), jnp.float32)
  windows = swav.pooled(settings, latents, KEY)
  assert windows.shape == (4, 4, 2, 3)
  for v, t, b in np.ndindex(2, 4, 2):
    possible = [latents[t + i : t + i + 2, b].mean(0) for i in range(3)]
    assert any(np.allclose(windows[2 + v, t, b], x, atol=1e-6) for x in possible)


def test_prototypes_stay_at_first():
  method, params, _ = slow.build("swav", length=8, long=2, gap=1, frozen=2, **SETTINGS)
  inputs = slow.inputs(length=8)

  @jax.jit
  def gradient(calls):
    state = swav.State(calls, (), ())
    return jax.grad(lambda p: method.loss(p, state, inputs, KEY)[0])(params)

  early, late = (gradient(jnp.int32(calls)) for calls in (1, 2))
  assert not np.any(early["prototypes"])
  assert np.any(late["prototypes"])
  assert all(np.any(x) for x in jax.tree.leaves(early["projector"]))


def test_a_queue_of_the_same_windows_changes_no_code_and_one_of_others_does():
  method, params, state = slow.build(
    "swav", length=8, long=2, short=2, shorts=0, gap=1, queue=40, stored=True, **SETTINGS
  )
  inputs = slow.inputs(length=8)
  run = jax.jit(lambda state: method.loss(params, state, inputs, KEY))
  loss, _, once = run(state)
  again, _, twice = run(once)
  np.testing.assert_allclose(loss, again, rtol=1e-4)
  entries = 2 * 7 * 3  # of two batches, of which the queue has room for 40
  counted = len(stretches(3))
  assert twice.queue.shape == (2, 40, 4)
  assert entries > 40
  np.testing.assert_allclose(once.weights.sum(axis=1), counted)
  other, _, _ = run(once._replace(queue=once.queue[::-1] + 1.0))
  assert abs(other - loss) > 1e-4


def test_a_queue_without_a_dataset_is_refused():
  with pytest.raises(ValueError, match="'swav': a queue is for datasets"):
    slow.build("swav", length=8, queue=8)


def test_a_window_longer_than_the_unroll_is_refused():
  with pytest.raises(
    ValueError, match=r"'swav': long \+ gap asks for 6 steps, and an unroll has 5"
  ):
    slow.build("swav")
