"""MLflow, by its package: a server, or a database on this disk.

Source: mlflow.org, `MlflowClient`. A run that is resumed goes on as the same run, found by a tag.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.trackers.tracker import Row, Tracked, by_step, registry

TAG = "rarebird.id"
MOST_METRICS, MOST_PARAMETERS, LONGEST = 1000, 100, 500
"""In one call, and characters of a parameter (mlflow.utils.validation)."""


@dataclasses.dataclass(frozen=True)
class MlflowConfig:
  """MLflow."""

  uri: str = ""
  """Server, or sqlite:///file.db; "" takes MLFLOW_TRACKING_URI (MLflow's default)."""
  experiment: str = "rarebird"
  """Experiment that the run is filed under."""


@registry.register("mlflow", MlflowConfig, summary="MLflow, a server or a database on this disk")
class Mlflow:
  """A run of MLflow."""

  library, waits = "mlflow", False

  def __init__(self, settings: MlflowConfig, tracked: Tracked):
    self._settings, self._tracked = settings, tracked

  def open(self) -> None:
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would tell of every try
    mlflow, tracked = importlib.import_module("mlflow"), self._tracked
    self._entities = importlib.import_module("mlflow.entities")
    self._client = mlflow.MlflowClient(tracking_uri=self._settings.uri or None)
    experiment = self._client.get_experiment_by_name(self._settings.experiment)
    number = (
      experiment.experiment_id
      if experiment
      else self._client.create_experiment(self._settings.experiment)
    )
    begun = self._client.search_runs([number], f"tags.`{TAG}` = '{tracked.id}'", max_results=1)
    if begun:
      self._run = begun[0].info.run_id
      self._client.update_run(self._run, status="RUNNING")
      return
    run = self._client.create_run(number, tags={TAG: tracked.id}, run_name=tracked.name)
    self._run = run.info.run_id
    told = [
      self._entities.Param(name, str(value)[:LONGEST]) for name, value in _flat(tracked.config)
    ]
    for i in range(0, len(told), MOST_PARAMETERS):
      self._client.log_batch(self._run, params=told[i : i + MOST_PARAMETERS])

  def write(self, rows: Sequence[Row]) -> None:
    now = int(time.time() * 1000)
    metrics = [
      self._entities.Metric(name, value, now, step)
      for step, named in by_step(rows).items()
      for name, value in named.items()
    ]
    for i in range(0, len(metrics), MOST_METRICS):
      self._client.log_batch(self._run, metrics=metrics[i : i + MOST_METRICS])

  def close(self) -> None:
    self._client.set_terminated(self._run)


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
  for name, value in values.items():
    if isinstance(value, Mapping):
      yield from _flat(value, f"{before}{name}.")
    else:
      yield f"{before}{name}", value
