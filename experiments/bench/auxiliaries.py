"""What an auxiliary loss costs: time and memory of an update with it, beside the plain agent's."""

from __future__ import annotations

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from agents import auxiliaries
from agents.agent import Agent, Teacher
from envs.auto_reset import AutoReset
from envs.environment import Environment
from experiments.runtimes import on_device
from experiments.runtimes.program import compile_ahead, planned_bytes
from experiments.settings import choices
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig, build_agent

ALL = "all"
"""Stands for every loss of `rarebird list auxiliaries` that the agent can take."""
PLAIN, BYOL = "none", "byol"
"""What the others are compared with."""


def measure(
  config: TrainConfig, env: Environment, names: tuple[str, ...], rounds: int
) -> dict[str, Any]:
  """Times an update with each loss, in turn, on one batch.

  Args:
    config: of the plain agent, without bonus and auxiliary losses.
    env: of it.
    names: words of `--auxiliary`, or `all` alone.
    rounds: of which medians are taken.

  Returns:
    `updates`: by name, `seconds` (median), `to_none` and `to_byol` (medians of the ratios within a
    round), `planned_bytes`, `memory_to_none`, `operations` (XLA's count of floating-point
    operations; what a loop repeats counts once) and `compile_seconds`; and `left_out`: by name,
    why `all` could not take it.

  Raises:
    UserError: if one that was named does not fit the agent or the environment.
  """
  every = names == (ALL,)
  words = auxiliaries.registry.names() if every else names
  if ALL in words:
    raise UserError(f"--auxiliaries {ALL} stands alone; leave the other names out.")
  plain = build_agent(config, env)
  agents, left_out = {PLAIN: plain}, {}
  for word in dict.fromkeys((BYOL, *words)):
    try:
      agents[word] = _with(config, env, word, plain)
    except UserError as error:
      if not every:
        raise
      left_out[word] = str(error)
  trajectory = _trajectory(env, plain)
  calls: dict[str, Callable[[], Any]] = {}
  fixed: dict[str, dict[str, Any]] = {}
  for name, agent in agents.items():
    calls[name], fixed[name] = _update(agent, trajectory)
  times: dict[str, list[float]] = {name: [] for name in calls}
  for _ in range(rounds):
    for name, call in calls.items():
      start = time.perf_counter()
      jax.block_until_ready(call())
      times[name].append(time.perf_counter() - start)

  def ratio(name: str, to: str) -> float:
    return statistics.median(a / b for a, b in zip(times[name], times[to], strict=True))

  updates = {
    name: {
      "seconds": statistics.median(times[name]),
      "to_none": ratio(name, PLAIN),
      "to_byol": ratio(name, BYOL),
      "memory_to_none": fixed[name]["planned_bytes"] / max(fixed[PLAIN]["planned_bytes"], 1),
    }
    | fixed[name]
    for name in calls
  }
  return {"updates": updates, "left_out": left_out}


def _with(config: TrainConfig, env: Environment, word: str, plain: Agent) -> Agent:
  """The agent with one loss; what asks for a teacher has the plain agent for one, untrained, which
  costs what a trained one would."""
  choice = choices.parse(auxiliaries.registry, word, "--auxiliaries")
  asked = dataclasses.replace(config, agent=dataclasses.replace(config.agent, auxiliary=(choice,)))
  try:
    return build_agent(asked, env)
  except UserError as error:
    teacher = Teacher(plain, jax.device_get(jax.jit(plain.init)(jax.random.key(1))), env)
    try:
      return build_agent(asked, env, teacher)
    except UserError:
      raise error from None


def _trajectory(env: Environment, agent: Agent) -> Any:
  """What the plain agent does in an unroll, untrained; all learn from it."""
  runtime = on_device.build(env, agent, 1, devices=jax.local_devices()[:1])
  carry = jax.tree.map(lambda x: x[0], runtime.init(jax.random.key(0)[None]))
  act = jax.jit(functools.partial(on_device.unroll, AutoReset(env), agent))
  return act(agent.variables(carry.learner), carry)[1]


def _update(agent: Agent, trajectory: Any) -> tuple[Callable[[], Any], dict[str, Any]]:
  """A call of a compiled update that was called once, and what is known of its program."""
  state = jax.jit(agent.init)(jax.random.key(0))
  key = jax.random.key(1)
  program, seconds = compile_ahead(jax.jit(agent.learn), state, trajectory, key)
  jax.block_until_ready(program(state, trajectory, key))
  counted = program.cost_analysis() or {}
  return functools.partial(program, state, trajectory, key), {
    "planned_bytes": planned_bytes(program),
    "operations": float(counted.get("flops", 0.0)),
    "compile_seconds": seconds,
  }


def show(result: dict[str, Any], console: Console) -> None:
  """The table, and what was left out."""
  m = result["machine"]
  console.print(
    f"{m['cores']} x {m['cpu']}, {', '.join(m['devices'])}, jax {m['jax']}", highlight=False
  )
  out = Table(
    title=f"an update in {result['env']}",
    caption="medians, compilation apart; time and memory beside the plain agent's and byol's",
  )
  out.add_column("auxiliary", no_wrap=True)
  for column in ("ms", "to none", "to byol", "memory", "to none", "compile"):
    out.add_column(column, justify="right", no_wrap=True)
  for name, told in result["updates"].items():
    out.add_row(
      name,
      f"{1e3 * told['seconds']:,.1f}",
      f"{told['to_none']:.2f}x",
      f"{told['to_byol']:.2f}x",
      f"{told['planned_bytes'] / 2**20:,.0f} MiB",
      f"{told['memory_to_none']:.2f}x",
      f"{told['compile_seconds']:.0f} s",
    )
  console.print(out)
  for name, why in result["left_out"].items():
    console.print(f"left out: {name}: {why}", markup=False, soft_wrap=True)
