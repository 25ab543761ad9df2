"""The functions of rlax that are used, so that it is needed here alone.

rlax needs distrax, which needs tensorflow_probability; on the newest JAX that is a nightly build.
What does not name this module, such as soft Q-learning, does without all three.
"""

import sys

# tensorflow_probability imports all of TensorFlow, where it is installed, for its docstrings:
# several seconds and 300 MB of every process. It does without if that import fails.
_hidden = "tensorflow" not in sys.modules
if _hidden:
  sys.modules["tensorflow"] = None  # type: ignore[assignment]
try:
  from rlax import (
    LagrangePenalty,
    clipped_surrogate_pg_loss,
    general_off_policy_returns_from_q_and_v,
    vmpo_loss,
    vtrace_td_error_and_advantage,
  )
finally:
  if _hidden:
    del sys.modules["tensorflow"]

__all__ = [
  "LagrangePenalty",
  "clipped_surrogate_pg_loss",
  "general_off_policy_returns_from_q_and_v",
  "vmpo_loss",
  "vtrace_td_error_and_advantage",
]
