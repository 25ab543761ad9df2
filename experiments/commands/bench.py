"""`rarebird bench`: how fast the parts are and what a bonus costs, compilation apart.

Everything is measured in one process, the variants in turn, round after round, so that a ratio
compares like with like on a machine whose speed drifts; medians over the rounds are reported.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
from dm_env import specs
from rich.console import Console
from rich.table import Table

from agents import auxiliaries, bonuses, objectives
from agents.latent.config import AgentConfig
from agents.torsos import torso as torsos
from envs.auto_reset import AutoReset
from envs.environment import Environment
from envs.observation import Spec
from envs.registry import AUTO
from experiments.acting import rollout
from experiments.acting.policy import RandomPolicy
from experiments.bench import auxiliaries as bench_auxiliaries
from experiments.bench import host as bench_host
from experiments.bench import sizes
from experiments.commands import terminal
from experiments.runs.experiment import build
from experiments.runtimes import on_device
from experiments.runtimes.program import compile_ahead, planned_bytes
from experiments.settings import choices, flags, reader
from experiments.settings.errors import UserError
from experiments.settings.train import DEFAULT_AGENT, TrainConfig, agent_config, build_agent

PLAIN = "none"
"""What the other agents are compared with."""


@dataclasses.dataclass(frozen=True)
class BenchConfig:
  """Measure environment, acting, learning and all together, with and without the bonus."""

  env: str = "zipf/gridworld"
  """Environment, as in `rarebird train`."""
  env_args: tuple[str, ...] = ()
  """Settings of the environment, as name=value."""
  runtime: Literal["on_device", "actor_learner", "offline"] = "on_device"
  """on_device measures the compiled program with and without the bonus; actor_learner the actors,
  experience and learner of a host run, and a small cluster of them; offline the stages of `rarebird
  offline` at their defaults."""
  envs_per_actor: int = 0
  """Environments that one actor steps together, as in `rarebird train`."""
  bonuses: tuple[str, ...] = ("byol_explore",)
  """Bonuses whose cost is measured beside the plain agent's; `none+byol` is the plain agent with
  the BYOL loss."""
  objectives: tuple[str, ...] = ()
  """Objectives to measure beside the agent's own, without a bonus, in place of the bonuses."""
  auxiliaries: tuple[str, ...] = ()
  """Auxiliary losses, or `all`, of which an update is measured beside the plain agent's and byol's,
  in place of the bonuses."""
  torsos: tuple[str, ...] = ()
  """Torsos to measure beside the agent's own, without a bonus, in place of the bonuses."""
  equal: sizes.Equal = "settings"
  """What these torsos have as much of as the agent's own encoder, by their width: parameters, or
  work (XLA's count of operations, forward); settings leaves them as they are. A torso whose size
  is no setting stays as it is."""
  graph_nodes: tuple[int, ...] = (100, 1000, 10_000)
  """Nodes of the graphs that --runtime offline builds."""
  rounds: int = 5
  """How often each part is timed; medians are reported."""
  json: bool = False
  """Print JSON instead of tables."""
  agent_name: str = flags.named("agent", DEFAULT_AGENT)
  """Agent, as in `rarebird train`."""
  agent: AgentConfig = dataclasses.field(default_factory=lambda: agent_config(DEFAULT_AGENT))
  """The network and data sizes; the bonus is varied."""

  def variants(self, spec: Spec) -> dict[str, dict[str, Any]]:
    """The agents compared, for observations of `spec`: what they change in the config."""
    none = bonuses.registry.choice(PLAIN)
    plain = {"bonus": none, "auxiliary": ()}
    if self.torsos:
      return {name: plain | change for name, change in self.with_torsos(spec).items()}
    if self.objectives:
      named = {
        name: choices.parse(objectives.registry, name, "--objectives") for name in self.objectives
      }
      own = {self.agent.objective.name: plain}
      return own | {name: plain | {"objective": choice} for name, choice in named.items()}
    return {PLAIN: plain} | {
      name: {"bonus": none, "auxiliary": (auxiliaries.registry.choice("byol"),)}
      if name == "none+byol"
      else {"bonus": choices.parse(bonuses.registry, name, "--bonuses")}
      for name in self.bonuses
    }

  def with_torsos(self, spec: Spec) -> dict[str, dict[str, Any]]:
    """The agent's own encoder, and those asked for, by what they are and how large."""
    model = self.agent.world_model
    own, latent = model.torso, model.latent_size
    if own.name == AUTO and isinstance(spec, specs.Array):
      own = torsos.registry.choice(torsos.automatic(spec))
    named = [choices.parse(torsos.registry, word, "--torsos") for word in self.torsos]
    sized = [own, *(sizes.equal(torso, own, self.equal, spec, latent) for torso in named)]
    return {
      sizes.told(torso, spec, latent): {"world_model": dataclasses.replace(model, torso=torso)}
      for torso in sized
    }


def machine() -> dict[str, Any]:
  """Names what the numbers were measured on."""
  model = platform.processor() or platform.machine()
  try:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
      model = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
  except (OSError, StopIteration):
    pass
  return {
    "cpu": model,
    "cores": os.cpu_count(),
    "devices": [d.device_kind for d in jax.local_devices()],
    "jax": jax.__version__,
    "python": platform.python_version(),
  }


def _peak_bytes() -> int | None:
  """The operating system's count for this process, all variants in it; None on Windows."""
  try:
    import resource
  except ImportError:
    return None
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak if platform.system() == "Darwin" else peak * 1024


def _seconds(function: Callable[[], Any]) -> float:
  start = time.perf_counter()
  jax.block_until_ready(function())
  return time.perf_counter() - start


def bench_environment(env: Environment, batch: int, length: int, rounds: int) -> dict[str, Any]:
  """Random actions in `batch` environments with auto-reset.

  Twice: with each observation written and handed to the next step, where the next overwrites it,
  and with all of them kept, [T, B, ...], which is bound by writing memory.
  """
  stream, policy = AutoReset(env), RandomPolicy(env.action_spec())

  def steps(keep: bool, start: rollout.Acting, key: jax.Array) -> tuple[Any, Any]:
    def kept(carry: tuple, step: rollout.Step) -> tuple[tuple, Any]:
      return carry, step.after.timestep if keep else None

    acting, _, timesteps = rollout.scan(
      stream, policy, (), start, jax.random.split(key, length), kept
    )
    return acting, timesteps

  start = jax.jit(lambda key: rollout.start(stream, policy, batch, key))(jax.random.key(0))
  key = jax.random.key(1)
  passing, compile_seconds = compile_ahead(jax.jit(functools.partial(steps, False)), start, key)
  keeping, _ = compile_ahead(jax.jit(functools.partial(steps, True)), start, key)
  times: dict[str, list[float]] = {"passing": [], "keeping": []}
  for i in range(rounds + 1):
    for name, program in (("passing", passing), ("keeping", keeping)):
      seconds = _seconds(functools.partial(program, start, key))
      if i:  # the first round warms up
        times[name].append(seconds)
  rate = {name: batch * length / statistics.median(values) for name, values in times.items()}
  return {
    "environments": batch,
    "steps_per_second": rate["passing"],
    "kept_steps_per_second": rate["keeping"],
    "compile_seconds": compile_seconds,
  }


def bench_agents(env: Environment, config: BenchConfig) -> dict[str, Any]:
  """Acting, learning and both, for each variant; ratios are to the first."""
  length, batch = config.agent.unroll_length, config.agent.batch_size
  parts: dict[str, dict[str, Callable[[], Any]]] = {}
  fixed: dict[str, dict[str, Any]] = {}
  for name, change in config.variants(env.observation_spec()).items():
    varied = dataclasses.replace(config.agent, **change)
    asked = TrainConfig(
      env=config.env, env_args=config.env_args, agent_name=config.agent_name, agent=varied
    )
    agent = build_agent(asked, env)
    runtime = on_device.build(env, agent, updates_per_call=4)
    carry = runtime.init(jax.random.split(jax.random.key(0), 1))
    program, compile_seconds = compile_ahead(runtime.run, carry)
    state = {"carry": program(carry)[0]}  # the first call also warms up
    one = jax.tree.map(lambda x: x[0], state["carry"])
    variables = agent.variables(one.learner)
    acting, _ = compile_ahead(
      jax.jit(functools.partial(on_device.unroll, AutoReset(env), agent)), variables, one
    )
    trajectory = acting(variables, one)[1]
    learning, _ = compile_ahead(jax.jit(agent.learn), one.learner, trajectory, one.key)
    jax.block_until_ready(learning(one.learner, trajectory, one.key))

    def together(state: dict[str, Any] = state, program: Any = program) -> Any:
      state["carry"], metrics = program(state["carry"])
      return metrics

    def act(acting: Any = acting, variables: Any = variables, one: Any = one) -> Any:
      return acting(variables, one)

    def learn(learning: Any = learning, one: Any = one, trajectory: Any = trajectory) -> Any:
      return learning(one.learner, trajectory, one.key)

    parts[name] = {"acting": act, "learning": learn, "end_to_end": together}
    fixed[name] = {"compile_seconds": compile_seconds, "program_bytes": planned_bytes(program)}

  times: dict[str, dict[str, list[float]]] = {n: {p: [] for p in parts[n]} for n in parts}
  for _ in range(config.rounds):
    for part in ("acting", "learning", "end_to_end"):
      for name in parts:
        times[name][part].append(_seconds(parts[name][part]))

  out: dict[str, Any] = {}
  first = next(iter(times.values()))
  for name in parts:
    steps = {"acting": length * batch, "learning": length * batch, "end_to_end": 4 * length * batch}
    out[name] = {
      f"{p}_steps_per_second": steps[p] / statistics.median(times[name][p]) for p in steps
    }
    for part in ("learning", "end_to_end"):
      ratios = [a / b for a, b in zip(times[name][part], first[part], strict=True)]
      out[name][f"{part}_time_ratio"] = statistics.median(ratios)
    out[name] |= fixed[name]
  return out


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  agent = flags.value_of(arguments, "agent", DEFAULT_AGENT)
  default = BenchConfig(agent_name=agent, agent=agent_config(agent))
  config = reader.read("bench", arguments, default, about)
  return functools.partial(run, config, terminal.console())


def run(config: BenchConfig, console: Console) -> int:
  """Measures and prints."""
  if config.rounds < 1:
    raise UserError(f"--rounds is {config.rounds}; give at least 1.")
  asked = TrainConfig(
    env=config.env,
    env_args=config.env_args,
    envs_per_actor=config.envs_per_actor,
    agent_name=config.agent_name,
    agent=config.agent,
  )
  if config.runtime == "offline":
    from experiments.bench import offline as bench_offline  # which no other bench needs

    measured = bench_offline.measure(asked, config.graph_nodes, config.rounds)
    _show(config, {"machine": machine()} | measured, bench_offline.show, console)
    return 0
  if config.agent.replay.replay_capacity:
    raise UserError("bench measures agents on policy; leave --replay-capacity out.")
  if config.runtime == "actor_learner":
    measured = bench_host.measure(asked, config.rounds)
    _show(config, {"machine": machine()} | measured, bench_host.show, console)
    return 0
  if sum(map(bool, (config.auxiliaries, config.objectives, config.torsos))) > 1:
    raise UserError("give --objectives, --auxiliaries or --torsos; each is measured by itself.")
  env = build(asked).env
  if not isinstance(env, Environment):
    raise UserError(f"{config.env!r} runs on the host; give --runtime actor_learner.")
  about = {
    "machine": machine(),
    "env": config.env,
    "env_args": list(config.env_args),
    "agent": dataclasses.asdict(config.agent),
  }
  if config.auxiliaries:
    plain = bonuses.registry.choice(PLAIN)
    asked = dataclasses.replace(
      asked, agent=dataclasses.replace(config.agent, bonus=plain, auxiliary=())
    )
    measured = bench_auxiliaries.measure(asked, env, config.auxiliaries, config.rounds)
    _show(config, about | measured, bench_auxiliaries.show, console)
    return 0
  result = about | {
    "environment": bench_environment(env, 256, 128, config.rounds),
    "agents": bench_agents(env, config),
    "peak_process_bytes": _peak_bytes(),
  }
  _show(config, result, _print, console)
  return 0


def _show(
  config: BenchConfig,
  result: dict[str, Any],
  tables: Callable[[dict[str, Any], Console], None],
  console: Console,
) -> None:
  if config.json:
    print(json.dumps(result, indent=2))
  else:
    tables(result, console)


def _print(result: dict[str, Any], console: Console) -> None:
  m, e = result["machine"], result["environment"]
  console.print(
    f"{m['cores']} x {m['cpu']}, {', '.join(m['devices'])}, jax {m['jax']}", highlight=False
  )
  console.print(
    f"{result['env']}: {e['steps_per_second']:,.0f} steps/s in {e['environments']} environments"
    f" ({e['kept_steps_per_second']:,.0f} keeping all observations), compiled in"
    f" {e['compile_seconds']:.1f} s"
  )
  out = Table(caption="steps/s, medians, compilation apart; time relative to the first")
  out.add_column("agent")
  for column in ("acting", "learning", "all", "time", "compile", "memory"):
    out.add_column(column, justify="right")
  for name, a in result["agents"].items():
    out.add_row(
      name,
      *(f"{a[f'{p}_steps_per_second']:,.0f}" for p in ("acting", "learning", "end_to_end")),
      f"{a['end_to_end_time_ratio']:.2f}x",
      f"{a['compile_seconds']:.0f} s",
      f"{a['program_bytes'] / 2**20:,.0f} MiB",
    )
  console.print(out)
