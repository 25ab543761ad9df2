"""What learns: agents, and the world model, objectives and bonuses they are put together from."""

import sys

# rlax needs tensorflow_probability, which imports all of TensorFlow, where it is installed, for its
# docstrings: several seconds and 300 MB of every process. It does without if that import fails.
if "tensorflow" not in sys.modules:
  sys.modules["tensorflow"] = None  # type: ignore[assignment]
  try:
    import rlax  # noqa: F401
  finally:
    del sys.modules["tensorflow"]
