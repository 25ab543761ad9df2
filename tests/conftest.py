"""Settings shared by all tests."""

import gc
import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

# Before any test imports JAX: a run on an accelerator asks for it by setting the variable itself.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# A test runs a program a few times, so most of its time is LLVM's: without optimisation, 2.6 times
# less processor time over tests/experiments/test_on_device.py.
FLAGS = "--xla_backend_optimization_level=0"
if importlib.metadata.version("jaxlib").startswith("0.6."):  # an unknown flag ends the process
  # A program in one piece rather than 32, of which each is read by LLVM anew: a fifth less.
  FLAGS += " --xla_cpu_parallel_codegen_split_count=1"
# One device, so that which test comes first in a process does not decide how many there are; those
# of several say so themselves, the last flag counts.
FLAGS += " --xla_force_host_platform_device_count=1"
os.environ.setdefault("XLA_FLAGS", FLAGS)

# What one test, worker or process of a session has compiled the others load: it is kept in a folder
# that the session makes and removes.
CACHE = None
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
  CACHE = tempfile.mkdtemp(prefix="rarebird-programs-")
  os.environ |= {
    "JAX_COMPILATION_CACHE_DIR": CACHE,
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
  }


def pytest_unconfigure():
  """Removes the programs; workers, which find the folder named, leave that to the session."""
  if CACHE is not None:
    shutil.rmtree(CACHE, ignore_errors=True)


# Where in the source an operation stands is written to no program, which is for profiles alone.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")

# Tracing leaves many objects alive, so that Python's collector ran for a tenth of the time.
gc.set_threshold(100_000, 50, 50)

# An example that compiles takes seconds, so a deadline would measure XLA; and a failure must recur.
hypothesis.settings.register_profile("rarebird", deadline=None, derandomize=True)
hypothesis.settings.load_profile("rarebird")


TESTS = Path(__file__).parent
SLOW = (TESTS / "slow.txt").read_text("utf-8").split()
"""Files that `make check` leaves out: they start processes, learn, or compile for long. The longest
come first, so that workers which run a file at a time end together."""


def pytest_collection_modifyitems(items):
  """Marks the tests of the slow files, and begins with them."""
  place = {name: number for number, name in enumerate(SLOW)}

  def file(item):
    return item.path.relative_to(TESTS).as_posix()

  for item in items:
    if file(item) in place:
      item.add_marker(pytest.mark.slow)
  items.sort(key=lambda item: place.get(file(item), len(place)))


@pytest.fixture
def quirks(monkeypatch):
  """The modules of awkward environments, `quirks` and `quirks_...`, on the path, workers' too."""
  monkeypatch.syspath_prepend(str(TESTS))
