"""The page of a comparison in headless Chromium."""

import re
import shutil
import subprocess

import pytest
from PIL import Image
from rich.console import Console

from experiments.commands import report as report_command
from tests.experiments.report import synthetic

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
  CHROMIUM is None, reason="chromium is not installed (Debian: apt install chromium)"
)
ENVS = ("maze/nine_rooms?noise=on_demand&episode_steps=500", "craftax/classic")
REPORT = """<script>addEventListener("load", () => {
  %s
});</script>"""
"""Put into a copy of the page, it tells the page around it what it found."""


@pytest.fixture(scope="module")
def page(tmp_path_factory, few_resamples):
  folder = tmp_path_factory.mktemp("comparison")
  synthetic.write(folder, synthetic.BONUSES, ENVS, seeds=2, points=10, side=13)
  report_command.run(folder, Console(quiet=True))
  return folder / "report.html"


def chromium(path, folder, *flags):
  """Opens a page; returns what was printed, and the lines of the console."""
  command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
  command += ["--hide-scrollbars", "--enable-logging=stderr", "--v=0", "--virtual-time-budget=4000"]
  command += [f"--user-data-dir={folder / 'profile'}", *flags, path.as_uri()]
  done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
  return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def framed(path, folder, width, height, script="0"):
  """A page that shows another `width` pixels wide, narrower than a window can be.

  Its text is what `script`, run in the other, gives.
  """
  inner = folder / "inner.html"
  told = f"parent.postMessage(String({script}), '*')"
  inner.write_text(path.read_text() + REPORT % told)
  outer = folder / "outer.html"
  outer.write_text(
    "<!DOCTYPE html><body style='margin:0'>"
    f"<iframe src='inner.html' style='border:0;width:{width}px;height:{height}px'></iframe><p></p>"
    "<script>addEventListener('message',"
    " (e) => { document.querySelector('p').textContent = e.data })</script>"
  )
  return outer


def told(path, folder, width, script):
  dom, console = chromium(framed(path, folder, width, 2000, script), folder, "--dump-dom")
  assert console == []
  return re.search("<p>(.*?)</p>", dom)[1]


def test_it_opens_without_an_error_and_shows_every_section(page, tmp_path):
  dom, console = chromium(page, tmp_path, "--dump-dom", "--window-size=1280,2000")
  assert console == []
  assert "has the best mean rank" in dom
  for heading in (
    *("Results over all environments", "Learning curves"),
    *("What each bonus costs", "Where each bonus led", "Instruments", "Tuning", "Commands"),
  ):
    assert f"<h2>{heading}</h2>" in dom
  assert dom.count('<svg class="chart curves"') == 3
  assert 'src="data:image/png' in dom


def test_an_error_would_be_noticed(tmp_path):
  (tmp_path / "bad.html").write_text("<script>absent()</script>")
  assert chromium(tmp_path / "bad.html", tmp_path, "--dump-dom")[1]


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_is_wider_than_the_screen(page, tmp_path, width):
  opened = "document.querySelectorAll('details').forEach((d) => d.open = true)"
  script = f"({opened}, document.documentElement.scrollWidth + '/' + innerWidth)"
  assert told(page, tmp_path, width, script) == f"{width}/{width}"


def test_text_is_large_enough_on_a_phone(page, tmp_path):
  smallest = (
    "Math.min(...[...document.querySelectorAll('svg.chart text')]"
    ".map((t) => t.getBoundingClientRect().height))"
  )
  assert float(told(page, tmp_path, 390, smallest)) >= 11
  body = "getComputedStyle(document.body).fontSize"
  assert told(page, tmp_path, 390, body) == "16px"


def test_every_map_can_be_decoded(page, tmp_path):
  broken = (
    "[...document.images].filter((i) => !i.naturalWidth).length + '/' + document.images.length"
  )
  assert (
    told(page, tmp_path, 390, broken) == f"0/{2 * len(synthetic.BONUSES)}"
  )  # of one environment


def test_a_chip_brings_its_bonus_forward_and_lets_it_go(page, tmp_path):
  faded = "document.querySelectorAll('.faded').length"
  of_it = "document.querySelectorAll('.faded.variant-3').length"
  click = "document.querySelector('[data-variant=variant-3]').click()"
  script = f"[{click}, {faded}, {of_it}, {click}, {faded}].join(' ').trim()"
  others = 3 * 2 * (len(synthetic.BONUSES) - 1)  # a line and a band in each chart
  others -= 2  # oracle_counts does not apply in one of them
  assert told(page, tmp_path, 390, script).split() == [str(others), "0", "0"]


@pytest.mark.parametrize("width", [390, 1280])
def test_it_looks_like_something(page, tmp_path, width):
  picture = tmp_path / "picture.png"
  outer = framed(page, tmp_path, width, 2000)
  chromium(outer, tmp_path, f"--screenshot={picture}", f"--window-size={max(width, 500)},2000")
  with Image.open(picture) as image:
    drawn = image.convert("RGB").crop((0, 0, width, 2000))
  counts = sorted((count for count, _ in drawn.getcolors(1 << 24)), reverse=True)
  assert len(counts) > 100
  assert counts[0] < 0.95 * sum(counts)
  # Not cut off: there is something in every stretch of a tenth of its height.
  for top in range(0, 2000, 200):
    assert len(drawn.crop((0, top, width, top + 200)).getcolors(1 << 24)) > 5
