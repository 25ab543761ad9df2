"""NDIGO's discovery loss: how much the agent knows of where the objects are.

A small network is trained to tell the place of every object from the agent's beliefs, which it
does not change, on some of the environments of a replay, and is scored on the others: the mean
cross entropy, in nats an object and step. Knowing nothing about P places costs about log P.

Source: Azar et al. 2019 (arXiv 1902.07685), section 5, who train it beside the agent.
"""

from __future__ import annotations

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax

HIDDEN = 64
UPDATES = 1000
BATCH = 256
LEARNING_RATE = 3e-3
HELD_OUT = 0.25
"""Share of the environments that it is scored on."""


def loss(
  beliefs: np.ndarray, objects: np.ndarray, places: int, key: jax.Array, updates: int = UPDATES
) -> float | None:
  """Trains and scores the decoder.

  Args:
    beliefs: float32 [T, B, H].
    objects: int32 [T, B, N], the places of the objects.
    places: P.
    key: of the decoder and of the order of its data.
    updates: of its training.

  Returns:
    The loss; None where there is no object, or but one environment.
  """
  count = objects.shape[-1]
  held_out = max(int(HELD_OUT * beliefs.shape[1]), 1)
  if not count or held_out == beliefs.shape[1]:
    return None

  def split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(  # type: ignore[return-value]
      part.reshape(-1, x.shape[-1]) for part in (x[:, held_out:], x[:, :held_out])
    )

  (train_beliefs, test_beliefs), (train_objects, test_objects) = split(beliefs), split(objects)
  return float(
    _fit((train_beliefs, train_objects), (test_beliefs, test_objects), key, places, count, updates)
  )


@functools.partial(jax.jit, static_argnames=("places", "count", "updates"))
def _fit(
  train: tuple[jax.Array, jax.Array],
  test: tuple[jax.Array, jax.Array],
  key: jax.Array,
  places: int,
  count: int,
  updates: int,
) -> jax.Array:
  decoder = hk.without_apply_rng(
    hk.transform(lambda belief: hk.nets.MLP([HIDDEN, count * places])(belief))
  )
  optimiser = optax.adam(LEARNING_RATE)

  def cross_entropy(params: hk.Params, data: tuple[jax.Array, jax.Array]) -> jax.Array:
    belief, target = data
    logits = decoder.apply(params, belief).reshape(-1, count, places)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, target))

  def update(carry: tuple, key: jax.Array) -> tuple[tuple, None]:
    params, state = carry
    rows = jax.random.randint(key, (BATCH,), 0, train[0].shape[0])
    gradient = jax.grad(cross_entropy)(params, jax.tree.map(lambda x: x[rows], train))
    step, state = optimiser.update(gradient, state)
    return (optax.apply_updates(params, step), state), None

  init_key, key = jax.random.split(key)
  params = decoder.init(init_key, train[0][:1])
  carry, _ = jax.lax.scan(update, (params, optimiser.init(params)), jax.random.split(key, updates))
  return cross_entropy(carry[0], test)
