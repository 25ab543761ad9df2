"""The conformance test of environments on the host, to run on one of your own.

    from envs.host.conformance import check
    check(envs.make("mine:Maze"))

It plays random episodes of a few environments side by side, each twice with one seed, and raises
one line that names the first thing found wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

import dm_env
import jax
import numpy as np

from envs import action_specs
from envs.conformance import ConformanceError
from envs.environment import FIRST, LAST, MID, Environment
from envs.host.environment import HostEnvironment, VectorEnvironment
from envs.host.vector import vector
from envs.observation import allows, leaves, legal
from envs.random_action import random_action
from envs.success import FAILURE, SUCCESS, UNKNOWN

DTYPES = {"step_type": np.int32, "reward": np.float32, "discount": np.float32}


def check(
  env: Environment | HostEnvironment, num_envs: int = 3, steps: int = 200, seed: int = 0
) -> None:
  """Checks `env`, and how many of it are stepped together, against `envs.host.vector`.

  Args:
    env: functional, or on the host.
    num_envs: how many are stepped together.
    steps: random steps of each.
    seed: of the episodes.

  Raises:
    ConformanceError: one line that names the first thing found wrong.
  """
  if isinstance(env, HostEnvironment):
    _check_specs(env)
  name = getattr(env, "name", type(env).__name__)
  with vector(env, num_envs, seed) as one, vector(env, num_envs, seed) as two:
    before, running = None, np.zeros(num_envs, int)
    # The second is told other actions where they count for nothing: after a LAST.
    for t, (now, same) in enumerate(_play(env, one, two, steps, seed)):
      where = f"{name}: at step {t}"
      _check_batch(env, now, num_envs, where)
      _check_order(before, now, where)
      told = one.success()
      _require(
        told.shape == (num_envs,) and np.isin(told, (UNKNOWN, FAILURE, SUCCESS)).all(),
        f"{where}: success() is {told}; expected 1, 0 or -1 (not told) for each of {num_envs}.",
      )
      running = np.where(now.step_type == FIRST, 0, running + 1)
      limit = env.max_episode_steps
      _require((running <= limit).all(), f"{where}: an episode is longer than {limit} steps.")
      for field in now._fields:
        pair = (jax.tree.leaves(getattr(timestep, field)) for timestep in (now, same))
        if not all(np.array_equal(x, y, equal_nan=True) for x, y in zip(*pair, strict=True)):
          raise ConformanceError(
            f"{where}: {field} differs in two runs of one seed that differ only in the actions "
            "given after a LAST."
          )
      before = now.step_type


def _play(
  env: Environment | HostEnvironment,
  one: VectorEnvironment,
  two: VectorEnvironment,
  steps: int,
  seed: int,
) -> Iterator[tuple[dm_env.TimeStep, dm_env.TimeStep]]:
  rng = np.random.default_rng(seed)
  spec = env.action_spec()
  now, same = _copy(one.reset()), _copy(two.reset())
  yield now, same
  for _ in range(steps):
    keys = jax.random.split(jax.random.key(int(rng.integers(2**31))))
    mask = legal(now.observation)
    action, other = (np.asarray(random_action(spec, key, (one.num_envs,), mask)) for key in keys)
    ended = (now.step_type == LAST).reshape((-1,) + (1,) * len(spec.shape))
    now, same = _copy(one.step(action)), _copy(two.step(np.where(ended, other, action)))
    yield now, same


def _copy(timestep: dm_env.TimeStep) -> dm_env.TimeStep:
  return jax.tree.map(np.array, timestep)


def _check_specs(env: HostEnvironment) -> None:
  action = env.action_spec()
  _require(
    action_specs.conforms(action),
    f"{env.name}: action_spec() is {action_specs.one_line(action)}; expected"
    f" {action_specs.EXPECTED}, in int32 or float32.",
  )
  limit = env.max_episode_steps
  _require(limit > 0, f"{env.name}: max_episode_steps is {limit}; expected a positive number.")


def _check_batch(
  env: Environment | HostEnvironment, now: dm_env.TimeStep, num_envs: int, where: str
) -> None:
  spec, shown = env.observation_spec(), now.observation
  fields = {field: (getattr(now, field), (), dtype) for field, dtype in DTYPES.items()}
  names = sorted(shown) if isinstance(shown, dict) else [""]
  _require(names == list(leaves(spec)), f"{where}: leaves {names}; expected {list(leaves(spec))}.")
  for name, leaf in leaves(spec).items():
    field = f"observation {name}".strip()
    fields[field] = (shown[name] if name else shown, leaf.shape, leaf.dtype)
  for field, (value, shape, dtype) in fields.items():
    found, expected = (value.shape, value.dtype), ((num_envs, *shape), np.dtype(dtype))
    _require(found == expected, f"{where}: {field} is {found}; expected {expected}.")
  for name, leaf in leaves(spec).items():
    for index in range(num_envs):
      try:
        leaf.validate((shown[name] if name else shown)[index])
      except ValueError as error:
        what = f"observation {name} {index}".replace("  ", " ")
        raise ConformanceError(f"{where}: {what} breaks its spec: {error}") from error
  mask = legal(shown)
  if mask is not None:
    allowed = allows(mask, env.action_spec()) | (now.step_type == LAST)
    _require(allowed.all(), f"{where}: the mask of actions allows none.")
  _require(np.isfinite(now.reward).all(), f"{where}: rewards {now.reward} are not finite.")


def _check_order(before: np.ndarray | None, now: dm_env.TimeStep, where: str) -> None:
  first, last = now.step_type == FIRST, now.step_type == LAST
  _require(
    np.isin(now.step_type, (FIRST, MID, LAST)).all(), f"{where}: step types {now.step_type}."
  )
  owed = np.ones_like(first) if before is None else before == LAST
  _require(
    (first == owed).all(),
    f"{where}: FIRST is at {np.flatnonzero(first)}; expected at {np.flatnonzero(owed)}, "
    "where the step before was LAST.",
  )
  _require(
    ((now.reward == 0) & (now.discount == 1))[first].all(),
    f"{where}: a FIRST has reward {now.reward[first]} and discount {now.discount[first]}; "
    "expected 0 and 1.",
  )
  _require(
    np.isin(now.discount[last], (0, 1)).all(),
    f"{where}: a LAST has discount {now.discount[last]}; expected 0 (ended) or 1 (cut off).",
  )


def _require(condition: bool | np.bool_, message: str) -> None:
  if not condition:
    raise ConformanceError(message)
