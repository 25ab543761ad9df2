"""The rate limiter against Reverb's own, and what it refuses."""

import numpy as np
import pytest

from agents.trajectory import DataSpec, ReplaySpec
from experiments.experience import rate_limiter
from experiments.experience.rate_limiter import RateLimiter
from tests.experiments.experience.conftest import needs_reverb
from tests.experiments.experience.items import LENGTH

SPECS = [
  DataSpec(LENGTH, 2, ReplaySpec(10, 4, 2.0, 0.5)),
  DataSpec(LENGTH, 3, ReplaySpec(5, 5, 0.3, 0.0)),
  DataSpec(LENGTH, 1, ReplaySpec(6, 1, 7.5, 1.0)),
]


@needs_reverb
@pytest.mark.parametrize("data", SPECS)
def test_it_allows_what_reverb_allows(data):
  reverb = pytest.importorskip("reverb")
  replay = data.replay
  table = reverb.Table(
    "table",
    reverb.selectors.Uniform(),
    reverb.selectors.Fifo(),
    replay.capacity,
    reverb.rate_limiters.SampleToInsertRatio(
      replay.samples_per_insert, replay.min_size, rate_limiter.error_buffer(data)
    ),
  )
  server = reverb.Server([table])
  client = reverb.Client(f"localhost:{server.port}")
  limiter = RateLimiter(data)
  rng = np.random.default_rng(0)
  for _ in range(60):
    for count in (1, 2, 5):
      assert limiter.can_insert(count) == table.can_insert(count)
      assert limiter.can_sample(count) == table.can_sample(count)
    if limiter.can_insert(1) and (not limiter.can_sample(1) or rng.random() < 0.4):
      client.insert([np.zeros(1)], {"table": 1.0})
      limiter.inserts += 1
    else:
      # Drawn with room for one alone, so that nothing is drawn ahead.
      next(client.sample("table", 1))
      limiter.samples += 1
    assert table.info.current_size == limiter.size
  server.stop()


@pytest.mark.parametrize("data", SPECS)
def test_never_do_both_sides_wait(data):
  limiter = RateLimiter(data)
  rng = np.random.default_rng(0)
  for _ in range(2000):
    insert = limiter.can_insert(limiter.largest_insert)
    sample = limiter.can_sample(data.batch_size)
    assert insert or sample
    if insert and (not sample or rng.random() < 0.5):
      limiter.inserts += int(rng.integers(1, limiter.largest_insert + 1))
    else:
      limiter.samples += data.batch_size


def test_the_ratio_is_kept():
  data = SPECS[0]
  limiter = RateLimiter(data)
  for _ in range(1000):
    while limiter.can_insert(1):
      limiter.inserts += 1
    while limiter.can_sample(2):
      limiter.samples += 2
  assert limiter.samples == pytest.approx(2 * (limiter.inserts - 4), abs=4)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"min_size": 0}, "min_size"),
    ({"min_size": 11}, "min_size"),
    ({"samples_per_insert": 0.0}, "samples_per_insert"),
    ({"priority_exponent": 1.5}, "priority_exponent"),
  ],
)
def test_a_replay_that_cannot_work_is_refused(settings, message):
  data = SPECS[0]._replace(replay=SPECS[0].replay._replace(**settings))
  with pytest.raises(ValueError, match=message):
    RateLimiter(data)


def test_a_queue_is_no_replay():
  with pytest.raises(ValueError, match="queue"):
    RateLimiter(DataSpec(LENGTH, 1))
