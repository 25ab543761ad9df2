"""How far those who insert and those who sample may run apart, the same in both forms of replay.

The rule is Reverb's `SampleToInsertRatio` (Cassirer et al. 2021, arXiv 2102.04736, section 3.4):
with `error = inserts * samples_per_insert - samples`, whoever would move the error further than
`error_buffer` from where it stood at `min_size` items waits.
"""

from __future__ import annotations

from agents.trajectory import DataSpec, ReplaySpec

TOLERANCE = 0.1
"""Share of the samples that `min_size` items pay for, by which the error may be off (Acme's)."""


def replay_spec(data: DataSpec) -> ReplaySpec:
  """The replay of an agent's data.

  Raises:
    ValueError: if it has none, or one that cannot work.
  """
  replay = data.replay
  if replay is None:
    raise ValueError("the agent's data names no replay; it learns from a queue.")
  if not 1 <= replay.min_size <= replay.capacity:
    raise ValueError(
      f"min_size is {replay.min_size}; it must lie between 1 and the capacity, {replay.capacity}."
    )
  if replay.samples_per_insert <= 0:
    raise ValueError(f"samples_per_insert is {replay.samples_per_insert}; it must be positive.")
  if not 0 <= replay.priority_exponent <= 1:
    raise ValueError(f"priority_exponent is {replay.priority_exponent}; it must lie in [0, 1].")
  return replay


def error_buffer(data: DataSpec) -> float:
  """How far the error may move either way, in samples.

  At least a batch, and what one insert pays for: then never do both sides wait at once.
  """
  replay = replay_spec(data)
  per_insert = replay.samples_per_insert
  return max(TOLERANCE * replay.min_size * per_insert, per_insert, data.batch_size, 1.0)


class RateLimiter:
  """Counts, and says who may go on. Not locked: whoever holds it does that."""

  def __init__(self, data: DataSpec):
    self._replay = replay_spec(data)
    self._buffer = error_buffer(data)
    self.inserts = 0
    self.samples = 0

  @property
  def size(self) -> int:
    """Items held: all that were inserted, up to the capacity."""
    return min(self.inserts, self._replay.capacity)

  @property
  def largest_insert(self) -> int:
    """The most items that may be inserted at once without a chance that both sides wait."""
    return min(int(self._buffer / self._replay.samples_per_insert), self._replay.capacity)

  def can_insert(self, count: int) -> bool:
    """Whether `count` items may be inserted now."""
    return self.size + count <= self._replay.min_size or self._error(count, 0) <= self._buffer

  def can_sample(self, count: int) -> bool:
    """Whether `count` samples may be drawn now."""
    return self.size >= self._replay.min_size and self._error(0, count) >= -self._buffer

  def _error(self, inserts: int, samples: int) -> float:
    """The error after that many more, against where it stood at `min_size` items."""
    paid = (self.inserts + inserts - self._replay.min_size) * self._replay.samples_per_insert
    return paid - self.samples - samples
