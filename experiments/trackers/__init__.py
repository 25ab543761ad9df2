"""Where a run's log goes beside metrics.jsonl, a file each."""

from experiments.trackers.tracker import Tracked, Tracker, registry

__all__ = ["Tracked", "Tracker", "registry"]
