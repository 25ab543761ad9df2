"""Checks the site: `make docs-check`, or `python -m docs.site.check FOLDER`.

Every link leads to a page and a heading, nothing is loaded from elsewhere, every command is taken
by the command line, and in Chromium no page logs an error or is wider than a phone, and a search
finds a method, with the pages opened as files.
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

from docs.site import commands

WIDTHS = (1280, 390)
"""A desktop's and a phone's, pixels."""
LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
PROBE = """<!DOCTYPE html><iframe id="f" style="border:0;height:1200px"></iframe><pre></pre><script>
const pages = %s, widths = %s, frame = document.getElementById("f"), out = [];
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
(async () => {
  for (const page of pages) {
    await new Promise((done) => { frame.onload = done; frame.src = page; });
    for (const width of widths) {
      frame.style.width = width + "px";
      // What slides in and out takes a while.
      const body = frame.contentDocument.documentElement;
      for (let i = 0; i < 50 && body.scrollWidth > width + 1; i++) await wait(100);
      if (body.scrollWidth > width + 1)
        out.push(`${page} is ${body.scrollWidth} pixels wide in a window of ${width}`);
    }
  }
  await fetch("/done", {method: "POST", body: JSON.stringify(out)});
})();
</script>"""


class Page(HTMLParser):
  """A page's anchors, links and what it loads."""

  def __init__(self, text: str):
    super().__init__()
    self.anchors: set[str] = set()
    self.links: list[str] = []
    self.loads: list[str] = []
    self.feed(text)

  def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
    for name, value in attrs:
      if name in ("id", "name") and value:
        self.anchors.add(value)
      elif (tag, name) in LOADS and value and ("rel", "canonical") not in attrs:
        self.loads.append(value)
      elif (tag, name) == ("a", "href") and value:
        self.links.append(value)


def links(site: Path) -> Iterator[str]:
  """What is wrong with the links of a site, a line each."""
  pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
  for path, page in pages.items():
    name = path.relative_to(site)
    if name.name == "404.html":  # served at any address, so its links are absolute
      continue
    for target in [*page.links, *page.loads]:
      if re.match(r"(?!data:|mailto:)([a-z]+:|//)", target):
        if target in page.loads:
          yield f"{name} loads {target}"
        continue
      address, anchor = urldefrag(target)
      there = (path.parent / unquote(address)).resolve() if address else path
      if target.startswith("data:") or target.startswith("mailto:"):
        continue
      if not there.exists():
        yield f"{name} links to {target}, which is not there"
      elif anchor and there in pages and unquote(anchor) not in pages[there].anchors:
        yield f"{name} links to {target}, which has no such heading"


def taken(pages: Path) -> Iterator[str]:
  """Which commands of a folder's pages the command line does not take, a line each."""
  for path in sorted(pages.rglob("*.md")):
    for command in commands.of_page(path.read_text("utf-8")):
      if wrong := commands.wrong(command):
        yield f"{path.relative_to(pages)}: rarebird {' '.join(command)}: {wrong}"


class _Server(http.server.ThreadingHTTPServer):
  """Serves a site on the loopback address, and takes what the probe's page reports."""

  def __init__(self, site: Path, probe: str):
    self.probe, self.done, self.reported = probe, threading.Event(), list[str]()
    super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(site)))


class _Handler(http.server.SimpleHTTPRequestHandler):
  server: _Server

  def do_GET(self) -> None:
    if self.path != "/probe":
      return super().do_GET()
    body = self.server.probe.encode()
    self.send_response(200)
    self.send_header("Content-Type", "text/html")
    self.send_header("Content-Length", str(len(body)))
    self.end_headers()
    self.wfile.write(body)

  def do_POST(self) -> None:
    self.server.reported = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
    self.send_response(204)
    self.end_headers()
    self.server.done.set()

  def log_message(self, *arguments: object) -> None:
    """Says nothing."""


def browser(site: Path, chromium: str, limit: float = 900) -> Iterator[str]:
  """What Chromium finds wrong on the pages, at every width, a line each."""
  paths = sorted(path.relative_to(site) for path in site.rglob("*.html"))
  sources = [path for path in paths if path.parts[0] == "source"]  # all alike
  pages = [f"/{path}" for path in paths if path not in sources[1:]]
  server = _Server(site, PROBE % (json.dumps(pages), json.dumps(WIDTHS)))
  threading.Thread(target=server.serve_forever, daemon=True).start()
  with tempfile.TemporaryDirectory() as profile, server:
    log = Path(profile) / "log"
    with open(log, "w") as file:
      process = subprocess.Popen(
        [*_command(chromium, profile), f"http://127.0.0.1:{server.server_port}/probe"],
        stderr=file,
        stdout=subprocess.DEVNULL,
      )
      whole = server.done.wait(limit)
      process.terminate()
      process.wait()
    yield from [] if whole else [f"Chromium was not done after {limit:.0f} seconds"]
    yield from server.reported
    yield from (line for line in log.read_text().splitlines() if "CONSOLE" in line)
    server.shutdown()


def search(site: Path, chromium: str, words: str, finds: str) -> Iterator[str]:
  """Whether a search finds a page, with the site opened as files and no server."""
  with tempfile.TemporaryDirectory() as profile:
    address = f"{(site / 'index.html').as_uri()}?q={words}"
    done = subprocess.run(
      [*_command(chromium, profile), "--virtual-time-budget=10000", "--dump-dom", address],
      capture_output=True,
      text=True,
      timeout=120,
    )
  hits = re.findall(r'<a href="([^"]*)" class="md-search-result__link"', done.stdout)
  if not any(finds in hit for hit in hits):
    yield f"a search for {words} does not find {finds}, but {hits[:5]}"


def _command(chromium: str, profile: str) -> list[str]:
  return [
    *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}", "--window-size=1400,1200"),
  ]


def main(arguments: Sequence[str]) -> int:
  """Checks a site, by default build/site; returns 1 if anything is wrong."""
  site = Path(arguments[0] if arguments else "build/site").resolve()
  wrong = [*links(site), *taken(site.parent / f"{site.name}-pages")]
  chromium = shutil.which("chromium") or shutil.which("google-chrome")
  if chromium:
    wrong += [*browser(site, chromium), *search(site, chromium, "recode", "bonuses/recode.html")]
  else:
    print("docs: chromium is not installed (Debian: apt install chromium); pages were not opened.")
  for line in wrong:
    print(f"docs: {line}", file=sys.stderr)
  print(f"{site}: {len(wrong)} wrong")
  return 1 if wrong else 0


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
