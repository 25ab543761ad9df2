"""What is published: the wheel holds the data, the image's steps are the Makefile's."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_file_of_data_is_in_the_wheel():
  listed = subprocess.run(
    ["git", "ls-files", "agents", "envs", "experiments"],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  if listed.returncode:
    pytest.skip("no git, or no checkout of it")
  packaged = {
    path
    for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items()
    for pattern in patterns
    for path in (ROOT / package.replace(".", "/")).glob(pattern)
  }
  missing = [
    name
    for name in listed.stdout.splitlines()
    if not name.endswith(".py")
    and not name.startswith("experiments/results/")
    and ROOT / name not in packaged
  ]
  assert missing == []


def test_the_images_steps_are_the_makefiles():
  targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.M))
  steps = re.findall(r"\bmake (\S+)", DOCKERFILE.partition("FROM")[2])
  assert set(steps[1:]) <= targets, "the first is apt's package"
  assert steps[1:] == [".venv/locked", ".venv/installed", ".venv/cuda"]
  for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.M):
    assert all((ROOT / source).exists() for source in line.split())


def test_one_version_stands_everywhere():
  version = PROJECT["project"]["version"]
  assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
  assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text()
