"""The conformance test of the environment contract, to run on an environment of one's own.

    from envs.conformance import check
    check(MyEnvironment())

It plays random episodes and raises one line that names the first thing found wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import dm_env
import jax
import jax.numpy as jnp
import numpy as np
from dm_env import specs

from envs import action_specs, observation
from envs.auto_reset import AutoReset
from envs.capabilities import HasObserve, HasPlaces, HasRender, Places
from envs.channels import channels_first
from envs.environment import FIRST, LAST, MID, Environment, Reference
from envs.errors import RAISED
from envs.random_action import random_action

EAGER_STEPS = 3
SCALARS = {"step_type": jnp.int32, "reward": jnp.float32, "discount": jnp.float32}


class ConformanceError(AssertionError):
  """An environment breaks the contract; the message says where and how."""


def check(env: Environment, key: jax.Array | None = None, steps: int = 500) -> None:
  """Checks `env` against the contract of `envs.environment`.

  Args:
    env: the environment.
    key: of the random episodes; by default a fixed one.
    steps: random steps to play; at least one whole episode is played whatever it says.

  Raises:
    ConformanceError: one line that names the first thing found wrong.
  """
  key = jax.random.key(0) if key is None else key
  check_structure(env, key)
  actions = np.asarray(random_action(env.action_spec(), key, (steps + env.max_episode_steps,)))
  jitted = jax.jit(env.reset), jax.jit(env.step)
  _check_same_episode(env, key, actions[:EAGER_STEPS], *jitted)
  _check_episodes(env, key, actions, steps, *jitted)
  _check_scan(env, key, actions[: min(steps, 2 * env.max_episode_steps)])
  _check_splits(env)


def check_structure(env: Environment, key: jax.Array) -> None:
  """The part of `check` that runs nothing: specs, and shapes and dtypes by tracing.

  Raises:
    ConformanceError: one line that names the first thing found wrong.
  """
  _check_attributes(env)
  _check_structure(env, key)


def _require(condition: Any, env: Environment, message: str) -> None:
  if not condition:
    raise ConformanceError(f"{type(env).__name__}: {message}")


def _attempt(env: Environment, what: str, call: Callable[..., Any], *args: Any) -> Any:
  try:
    return call(*args)
  except RAISED as error:  # whatever a user's code raises is told in one line, its cause chained
    line = str(error).strip().partition("\n")[0]
    message = f"{type(env).__name__}: {what} failed with {type(error).__name__}: {line}"
    raise ConformanceError(message) from error


def _check_attributes(env: Environment) -> None:
  _require(isinstance(env, Environment), env, "is not a subclass of envs.Environment.")
  spec = _attempt(env, "observation_spec()", env.observation_spec)
  actions = _attempt(env, "action_spec()", env.action_spec)
  _require(
    action_specs.conforms(actions),
    env,
    f"action_spec() is {action_specs.one_line(actions)}; expected {action_specs.EXPECTED}, in int32"
    " or float32.",
  )
  try:
    observation.check_spec(spec, actions)
  except ValueError as error:
    raise ConformanceError(f"{type(env).__name__}: observation_spec() is {error}") from error
  for name, leaf in observation.leaves(spec).items():
    _check_leaf(env, f"observation_spec(){f'[{name!r}]' if name else ''}", leaf)
  limit = env.max_episode_steps
  _require(
    isinstance(limit, int) and limit > 0,
    env,
    f"max_episode_steps is {limit!r}; expected a positive int.",
  )
  _require(
    isinstance(env.success_return, int | float) and env.success_return > -math.inf,
    env,
    f"success_return is {env.success_return!r}; expected a number, or infinity for undefined.",
  )
  if isinstance(env, HasPlaces):
    places = _attempt(env, "places()", env.places)
    _require(
      isinstance(places, Places), env, f"places() is {places!r}; expected Places, or no places()."
    )
  optimal = env.optimal()
  _require(
    optimal is None or isinstance(optimal, Reference),
    env,
    f"optimal() is {optimal!r}; expected a Reference or None.",
  )


def _check_leaf(env: Environment, where: str, spec: specs.Array) -> None:
  _require(
    spec.dtype != np.uint8 or len(spec.shape) != 3 or not channels_first(spec.shape),
    env,
    f"{where} is uint8 {spec.shape}; expected pictures with their channels last, [H, W, C].",
  )
  most = action_specs.MOST_VALUES
  _require(
    not isinstance(spec, specs.DiscreteArray) or spec.num_values <= most,
    env,
    f"{where} is a choice of more than {most:,} values; have it show floats.",
  )


def _check_structure(env: Environment, key: jax.Array) -> None:
  """Traces reset, step and render, so that shapes and dtypes are told before anything runs."""
  action = jnp.zeros(env.action_spec().shape, env.action_spec().dtype)
  started = _attempt(env, "tracing reset (as jax.jit does)", jax.eval_shape, env.reset, key)
  _check_pair(env, "reset", started)
  stepped = _attempt(
    env, "tracing step (as jax.jit does)", jax.eval_shape, env.step, started[0], action
  )
  _check_pair(env, "step", stepped)

  trees: list[Any] = [jax.tree.structure(state) for state, _ in (started, stepped)]
  _require(
    trees[0] == trees[1],
    env,
    f"step() returned a state of another structure than reset(): {trees[1]}, not {trees[0]}.",
  )
  before, after = (jax.tree_util.tree_leaves_with_path(s) for s, _ in (started, stepped))
  for (path, old), (_, new) in zip(before, after, strict=True):
    _require(
      _aval(old) == _aval(new),
      env,
      f"state{jax.tree_util.keystr(path)} is {_aval(old)} after reset() but {_aval(new)} after "
      "step(); they must agree, or every loop over steps compiles twice.",
    )
  if isinstance(env, HasRender):
    picture = _attempt(env, "tracing render", jax.eval_shape, env.render, started[0])
    _require(
      picture.dtype == jnp.uint8 and len(picture.shape) == 3 and picture.shape[2] == 3,
      env,
      f"render() returned {_aval(picture)}; expected uint8[H,W,3].",
    )


def _check_pair(env: Environment, name: str, pair: Any) -> None:
  _require(
    isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], dm_env.TimeStep),
    env,
    f"{name}() returned {type(pair).__name__}; expected (state, dm_env.TimeStep).",
  )
  timestep = pair[1]
  for field, dtype in SCALARS.items():
    _check_aval(env, name, field, getattr(timestep, field), ((), dtype))
  spec, shown = env.observation_spec(), timestep.observation
  if isinstance(spec, dict):
    leaves = sorted(shown) if isinstance(shown, dict) else type(shown).__name__
    _require(
      leaves == sorted(spec),
      env,
      f"{name}() returned observation {leaves}; expected a dict of {sorted(spec)} by"
      " observation_spec().",
    )
  for leaf, expected in observation.leaves(spec).items():
    value = shown[leaf] if leaf else shown
    field = f"observation{f'[{leaf!r}]' if leaf else ''}"
    _check_aval(env, name, field, value, (expected.shape, expected.dtype), " by observation_spec()")


def _check_aval(
  env: Environment,
  name: str,
  field: str,
  value: Any,
  expected: tuple[tuple[int, ...], Any],
  source: str = "",
) -> None:
  _require(hasattr(value, "dtype"), env, f"{name}() returned {field} {value!r}; expected an array.")
  wanted = _aval(jax.ShapeDtypeStruct(*expected))
  _require(
    _aval(value) == wanted,
    env,
    f"{name}() returned {field} {_aval(value)}; expected {wanted}{source}.",
  )


def _aval(value: Any) -> str:
  shape = ",".join(map(str, value.shape))
  weak = " (weakly typed; give its dtype)" if getattr(value, "weak_type", False) else ""
  return f"{value.dtype}[{shape}]{weak}"


def _check_same_episode(
  env: Environment,
  key: jax.Array,
  actions: np.ndarray,
  jitted_reset: Callable[..., Any],
  jitted_step: Callable[..., Any],
) -> None:
  """The same key and actions give the same episode: eagerly, eagerly again, and jitted."""

  def play(reset: Callable[..., Any], step: Callable[..., Any]) -> list[Any]:
    pairs = [reset(key)]
    for action in actions:
      state, timestep = pairs[-1]
      if int(timestep.step_type) == LAST:
        break
      pairs.append(step(state, _allowed(env, timestep, jnp.asarray(action), key)))
    return pairs

  eager = _attempt(env, "playing without jax.jit", play, env.reset, env.step)
  again = _attempt(env, "playing without jax.jit", play, env.reset, env.step)
  _check_equal(env, "the same key gave two different episodes", eager, again)
  jitted = _attempt(env, "playing under jax.jit", play, jitted_reset, jitted_step)
  _check_equal(env, "jitted and not jitted differ", eager, jitted)


def _check_equal(env: Environment, what: str, left: list[Any], right: list[Any]) -> None:
  for t, (a, b) in enumerate(zip(left, right, strict=False)):
    a_leaves = jax.tree_util.tree_leaves_with_path(a)
    for (path, x), (_, y) in zip(a_leaves, jax.tree_util.tree_leaves_with_path(b), strict=True):
      where = f"{'state' if path[0].idx == 0 else 'timestep'}{jax.tree_util.keystr(path[1:])}"
      _require(_close(x, y), env, f"{what}: {where} at step {t}.")
  _require(len(left) == len(right), env, f"{what}: one ended before the other.")


def _close(x: Any, y: Any) -> bool:
  x, y = _array(x), _array(y)
  if np.issubdtype(x.dtype, np.floating):  # compiled sums may round in another order
    return np.allclose(x, y, rtol=1e-4, atol=1e-5, equal_nan=True)
  return np.array_equal(x, y)


def _array(x: Any) -> np.ndarray:
  if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
    x = jax.random.key_data(x)
  return np.asarray(x)


def _check_episodes(
  env: Environment,
  key: jax.Array,
  actions: np.ndarray,
  steps: int,
  reset: Callable[..., Any],
  step: Callable[..., Any],
) -> None:
  """Random episodes, one after another, each timestep checked by value."""
  observe = jax.jit(env.observe) if isinstance(env, HasObserve) else None
  played = episode = 0
  while played < steps:
    state, timestep = reset(jax.random.fold_in(key, episode))
    where = f"at the first step of episode {episode}"
    _check_values(env, timestep, where)
    for field, wanted in (("step_type", FIRST), ("reward", 0.0), ("discount", 1.0)):
      value = getattr(timestep, field).item()
      _require(value == wanted, env, f"{field} is {value} {where}; expected {wanted}.")
    for t in range(1, env.max_episode_steps + 1):
      action = _allowed(
        env, timestep, jnp.asarray(actions[played]), jax.random.fold_in(key, played)
      )
      state, timestep = step(state, action)
      played += 1
      where = f"at step {t} of episode {episode}"
      _check_values(env, timestep, where)
      _check_transition(env, timestep, where)
      if observe is not None:
        same = all(jax.tree.leaves(jax.tree.map(_close, observe(state), timestep.observation)))
        _require(same, env, f"observe(state) differs from the observation {where}.")
      if int(timestep.step_type) == LAST:
        break
    else:
      limit = env.max_episode_steps
      _require(False, env, f"episode {episode} did not end within max_episode_steps = {limit}.")
    episode += 1


def _check_values(env: Environment, timestep: dm_env.TimeStep, where: str) -> None:
  spec, shown = env.observation_spec(), timestep.observation
  for name, leaf in observation.leaves(spec).items():
    what = f"the leaf {name!r} of the observation" if name else "the observation"
    _check_bounds(env, leaf, np.asarray(shown[name] if name else shown), what, where)
  mask = observation.legal(shown)
  if mask is not None and int(timestep.step_type) != LAST:
    some = observation.allows(np.asarray(mask), env.action_spec())
    _require(some, env, f"the mask {observation.LEGAL!r} allows no action {where}.")
  reward = float(timestep.reward)
  _require(math.isfinite(reward), env, f"the reward is {reward} {where}.")


def _check_bounds(
  env: Environment, spec: specs.Array, values: np.ndarray, what: str, where: str
) -> None:
  if np.issubdtype(values.dtype, np.floating):
    _require(np.isfinite(values).all(), env, f"{what} is not finite {where}.")
  if isinstance(spec, specs.BoundedArray):
    low, high = values.min(), values.max()
    inside = (values >= spec.minimum).all() and (values <= spec.maximum).all()
    _require(
      inside,
      env,
      f"{what}, within [{low}, {high}], leaves the bounds of observation_spec(), "
      f"[{np.min(spec.minimum)}, {np.max(spec.maximum)}], {where}.",
    )


def _allowed(
  env: Environment, timestep: dm_env.TimeStep, action: jax.Array, key: jax.Array
) -> jax.Array:
  """The action, or, where a mask says which are allowed, one of them at random."""
  mask = observation.legal(timestep.observation)
  return action if mask is None else random_action(env.action_spec(), key, legal=mask)


def _check_transition(env: Environment, timestep: dm_env.TimeStep, where: str) -> None:
  step_type, discount = int(timestep.step_type), float(timestep.discount)
  _require(step_type in (MID, LAST), env, f"step_type is {step_type} {where}; expected 1 or 2.")
  if step_type == LAST:
    message = (
      f"the discount is {discount} {where}, a LAST; expected 0 (termination) or 1 (cut off)."
    )
    _require(discount in (0.0, 1.0), env, message)
  else:
    message = f"the discount is {discount} {where}, a MID; expected above 0 and at most 1."
    _require(0.0 < discount <= 1.0, env, message)


def _check_scan(env: Environment, key: jax.Array, actions: np.ndarray) -> None:
  """An endless stream of episodes in one scan, alone and as the first of two under vmap."""
  auto = AutoReset(env)

  def play(episode_key: jax.Array) -> Any:
    start = auto.reset(episode_key)

    def step(before: Any, action: jax.Array) -> tuple[Any, dm_env.TimeStep]:
      state, timestep = before
      after = auto.step(state, _allowed(env, timestep, action, key))
      return after, after[1]

    return start[1], jax.lax.scan(step, start, jnp.asarray(actions))[1]

  keys = jnp.stack([key, jax.random.fold_in(key, 1)])
  alone = _attempt(env, "a scan of AutoReset", jax.jit(play), key)
  both = _attempt(env, "a scan of AutoReset under jax.vmap", jax.jit(jax.vmap(play)), keys)
  first_of_both = jax.tree.map(lambda x: x[0], both)
  _check_equal(env, "under jax.vmap and without it differ", [((), alone)], [((), first_of_both)])
  types = np.append(np.asarray(alone[0].step_type), np.asarray(alone[1].step_type))
  after_last = types[1:][types[:-1] == LAST]
  _require((after_last == FIRST).all(), env, "AutoReset did not start an episode after a LAST.")


def _check_splits(env: Environment) -> None:
  splits = env.splits()
  _require(
    isinstance(splits, Mapping) and len(splits) > 0,
    env,
    f"splits() is {splits!r}; expected a mapping of names to environments.",
  )
  for name, split in splits.items():
    _require(
      isinstance(name, str) and isinstance(split, Environment),
      env,
      f"splits() has {name!r}: {split!r}; expected a name and an Environment.",
    )
    for method in ("observation_spec", "action_spec"):
      mine, its = getattr(env, method)(), getattr(split, method)()
      same = observation.same(mine, its)
      if method == "action_spec":
        same = same and np.array_equal(action_specs.bounds(mine), action_specs.bounds(its))
      _require(same, env, f"split {name!r} has {method}() {its!r}; expected {mine!r}.")
