"""`rarebird equivalence`: where soft Q-learning and its policy gradient agree, shown.

It writes beside the run's files:
equivalence.jsonl   a row a case and batch size, then a row a case, then beliefs
equivalence.png
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from agents.latent.state import Params
from envs.host.environment import HostEnvironment
from experiments.acting import keys
from experiments.commands import terminal
from experiments.commands import train as train_command
from experiments.commands.terminal import number
from experiments.evaluation import equivalence
from experiments.evaluation.equivalence import Data, EquivalenceConfig, Variational
from experiments.evaluation.pictures import COLOURS, GREY, LIGHT, write_figure
from experiments.evaluation.scores import EVALUATION_SEED
from experiments.runs import experiment as train
from experiments.runs import run_folder
from experiments.runs.files import finite, write_atomically
from experiments.settings import flags, reader
from experiments.settings import train as configs
from experiments.settings.errors import UserError
from experiments.settings.train import TrainConfig

BELIEFS = 300
"""Beliefs of each case that are saved and drawn."""
MARKERS = "os^"


class Case(NamedTuple):
  """One way to make the data and to read it.

  Attributes:
    name: what a person calls it.
    curve: `equivalence.curve`.
    slopes: `equivalence.slopes`.
    identity: at the beliefs visited, [M].
  """

  name: str
  curve: list[dict[str, float]]
  slopes: dict[str, float]
  identity: Variational

  def variational(self) -> dict[str, float]:
    """Means over the beliefs, and the largest difference of what should be equal."""
    means = {name: float(np.mean(x)) for name, x in self.identity._asdict().items()}
    largest = np.max(np.abs(self.identity.gap - self.identity.divergence))
    return means | {"largest_difference": float(largest)}


def read(arguments: Sequence[str], about: str) -> Callable[[], int]:
  """Reads the arguments; a wrong one is a UserError."""
  agent = flags.value_of(arguments, "agent", "soft_q")
  config = reader.read("equivalence", arguments, EquivalenceConfig.of(agent), about)
  return functools.partial(run, config, terminal.console())


def run(config: EquivalenceConfig, console: Console) -> int:
  """Measures, shows and saves; returns the exit status, 130 if the training was interrupted."""
  equivalence.check(config)
  if config.run:
    path = config.run
  else:
    training = config.train
    default = training.folder().replace("runs/", "runs/equivalence-", 1)
    training = dataclasses.replace(training, out=training.out or default)
    _twins(training, config.max_batch)  # what is wrong is told before a file is touched
    status = train_command.run(training, terminal.console(stderr=True) if config.json else console)
    if status:
      return status
    path = Path(training.out)
  title, cases = measure(path, config, console)
  rows = list(_rows(cases))
  try:
    text = "".join(json.dumps(finite(row)) + "\n" for row in rows)
    write_atomically(path / "equivalence.jsonl", text.encode())
    write_picture(path / "equivalence.png", cases, title)
  except OSError as error:
    raise UserError(f"cannot write to {path}: {error.strerror}.") from error
  if config.json:
    print(json.dumps(finite([row for row in rows if row["kind"] != "belief"]), indent=2))
    return 0
  for table in (agreement_table(cases, title), identity_table(cases)):
    console.print(table)
  console.print(f"picture: {path / 'equivalence.png'}", markup=False, soft_wrap=True)
  return 0


def _twins(config: TrainConfig, max_batch: int) -> tuple[Any, equivalence.Twins]:
  """The environment of a run, and `equivalence.twins`."""
  env = configs.build_environment(config)
  if isinstance(env, HostEnvironment):
    raise UserError(f"environment {config.env!r} runs on the host; give one written in JAX.")
  return env, equivalence.twins(config, env, max_batch)


def measure(path: Path, config: EquivalenceConfig, console: Console) -> tuple[str, list[Case]]:
  """Measures the first seed of the run in `path`; returns what to call it, and its cases."""
  env, twins = _twins(run_folder.read_config(path), config.max_batch)
  experiment, saved = train.load(path)
  params: Params = jax.tree.map(lambda x: x[0], experiment.loop.variables(saved).params)
  state = equivalence.learner_state(twins, params)
  (key,) = keys.stream(experiment.config.keys()[:1], keys.EVALUATION, EVALUATION_SEED)
  tau, reference = float(np.exp(params.duals.log_temperature)), np.asarray(params.duals.reference)

  def collect(share: float) -> Data:
    with console.status(f"drawing data, {share:.0%} of the actions uniform"):
      return jax.device_get(
        equivalence.collect(
          env, twins, config.draws, state, np.float32(config.mismatch), np.float32(share), key
        )
      )

  def case(
    name: str,
    data: Data,
    agreement: tuple[equivalence.Agreement, ...],
    log_policy: equivalence.Array,
  ) -> Case:
    curve = equivalence.curve(agreement)
    q, log_policy = data.q[data.mask], log_policy[data.mask]
    identity = equivalence.variational(q, log_policy, reference, tau)
    return Case(name, curve, equivalence.slopes(curve), identity)

  on, off = collect(0.0), collect(config.off_policy)
  # What soft_pg takes for its policy, where it reads the same values at its own temperature.
  hotter = reference + on.q / (config.mismatch * tau)
  title = f"{experiment.config.env}, {experiment.steps(experiment.loop.updates(saved)):,} steps"
  return title, [
    case("on policy", on, on.agreement, on.log_policy),
    case(f"{config.off_policy:.0%} uniform", off, off.agreement, off.log_policy),
    case(f"tau x {config.mismatch:g}", on, on.mismatched, hotter),
  ]


def _rows(cases: list[Case]) -> Iterable[dict[str, Any]]:
  """What is saved: agreement by batch size, then each case's numbers, then some beliefs."""
  for case in cases:
    yield from ({"kind": "agreement", "case": case.name} | row for row in case.curve)
  for case in cases:
    found = {f"slope_of_{name}": value for name, value in case.slopes.items()}
    yield {"kind": "case", "case": case.name} | found | case.variational()
  for case in cases:
    for values in zip(*_some(case.identity), strict=True):
      yield {"kind": "belief", "case": case.name} | dict(
        zip(Variational._fields, values, strict=True)
      )


def _some(identity: Variational) -> Variational:
  """Beliefs spread evenly over the data."""
  every = -(-len(identity.gap) // BELIEFS)
  return Variational(*(x[::every] for x in identity))


def agreement_table(cases: list[Case], title: str) -> Table:
  """1 - cosine and norm ratio of every case against batch size; 80 columns."""
  table = Table(
    title=f"{title}: soft_pg's gradient against soft_q's",
    caption="batch: trajectories; ratio: |soft_pg's| / |soft_q's|; slope: k where 1 - cos,"
    " over the larger half of the batches, or the squared difference, over all, goes"
    " as batch^k: -1 is noise alone, 0 a difference that lasts",
  )
  table.add_column("\nbatch", justify="right", no_wrap=True)
  for case in cases:
    table.add_column(f"{case.name}\n1 - cos", justify="right", min_width=7)
    table.add_column("\nratio", justify="right", no_wrap=True)
  for rows in zip(*(case.curve for case in cases), strict=True):
    cells = [
      (number(row["distance"], "{:.1e}"), number(row["norm_ratio"], "{:.3f}")) for row in rows
    ]
    table.add_row(f"{rows[0]['batch_size']}", *(cell for pair in cells for cell in pair))
  table.add_section()
  for name, label in {"distance": "slope", "difference": "slope, diff."}.items():
    cells = [(number(case.slopes[name], "{:.2f}"), "") for case in cases]
    table.add_row(label, *(cell for pair in cells for cell in pair))
  return table


def identity_table(cases: list[Case]) -> Table:
  """The Donsker-Varadhan identity and Pinsker's bound, means over beliefs; 80 columns."""
  table = Table(
    title="the Donsker-Varadhan gap of policies p",
    caption="means over the beliefs visited, in units of the return; p is the policy"
    f" that acted, under {cases[-1].name} what soft_pg reads at its temperature",
  )
  table.add_column("")
  for case in cases:
    table.add_column(case.name, justify="right", no_wrap=True)
  numbers = [case.variational() for case in cases]
  for label, name in {
    "V - (E_p Q - tau KL(p || ref))": "gap",
    "tau KL(p || pi_Q)": "divergence",
    "largest difference of the two": "largest_difference",
    "Pinsker: tau / 2 ||p - pi_Q||_1^2": "pinsker",
  }.items():
    table.add_row(label, *(number(row[name], "{:.2e}") for row in numbers))
  return table


def write_picture(path: Path, cases: list[Case], title: str) -> None:
  """Draws agreement against batch size, and gaps against divergences, 1600 pixels wide."""
  figure = Figure(figsize=(8, 6.4), facecolor="white", layout="constrained")
  figure.suptitle(
    f"{title}: soft_pg against soft_q", x=0.01, ha="left", fontsize=11, fontweight="bold",
    parse_math=False,
  )  # fmt: skip
  (cosine, difference), (ratio, gap) = figure.subplots(2, 2)
  for axes in (cosine, difference, ratio):
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("batch size (trajectories)", fontsize=9)
  for axes, name, label in (
    (cosine, "distance", "1 - cosine of the gradients"),
    (difference, "difference", "squared difference of the gradients, relative"),
    (ratio, "norm_ratio", "ratio of norms"),
  ):
    for case, colour, marker in zip(cases, COLOURS, MARKERS, strict=False):
      size, values = ([row[n] for row in case.curve] for n in ("batch_size", name))
      text = f"{case.name}: slope {case.slopes[name]:.2f}" if name in case.slopes else case.name
      axes.plot(size, values, color=colour, marker=marker, markersize=4, label=text)
      if name == "distance":
        low, high = ([r[name] + k * r["error"] for r in case.curve] for k in (-1, 1))
        axes.fill_between(size, np.maximum(low, 1e-16), high, color=colour, alpha=0.15, lw=0)
    _style(axes, label)
  for axes, name in ((cosine, "distance"), (difference, "difference")):
    axes.set_yscale("log")
    last = cases[0].curve[-1]
    sizes = np.array([row["batch_size"] for row in cases[0].curve])
    axes.plot(
      sizes, last[name] * sizes[-1] / sizes, color=LIGHT, ls=":", zorder=0, label="1 / batch"
    )
    axes.legend(frameon=False, fontsize=8)
  ratio.axhline(1.0, color=LIGHT, ls=":", zorder=0)
  _draw_identity(gap, cases)
  write_figure(path, figure)


def _draw_identity(axes: Axes, cases: list[Case]) -> None:
  """Each belief's gap against its divergence, which should be the diagonal, and Pinsker's bound."""
  for case, colour, marker in zip(cases, COLOURS, MARKERS, strict=False):
    gap, divergence, pinsker = _some(case.identity)
    axes.scatter(
      divergence, gap, s=16, color=colour, marker=marker, linewidths=0, zorder=3, label=case.name
    )
    axes.scatter(divergence, pinsker, s=5, color=GREY, marker="x", linewidths=0.6)
  end = max(float(case.identity.divergence.max()) for case in cases)
  axes.plot([0.0, end], [0.0, end], color=LIGHT, ls=":", zorder=0)
  axes.scatter([], [], s=5, color=GREY, marker="x", linewidths=0.6, label="Pinsker's bound")
  axes.set_xlabel("tau KL(p || pi_Q), a point a belief", fontsize=9)
  axes.legend(frameon=False, fontsize=8)
  _style(axes, "V - (E_p Q - tau KL(p || ref))")


def _style(axes: Axes, label: str) -> None:
  axes.set_title(label, fontsize=9, loc="left")
  axes.spines[["top", "right"]].set_visible(False)
  axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
  axes.set_axisbelow(True)
  axes.tick_params(labelsize=8.5, colors="#333333")
