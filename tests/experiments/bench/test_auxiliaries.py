"""`rarebird bench --auxiliaries`: what is measured, left out and refused; nothing is compiled."""

import dataclasses

import pytest
from rich.console import Console

from envs import make
from experiments.bench import auxiliaries as bench
from experiments.settings.errors import UserError
from tests.experiments.runs_of_everything import small

CONFIG = small("byol_explore", "vmpo")
ENV = make("deep_sea", size=4)


@pytest.fixture
def uncompiled(monkeypatch):
  told = {"planned_bytes": 2**20, "operations": 1.0, "compile_seconds": 0.0}
  monkeypatch.setattr(bench, "_trajectory", lambda env, agent: None)
  monkeypatch.setattr(bench, "_update", lambda agent, trajectory: ((lambda: None), dict(told)))


def plain():
  agent = dataclasses.replace(CONFIG.agent, auxiliary=())
  return dataclasses.replace(CONFIG, agent=agent)


def test_all_leaves_out_what_does_not_fit_and_says_why(uncompiled):
  found = bench.measure(plain(), ENV, ("all",), 1)
  assert list(found["updates"])[:2] == ["none", "byol"]
  # Distillation has the plain agent for a teacher.
  assert {"vicreg", "crd", "kd"} <= set(found["updates"])
  assert "no labels" in found["left_out"]["classify"]
  assert "needs residual branches" in found["left_out"]["cosub"]
  assert found["updates"]["byol"]["memory_to_none"] == 1.0
  console, machine = Console(width=80), {"cores": 1, "cpu": "x", "devices": ["cpu"], "jax": "0"}
  with console.capture() as shown:
    bench.show({"machine": machine, "env": "deep_sea"} | found, console)
  assert "left out: classify: " in shown.get()


def test_what_was_named_and_does_not_fit_is_refused(uncompiled):
  with pytest.raises(UserError, match="auxiliary 'classify' has no labels"):
    bench.measure(plain(), ENV, ("classify",), 1)
  with pytest.raises(UserError, match="--auxiliaries all stands alone"):
    bench.measure(plain(), ENV, ("all", "byol"), 1)
