"""Torsos of one size; nothing is compiled."""

import numpy as np
import pytest

from agents.torsos.torso import registry
from envs.observation import Cells
from experiments.bench import sizes
from experiments.commands.bench import BenchConfig

SPEC = Cells((4, 4, 3), np.uint8, 0, 255, 2)


PATCH = registry.choice("patch", hidden=64)


@pytest.mark.parametrize("by", ["parameters", "work"])
def test_a_width_is_found_that_makes_torsos_alike(by, monkeypatch):
  monkeypatch.setattr(sizes, "MOST", 64)
  found = sizes.equal(registry.choice("mlp3"), PATCH, by, SPEC, 8)
  count = sizes.COUNTS[by]
  hidden = registry.settings_of(found).hidden

  def off(hidden):
    return abs(count(registry.choice("mlp3", hidden=hidden), SPEC, 8) - count(PATCH, SPEC, 8))

  assert 4 < hidden < 64
  assert off(hidden) <= min(off(hidden - 4), off(hidden + 4))


def test_what_has_no_size_or_is_not_to_be_alike_stays():
  assert sizes.equal(registry.choice("linear"), PATCH, "work", SPEC, 8).settings is None
  plain = registry.choice("resmlp")
  assert sizes.equal(plain, PATCH, "settings", SPEC, 8) == plain


def test_bench_measures_them_beside_the_agents_own():
  variants = BenchConfig(torsos=("linear", "mlp?hidden=8")).variants(SPEC)
  names = [change["world_model"].torso.name for change in variants.values()]
  assert names == ["patch", "linear", "mlp"]
  assert [name.partition(" ")[0] for name in variants] == ["patch", "linear:", "mlp"]
