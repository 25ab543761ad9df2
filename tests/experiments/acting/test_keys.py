"""Keys of a run: no two uses, seeds or numbers have the same one."""

import jax
import numpy as np

from experiments.acting import keys
from experiments.runtimes import actor


def bits(key):
  return tuple(np.asarray(jax.random.key_data(key)).ravel().tolist())


def of(seed, use, number):
  return bits(keys.stream(jax.random.key(seed)[None], use, number)[0])


def test_a_number_of_one_seed_is_no_number_of_another():
  numbers = (0, 1, 2, 7, 2**32, 2**32 + 1)
  drawn = {
    of(seed, use, number)
    for seed in numbers[:4]
    for use in (keys.SCORES, keys.EVALUATION, keys.ACTORS)
    for number in numbers
  }
  assert len(drawn) == 4 * 3 * len(numbers)


def test_seeds_side_by_side_have_the_keys_that_each_has_alone():
  both = keys.stream(jax.numpy.stack([jax.random.key(3), jax.random.key(4)]), keys.SCORES, 9)
  assert [bits(key) for key in both] == [of(3, keys.SCORES, 9), of(4, keys.SCORES, 9)]


def test_an_actor_draws_from_no_key_that_its_run_learns_with():
  learning = {bits(key) for key in jax.random.split(jax.random.key(5), 8)}
  acting = {
    bits(key)
    for number in range(3)
    for begin in (0, 1, 40)
    for key in actor._keys(5, number, begin)
  }
  assert len(acting) == 18
  assert not learning & acting
