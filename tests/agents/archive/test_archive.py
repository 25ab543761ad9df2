"""The archive of cells against dictionaries, and what is drawn from it."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.archive import archive as archives
from agents.archive import hashing
from agents.archive.archive import Arrivals

CAPACITY, COUNT, BATCHES = 6, 9, 5
INSERT = jax.jit(
  lambda archive, arrivals, kept: archives.insert(archive, arrivals, lambda i: kept[i])
)


def slow_insert(slots, replaced, arrivals, kept):
  """The same, one slot a dict or None."""
  best, visits, promise = {}, {}, {}
  for i in range(COUNT):
    if not arrivals.valid[i]:
      continue
    code, rank = int(arrivals.code[i]), (-float(arrivals.score[i]), int(arrivals.length[i]), i)
    best[code] = min(best.get(code, rank), rank)
    visits[code] = visits.get(code, 0) + bool(arrivals.counts[i])
    promise[code] = max(promise.get(code, -np.inf), float(arrivals.promise[i]))
  where = {slot["code"]: at for at, slot in enumerate(slots) if slot}
  cells = {}
  for code, (score, length, i) in best.items():
    cells[code] = {
      "code": code, "score": -score, "length": length, "kept": int(kept[i]), "visits": 0,
      "promise": promise[code],
    }  # fmt: skip
  slots, added = list(slots), sorted(set(best) - set(where))
  for code in set(best) & set(where):
    old = slots[where[code]]
    if (-old["score"], old["length"]) > best[code][:2]:
      slots[where[code]] = cells[code]
    else:
      more = {"visits": old["visits"] + visits[code], "promise": promise[code]}
      slots[where[code]] = old | more
  room = sorted(
    range(CAPACITY), key=lambda at: (-slots[at]["visits"] if slots[at] else -np.inf, at)
  )
  for code, at in zip(added, room, strict=False):
    replaced += slots[at] is not None
    slots[at] = cells[code]
  return slots, replaced


def test_cells_of_many_batches_equal_a_slow_version():
  full = 0
  for seed in range(40):
    rng = np.random.default_rng(seed)
    archive, slots, replaced = archives.init(CAPACITY, jnp.int32(0)), [None] * CAPACITY, 0
    codes = rng.integers(0, 2**32, rng.integers(2, 14), np.uint32)
    for batch in range(BATCHES):
      arrivals = Arrivals(
        rng.choice(codes, COUNT),
        rng.integers(-2, 3, COUNT).astype(np.float32),
        rng.integers(0, 3, COUNT).astype(np.int32),
        rng.integers(0, 4, COUNT).astype(np.float32),
        rng.random(COUNT) < 0.8,
        rng.random(COUNT) < 0.8,
      )
      kept = np.arange(COUNT, dtype=np.int32) + COUNT * batch
      archive, _ = INSERT(archive, arrivals, kept)
      slots, replaced = slow_insert(slots, replaced, arrivals, kept)
      for at, slot in enumerate(slots):
        assert bool(archive.filled[at]) == (slot is not None)
        for name in slot or ():  # nothing of an empty one
          assert np.asarray(getattr(archive, name))[at] == slot[name], (seed, batch, at, name)
      assert archive.replaced == replaced
    full += replaced > 0
  assert full > 10  # the bound was met


def test_what_changed_is_told():
  archive = archives.init(2, jnp.int32(0))

  def insert(archive, code, score):
    one = Arrivals(*map(np.array, ([code], [score], [1], [0.0], [True], [True])))
    one = one._replace(code=one.code.astype(np.uint32), score=one.score.astype(np.float32))
    return archives.insert(archive, one, lambda i: i)

  archive, change = insert(archive, 7, 1.0)
  assert change.new.tolist() == [True, False]
  assert not change.better.any()
  archive, change = insert(archive, 7, 1.0)
  assert not change.new.any()
  assert not change.better.any()
  _, change = insert(archive, 7, 2.0)
  assert change.better.tolist() == [True, False]
  assert not change.new.any()


def test_cells_are_drawn_by_one_over_the_root_of_their_visits():
  archive = archives.init(4, jnp.int32(0))._replace(
    filled=jnp.array([True, False, True, True]),
    visits=jnp.array([0, 0, 3, 8]),
    promise=jnp.array([1.0, 9.0, 0.0, 2.0]),
  )
  weights = archives.weights(archive, "visits")
  np.testing.assert_allclose(weights, [1, 0, 1 / 2, 1 / 3])
  drawn = archives.choose(weights, 20_000, jax.random.key(0))
  shares = np.bincount(drawn, minlength=4) / 20_000
  np.testing.assert_allclose(shares, np.asarray(weights / weights.sum()), atol=0.01)
  np.testing.assert_allclose(archives.weights(archive, "bonus"), [1, 0, 0, 2], atol=1e-5)
  np.testing.assert_allclose(archives.weights(archive, "both"), [1, 0, 0, 2 / 3], atol=1e-5)


def test_hashes_tell_apart_what_differs_in_one_entry_or_in_order():
  pair = {"a": jnp.array([[1, 2, 3]]), "b": jnp.array([[0.5]]), "c": jax.random.key(3)[None]}
  others = [
    pair | {"a": jnp.array([[1, 3, 2]])},
    pair | {"b": jnp.array([[0.25]])},
    pair | {"c": jax.random.key(4)[None]},
    pair | {"a": jnp.array([[1, 2, 4]])},
  ]
  codes = [int(hashing.of(tree, 1)[0]) for tree in (pair, *others)]
  assert len(set(codes)) == len(codes)
  one, other = jnp.uint32([1]), jnp.uint32([2])
  assert hashing.joined(one, other) != hashing.joined(other, one)
