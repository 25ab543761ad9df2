"""The bonus of the README takes part in a comparison, from a file of the user's own."""

import json
import re

from tests.experiments.command_line import ROOT, rarebird


def test_the_readmes_bonus_is_compared_by_name(tmp_path):
  blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
  (code,) = (block for block in blocks if block.startswith("# my_bonus.py\n"))
  assert len(code.splitlines()) <= 35
  (tmp_path / "my_bonus.py").write_text(code)
  options = """
    --bonuses none my_bonus:build --envs deep_sea?size=5 --seeds 1 --steps 1000 --no-tune
    --batch-size 8 --unroll-length 5 --latent-size 8 --core-size 8 --predictor-hidden 8
    --head-hidden 8 --horizon 2 --eval-episodes 8
  """
  done = rarebird("compare", *options.split(), "--out", "run", cwd=tmp_path, timeout=300)
  assert done.returncode == 0, done.stderr
  curves = [json.loads(line) for line in (tmp_path / "run/curves.jsonl").read_text().splitlines()]
  paid = [row["bonus_paid"] for row in curves if row["variant"] == "my_bonus:build"]
  assert paid
  assert all(x > 0 for x in paid)
  assert "my_bonus:build" in (tmp_path / "run/report.html").read_text()
