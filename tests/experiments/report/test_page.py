"""The page of a comparison: its content, and that it depends on its data alone."""

import html
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.commands import report as report_command
from experiments.report import data
from experiments.report import page as page_of
from experiments.settings.errors import UserError
from tests.experiments.report import synthetic

pytestmark = pytest.mark.usefixtures("few_resamples")
COMMITTED = Path(__file__).parents[3] / "experiments" / "results" / "compare-default"
SMALL = {"seeds": 2, "points": 4, "side": 7}
BONUSES = ("none", "rnd", "byol_explore")
ENVS = ("maze?noise=none", "chain")
LACKING = ("rnd", "chain")


def build(folder):
  report_command.run(folder, Console(quiet=True))
  return (folder / "report.html").read_text()


class Text(HTMLParser):
  """Gathers what is seen; any element that fetches something is kept apart."""

  def __init__(self, page):
    super().__init__()
    self.words, self.fetched, self.open = [], [], []
    self.feed(page)

  def handle_starttag(self, tag, attributes):
    self.fetched += [
      value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")
    ]
    self.open.append(tag)

  def handle_data(self, data):
    if not {"style", "script"} & set(self.open[-1:]):
      self.words.append(data)

  @property
  def seen(self):
    return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, few_resamples):
  path = tmp_path_factory.mktemp("comparison")
  synthetic.write(path, BONUSES, ENVS, **SMALL)
  return path


@pytest.fixture(scope="module")
def page(folder):
  return build(folder)


@pytest.fixture
def changed(folder, tmp_path):
  """A copy of the comparison that a test may change."""
  return shutil.copytree(folder, tmp_path / "comparison")


SECTIONS = [
  "results", "scores", "curves", "cost", "films", "maps", "instruments", "tuning", "commands",
  "terms",
]  # fmt: skip


def test_the_page_has_every_section_and_a_link_to_it(page):
  there = [found for found in re.findall(r'id="(\w+)"', page) if found in SECTIONS]
  assert there == SECTIONS
  (links,) = re.findall(r'<nav aria-label="Sections">.*?</nav>', page, re.DOTALL)
  assert sorted(re.findall(r'href="#(\w+)"', links)) == sorted(SECTIONS)


def test_the_page_tells_the_numbers_of_its_data(page):
  seen = Text(page).seen
  (results, *_) = re.findall(r'<section id="results">.*?</section>', page, re.DOTALL)
  counted = Text(results).seen
  assert f"{len(BONUSES)} bonuses in {len(ENVS)} environments" in counted
  assert "2 seeds each" in counted
  # Scales: of the maze from random to optimal play, of the chain from random play on.
  assert re.search(r"0\.05 \(.*?\) to 0\.95 \(", counted)
  assert re.search(r"0\.02 \(.*?\) to", counted)
  assert "0.333" in seen  # the smallest p-value of two seeds against two
  for told in ("2026-11-22", "cpu:0, cpu:1", "5%", "95%", "world_model.horizon = 8"):
    assert told in seen


def test_the_page_has_the_commands_that_made_it(page):
  (commands,) = re.findall(r'<section id="commands">.*?</section>', page, re.DOTALL)
  told = Text(commands).seen
  assert "rarebird compare --bonuses all" in told
  for bonus in BONUSES:
    assert f"rarebird train --bonus {bonus} --env maze?noise=none --seed 1 --steps 1000000" in told


def test_every_bonus_has_a_curve_in_every_environment(page):
  charts = re.findall(r'<svg class="chart curves".*?</svg>', page, re.DOTALL)
  scores = [chart for chart in charts if 'aria-label="score' in chart]
  assert len(scores) == len(ENVS)
  for chart in scores:
    # The line and the band of each.
    assert [chart.count(f'class="variant-{i}"') for i in range(4)] == [2, 2, 2, 0]


def test_every_picture_has_a_description(page):
  pictures = re.findall(r"<(?:img|svg)\b[^>]*>", page)
  assert len(pictures) > 20
  silent = [p for p in pictures if not re.search(r'alt="[^"]+"|aria-label="[^"]+"|aria-hidden', p)]
  # Of a timeline, the element around its pictures has the description.
  assert all('preserveAspectRatio="none"' in picture for picture in silent)


def test_the_page_needs_nothing_else(page):
  assert not re.findall(r"https?://|url\((?!#)|@import", page)
  assert all(link.startswith(("data:", "#")) for link in Text(page).fetched)


def test_ids_are_unique_or_of_equal_drawings(page):
  bodies = {}
  for found, body in re.findall(r'id="(\w+)"([^/]*)', page):
    assert bodies.setdefault(found, body) == body


def test_the_same_data_give_the_same_bytes(folder, page):
  assert build(folder) == page


def test_names_are_escaped(tmp_path):
  synthetic.write(tmp_path, ("none", "my:<i>Bonus</i>"), ("<b>maze</b>&", "$chain$"), **SMALL)
  page = build(tmp_path)
  assert "<b>" not in page
  assert "<i>" not in page
  assert page.count(html.escape("<b>maze</b>&")) > 5
  assert "my:<i>Bonus</i>" in Text(page).seen


@pytest.mark.parametrize(
  ("missing", "told"),
  [
    ("curves.jsonl", "No curve yet."),
    ("finals.jsonl", "No bonus has finished every seed in any environment yet."),
    ("tuning.jsonl", "No weight was searched for."),
    ("instruments.jsonl", "Nothing has been replayed yet."),
  ],
)
def test_what_is_missing_is_said(changed, missing, told):
  (changed / missing).unlink()
  assert told in Text(build(changed)).seen


PNG = "iVBORw0KGgo="


def add(folder, name, *rows):
  with (folder / name).open("a") as lines:
    lines.writelines(json.dumps(row) + "\n" for row in rows)


def test_films_are_shown_with_their_seed_and_outcome(changed):
  assert "There are no films" in Text(build(changed)).seen
  film = {"variant": "rnd", "env": "chain", "return": 0.5, "length": 7, "png": PNG}
  add(changed, "films.jsonl", film | {"which": "best", "seed": 1, "success": True})
  add(changed, "films.jsonl", film | {"which": "median", "seed": 0, "success": None})
  page = build(changed)
  seen = Text(page).seen
  assert "There are no films" not in seen
  assert "best seed, 1: return 0.50 in 7 steps, success" in seen
  assert "median seed, 0: return 0.50 in 7 steps" in seen
  assert page.count(f'src="data:image/png;base64,{PNG}"') == 2


def test_success_by_rank_is_drawn_where_there_are_ranks(changed):
  assert "Success by rank" not in Text(build(changed)).seen
  path = changed / "finals.jsonl"
  rows = [json.loads(line) for line in path.read_text().splitlines()]
  for row in rows:
    if row["env"] == "chain":
      row["ranks"] = {"map": [0.9, 0.4, None]}
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  page = build(changed)
  assert "by the rank of the map" in Text(page).seen
  (chart,) = re.findall(r'<svg[^>]*aria-label="success of[^"]*the map".*?</svg>', page, re.DOTALL)
  assert [chart.count(f'class="variant-{i}"') for i in range(4)] == [2, 2, 2, 0]


def test_what_probes_read_is_a_table_a_chart_and_a_term_where_there_are_probes(changed):
  before = Text(build(changed)).seen
  assert "What the representations hold" not in before
  assert "Linear probe" not in before
  path = changed / "finals.jsonl"
  rows = [json.loads(line) for line in path.read_text().splitlines()]
  told = {"all": 0.61, "common": 0.8, "rare": None, "untrained": 0.3, "chance": 0.25}
  for row in rows:
    if row["env"] == "chain":
      row["probes"] = {"room": told | {"by_rank": [0.9, 0.7, 0.25, None]}}
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  page = build(changed)
  seen = Text(page).seen
  assert "What the representations hold" in seen
  assert "Linear probe" in seen
  assert len(re.findall("<tr><th>[a-z_]+</th><td>room</td>.*61%.*80%.*30%.*25%", page)) == 3
  (chart,) = re.findall(
    r'<svg[^>]*aria-label="probe accuracy of[^"]*room".*?</svg>', page, re.DOTALL
  )
  assert [chart.count(f'class="variant-{i}"') for i in range(4)] == [2, 2, 2, 0]


def test_each_environment_has_its_own_steps_and_is_said_to_be_solved(changed):
  before = Text(build(changed)).seen  # its data do not tell
  assert "of 2 solved" not in before
  assert "was solved" not in before
  path = changed / "finals.jsonl"
  rows = [json.loads(line) | {"steps": 9, "solved_at": None} for line in path.open()]
  for row in rows:
    if (row["variant"], row["env"]) == ("rnd", "chain"):
      row["solved_at"] = 250_000 + row["seed"] * 50_000
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  settings = json.loads((changed / "compare.json").read_text())
  settings["steps_in"] = {"chain": 500_000, ENVS[0]: 1_000_000}
  (changed / "compare.json").write_text(json.dumps(settings))
  page = build(changed)
  seen = Text(page).seen
  assert "chain was solved with every seed by rnd at 275,000 steps (median)." in seen
  assert f"{ENVS[0]} was solved with no seed." in seen
  assert "500,000 or 1,000,000" in seen
  assert "2 of 2 solved by 275,000" in seen
  scores = re.findall(
    r'<svg class="chart curves" role="img" aria-label="score.*?</svg>', page, re.S
  )
  rnd = BONUSES.index("rnd")
  # The line and the band, and where it was solved the triangle.
  assert [chart.count(f'class="variant-{rnd}"') for chart in scores] == [2, 3]


def test_nothing_but_what_was_asked_for_makes_a_page(tmp_path):
  asked = {"variants": ["none", "rnd"], "envs": ["maze"], "seeds": [0, 1, 2]}
  (tmp_path / "compare.json").write_text(json.dumps(asked))
  seen = Text(build(tmp_path)).seen
  assert "No bonus has finished" in seen
  assert "Not run yet, or not with every seed, 2 of 2: none in maze; rnd in maze." in seen


def test_a_cell_that_was_not_run_is_named_and_left_out_of_the_aggregates(changed):
  lines = (changed / "finals.jsonl").read_text().splitlines(keepends=True)
  rows = map(json.loads, lines)
  kept = [x for x, row in zip(lines, rows, strict=True) if (row["variant"], row["env"]) != LACKING]
  (changed / "finals.jsonl").write_text("".join(kept))
  seen = Text(build(changed)).seen
  assert "1 of 6: rnd in chain." in seen
  assert "not run" in seen
  assert "Aggregates are of 2 of 3 bonuses over 2 of 2 environments" in seen


def test_few_environments_come_before_their_aggregate(page):
  order = [page.index(f"<{x}>") for x in ("h2>Results over all environments</h2",)]
  order += [page.index('<h3 id="scores">'), page.index("<h3>Aggregates</h3>")]
  order.append(page.index("<h2>Learning curves"))
  assert order == sorted(order)
  assert page.count('id="scores"') == 1


def test_what_does_not_apply_is_not_missing(tmp_path):
  synthetic.write(tmp_path, ("none", "rnd", "oracle_counts"), ENVS, **SMALL)
  seen = Text(build(tmp_path)).seen
  assert seen.count("does not apply") == 3  # in tables of scores and areas, before the results
  assert "oracle_counts does not apply in chain, and is left out of the aggregates." in seen
  assert "Not run yet" not in seen
  assert "not run" not in seen
  assert "2 bonuses in 2 environments" in seen


def bold(page):
  """Texts of the cells that are told to differ."""
  return re.findall(r'<td class="[^"]*certain[^"]*"[^>]*>([^<]*)', page)


@pytest.mark.parametrize("seeds", [2, 6])
def test_nothing_is_bold_that_its_seeds_cannot_tell(tmp_path, seeds):
  synthetic.write(tmp_path, ("none", "rnd"), ENVS, seeds=seeds, points=4, side=7)
  path = tmp_path / "finals.jsonl"
  rows = [json.loads(line) for line in path.read_text().splitlines()]
  for row in rows:
    row["score"] = (0.9 if row["variant"] == "rnd" else 0.1) + 0.01 * row["seed"]
    row["auc"] = row["score"] / 2
  path.write_text("".join(json.dumps(row) + "\n" for row in rows))
  page = build(tmp_path)
  # 2 / 36, and 2 / 6 in one environment; 2 / 924**2, and twice 2 / 924 in one.
  if seeds == 2:
    assert bold(page) == []
    assert "Nothing can be told from this data of which bonus is best." in Text(page).seen
  else:
    # Its score and its area in two environments, better than none, the matrix from both sides.
    assert len(bold(page)) == 2 + 2 + 1 + 2
    assert "rnd is more often better than none" in Text(page).seen


def test_without_a_reward_no_weight_is_searched_for(tmp_path):
  synthetic.write(tmp_path, BONUSES, ("maze",), **SMALL)
  (tmp_path / "tuning.jsonl").unlink()
  maps = json.loads((tmp_path / "maps.json").read_text())
  maps["maze"]["metric"] = "coverage"
  (tmp_path / "maps.json").write_text(json.dumps(maps))
  assert "for no environment here has a reward" in Text(build(tmp_path)).seen


def test_weights_are_shown_with_the_environments_that_they_were_chosen_in(changed):
  path = changed / "tuning.jsonl"
  lines = path.read_text().splitlines(keepends=True)
  path.write_text("".join(line for line in lines if json.loads(line)["env"] == "chain"))
  seen = Text(build(changed)).seen
  assert "of these the mean over chain: without a reward" in seen


def test_pay_below_zero_is_told(tmp_path):
  synthetic.write(tmp_path, ("none", "ndigo"), ("maze",), **SMALL)
  seen = Text(build(tmp_path)).seen
  assert "bonus where some is below 0" in seen
  assert re.search(r"bonus along 500 steps, from -0\.\d+ to 0\.\d+; the grey line is 0", seen)


def test_an_environment_without_places_has_no_maps(tmp_path):
  synthetic.write(tmp_path, BONUSES, ENVS, **SMALL)
  maps = json.loads((tmp_path / "maps.json").read_text())
  assert "reachable" not in maps["chain"]
  page = build(tmp_path)
  assert "Map of visits in maze?noise=none with rnd" in page
  assert "Map of visits in chain" not in page


@pytest.mark.parametrize("bonuses", [("none",), ("rnd",), ("rnd", "icm")])
@pytest.mark.parametrize("seeds", [1, 2])
def test_few_bonuses_environments_and_seeds_make_a_page(tmp_path, bonuses, seeds):
  synthetic.write(tmp_path, bonuses, ("maze",), seeds=seeds, points=1, side=7)
  seen = Text(build(tmp_path)).seen
  assert ("There is one seed, so there are no intervals." in seen) == (seeds == 1)
  assert ("has finished." in seen) == (len(bonuses) == 1)
  assert "nan" not in seen.split()


def test_a_long_log_is_averaged_over_stretches():
  logged = 5 * page_of.POINTS
  values = np.stack([np.arange(logged), np.full(logged, np.nan)]).astype(float)
  values[1, 0] = 7.0
  steps, means = page_of.thin(np.arange(logged), values)
  assert steps.shape == (page_of.POINTS,)
  np.testing.assert_array_equal(steps[:3], [2, 7, 12])
  np.testing.assert_array_equal(means[:, :2], [[2, 7], [7, np.nan]])


def test_a_missing_library_is_told_in_one_line(folder, monkeypatch):
  monkeypatch.setitem(sys.modules, "rliable", None)
  for name in [name for name in sys.modules if name.startswith("experiments.report.")]:
    monkeypatch.delitem(sys.modules, name)
  monkeypatch.delattr("experiments.report.page", raising=False)
  monkeypatch.delattr("experiments.report.data", raising=False)
  with pytest.raises(UserError, match=r"pip install 'rarebird\[compare\]'") as caught:
    report_command.run(folder, Console(quiet=True))
  assert "\n" not in str(caught.value)


def test_what_else_is_varied_is_called_by_its_name(tmp_path):
  synthetic.write(tmp_path, ("vmpo", "ppo"), ("maze", "chain"), seeds=2, points=3, side=7)
  path = tmp_path / "compare.json"
  settings = json.loads(path.read_text()) | {"vary": "objective", "baseline": "vmpo"}
  path.write_text(json.dumps(settings))
  seen = Text(page_of.render(data.read(tmp_path))).seen
  assert "2 objectives in 2 environments" in seen
  assert "Better than vmpo?" in seen
  assert "What each objective costs" in seen
  assert "without a bonus" not in seen
  assert "no bonus" not in seen


def test_a_comparison_of_the_first_version_still_makes_its_page():
  seen = Text(page_of.render(data.read(COMMITTED))).seen
  assert "6 exploration bonuses in" in seen
  assert "Better than no bonus?" in seen
