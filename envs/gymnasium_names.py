"""The `rarebird/...` names of our environments in gymnasium's registry, for its `make`.

Light, as importing `envs` files them: what makes an environment is imported when it is made.
"""

from __future__ import annotations

import gymnasium

from envs import method_files

ENTRY_POINTS = "envs.gymnasium_entry"


def gymnasium_id(name: str) -> str:
  """The gymnasium id of a registered name: "zipf/gridworld" is "rarebird/zipf-gridworld-v0"."""
  return f"rarebird/{name.replace('/', '-')}-v0"


def register(name: str) -> None:
  """Files an environment with gymnasium, unless it is there already."""
  if gymnasium_id(name) not in gymnasium.registry:
    gymnasium.register(
      id=gymnasium_id(name),
      entry_point=f"{ENTRY_POINTS}:make_registered",
      vector_entry_point=f"{ENTRY_POINTS}:make_registered_vector",
      kwargs={"name": name},
    )


def register_ours() -> None:
  """Files all that the files beside this one register; none of them is imported."""
  for line in method_files.read("envs", several=True).listed:
    if not (line.prefix or line.error):
      register(line.name)
