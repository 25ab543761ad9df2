"""No planner: the policy acts as it is."""

from __future__ import annotations

from typing import Any

from agents.planners.planner import Context, Planner, registry


@registry.register("none", summary="no planner: the policy acts as it is")
def build(settings: Any, context: Context) -> Planner:
  del settings, context
  return Planner(None)
