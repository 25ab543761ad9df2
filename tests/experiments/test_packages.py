"""What is installed beside us: packages that have our names, and rlax, which few of ours need."""

import os
import subprocess
import sys

import pytest

from tests.experiments.command_line import ENVIRONMENT, ROOT


@pytest.mark.parametrize("name", ["agents", "envs"])
def test_a_package_that_hides_ours_is_told_in_one_line(tmp_path, name):
  (tmp_path / name).mkdir()
  (tmp_path / name / "__init__.py").write_text("raise RuntimeError('theirs was run')\n")
  path = os.pathsep.join([str(tmp_path), str(ROOT)])
  ended = subprocess.run(
    [sys.executable, "-c", "from experiments.__main__ import main; main()", "--help"],
    env=ENVIRONMENT | {"PYTHONPATH": path},
    cwd=tmp_path,
    capture_output=True,
    text=True,
  )
  assert ended.returncode == 2
  (line,) = ended.stderr.splitlines()
  assert f"the package {name!r} in {tmp_path / name} is another distribution's" in line


WITHOUT_RLAX = """
import sys
sys.modules["rlax"] = sys.modules["distrax"] = None
from agents.objectives import double_q, munchausen, pcl, sac, soft_pg, soft_q
"""


def test_objectives_that_name_no_rlax_do_without(tmp_path):
  ended = subprocess.run(
    [sys.executable, "-c", WITHOUT_RLAX],
    env=ENVIRONMENT,
    cwd=tmp_path,
    capture_output=True,
    text=True,
  )
  assert ended.returncode == 0, ended.stderr
