"""The bonus of the README trains from a file of the user's own."""

import json
import re

from tests.experiments.command_line import ROOT, rarebird


def test_the_readmes_bonus_trains_by_name(tmp_path):
  blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
  (code,) = (block for block in blocks if block.startswith("# my_bonus.py\n"))
  assert len(code.splitlines()) <= 35
  (tmp_path / "my_bonus.py").write_text(code)
  options = ["--env", "deep_sea", "--bonus", "my_bonus:build", "--steps", "4000", "--out", "run"]
  done = rarebird("train", *options, cwd=tmp_path, timeout=300)
  assert done.returncode == 0, done.stderr
  rows = [
    json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
  ]
  paid = [row["bonus"] for row in rows if "bonus" in row]
  assert paid
  assert all(x > 0 for x in paid)
