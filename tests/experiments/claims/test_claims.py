"""`rarebird claims`: what it lists, refuses and resumes, its tables, and that its arms can be read.

No arm is trained here; what arms ask of `rarebird train` is read.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.auto_reset import AutoReset
from envs.observation import LABEL
from experiments.claims import all as every
from experiments.claims import contriever, curvature, distilling, few_shot, lab, labelled, results
from experiments.claims.claim import Claim
from experiments.settings.errors import UserError
from experiments.settings.train import build_agent, check


class Read(Exception):
  """Flags were read."""


@pytest.fixture
def asked(monkeypatch):
  """Reads an arm's flags in place of training it."""
  told = []

  def read(words, *rest, **named):
    told.append(lab.settings(words))
    raise Read

  monkeypatch.setattr(lab, "trained", read)
  monkeypatch.setattr(lab, "training", read)
  return told


UNTRAINED = ("few_shot", "contriever", *curvature.CLAIMS)
"""Claims that train no agent."""
TRAINED = [name for name in every.CLAIMS if name not in UNTRAINED]


@pytest.mark.parametrize("name", TRAINED)
def test_the_flags_of_every_arm_are_right(name, asked):
  for arm in every.CLAIMS[name].arms.values():
    with pytest.raises(Read):
      arm((0,))
  for config in asked:
    check(config)
  # Of each claim one is built, which tells a window that does not fit its unroll.
  last = asked[-1]
  if name not in ("students", "supcon"):
    build_agent(last, lab.world(f"--env {last.env}"))


@pytest.mark.parametrize("words", distilling.ARMS.values())
def test_a_student_has_a_quarter_of_its_teachers_units(words):
  student = lab.settings(f"{distilling.WORLD} {distilling.SMALL} {distilling.TAUGHT} {words}")
  teacher = lab.settings(f"{distilling.WORLD} {distilling.LARGE} {distilling.ALONE}")
  assert 4 * student.agent.head_hidden == teacher.agent.head_hidden
  assert 4 * student.agent.world_model.core_size == teacher.agent.world_model.core_size


def test_the_best_constant_is_that_of_the_least_mean_logarithm_and_none_that_diverged():
  logs = {"constant 1": (-3.0, None), "constant 2": (-2.0, -4.0), "cdat": (-3.0, -3.5)}
  rows = [{"arm": name, "log10_loss": x} for name, two in logs.items() for x in two]
  best, other = curvature.best_constant(rows)
  assert best == "best constant: constant 2, a loss of 1.0e-03 (geometric means)"
  assert other == "cdat: 5.6e-04, 0.56 times that of the best constant"


def test_what_is_done_is_not_done_again(monkeypatch, tmp_path, capsys):
  calls = []

  def arm(seeds):
    calls.append(list(seeds))
    return [{"share": 0.5 + seed / 10, "none": float("nan")} for seed in seeds]

  fake = Claim("what is claimed", {"one": arm}, {"share": "{:.0%}"}, lambda rows: [f"{len(rows)}"])
  monkeypatch.setattr(every, "CLAIMS", {"fake": fake})
  from_line = ["--names", "fake", "--out", str(tmp_path), "--seeds"]
  for seeds in ("2", "2", "3"):
    assert claims(*from_line, seeds) == 0
  assert calls == [[0, 1], [2]]
  rows = [json.loads(line) for line in (tmp_path / "fake.jsonl").read_text().splitlines()]
  assert [(row["arm"], row["seed"], row["none"]) for row in rows] == [
    ("one", seed, None) for seed in range(3)
  ]
  assert "60% [35, 85]" in capsys.readouterr().out
  assert claims(*from_line, "3", "--markdown") == 0
  assert "| one | 3 | 60% [35, 85] |" in capsys.readouterr().out


def claims(*words):
  from experiments.commands import claims as command

  return command.read(words, "")()


def test_without_names_it_lists_what_there_is(capsys):
  assert claims() == 0
  shown = capsys.readouterr().out
  assert all(name in shown for name in every.CLAIMS)


@pytest.mark.parametrize(
  ("words", "said"),
  [
    (("--names", "infomn"), "no claim 'infomn'; did you mean infomin?"),
    (("--names", "cmc", "--seeds", "0"), "--seeds is 0; give at least 1."),
    (("--names", "cmc", "--seed", "-1"), "--seed is -1; give 0 or more"),
  ],
)
def test_what_is_wrong_is_one_line(words, said):
  with pytest.raises(UserError, match=said.replace("?", r"\?")):
    claims(*words)


def test_a_file_that_is_none_of_ours_is_refused(tmp_path):
  (tmp_path / "cmc.jsonl").write_text('{"arm": "one", "seed": 0}\n{"arm": 1}\n')
  with pytest.raises(UserError, match=r"cmc.jsonl, line 2: not a row of a claim; remove it"):
    results.read(tmp_path / "cmc.jsonl")


def test_recall_is_the_share_of_a_maps_documents_that_are_found():
  maps = np.repeat(np.arange(6), contriever.FOUND)
  documents = contriever.Played(np.zeros(0), np.zeros(0), maps)
  queries = contriever.Played(np.zeros(0), np.zeros(0), np.arange(6))
  given = contriever.World(documents, documents, queries, np.zeros(0))
  right = (np.arange(6)[:, None] == maps[None]).astype(np.float64)
  assert contriever.recalled(given, right) == {"recall": 1.0, "recall_rare": 1.0}
  right[:2] *= -1.0
  told = contriever.recalled(given, right)
  assert told == {"recall": pytest.approx(4 / 6), "recall_rare": 1.0}


def test_maml_takes_steps_down_the_error_of_the_few():
  class Linear:
    @staticmethod
    def encode(params, x):
      return x @ params

  given = few_shot.World(None, None, None, Linear)
  x = np.eye(4, dtype=np.float32)
  y = np.arange(4) % 2
  params = {"encoder": np.eye(4, dtype=np.float32), "w": np.zeros((4, 2)), "b": np.zeros(2)}
  after = few_shot._adapted(given, params, x, y)
  errors = [float(few_shot._error(given, own, x, y)) for own in (params, after)]
  assert errors[1] < errors[0] == pytest.approx(np.log(2), rel=1e-5)


def test_a_labelled_world_shows_the_map_also_where_it_restarts_by_itself():
  env = labelled.Labelled(lab.world(lab.WORLD), 0.0)
  state, timestep = env.reset(jax.random.key(0))
  assert timestep.observation[LABEL] == env.ranks(state)[0]
  stream = AutoReset(env)
  shown = jax.eval_shape(lambda key: stream.reset(key)[1], jax.random.key(0))
  after = jax.eval_shape(
    lambda key: stream.step(stream.reset(key)[0], jnp.int32(0))[1], jax.random.key(0)
  )
  assert jax.tree.map(lambda x: x.shape, after) == jax.tree.map(lambda x: x.shape, shown)
